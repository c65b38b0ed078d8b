//! `blockchain add`: adds messages.

use std::fmt;
use std::io::{self, BufRead, Read};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::error::{Error, ErrorKind};
use super::output::{Output, bar};
use super::target::NodeArgs;
use crate::client::HttpClient;
use crate::node::settings::MAX_INGEST_BYTES;
use crate::wire::MessageState;

/// How often a waiting command asks whether its message is mined.
const POLL: Duration = Duration::from_millis(100);

/// The byte order mark in UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Maximum bytes read for one message: enough to tell that it is too long, whatever stands around
/// it.
const READ_LIMIT: u64 = (BOM.len() + MAX_INGEST_BYTES + 1 + b"\r\n".len()) as u64;

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// The message; `-` reads it from the standard input, without a leading byte order mark and
    /// without the line end (LF or CRLF) after it
    #[arg(required_unless_present = "lines")]
    message: Option<String>,
    /// Add each line of the standard input as a message, in order; lines end with LF or CRLF, empty
    /// lines are left out
    #[arg(long)]
    lines: bool,
    /// Wait until the message is mined
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    node: NodeArgs,
}

/// One message that is on the node's disk.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Added {
    /// Its id; null from a reference miner, which tells none.
    id: Option<String>,
    /// The block it is mined in, if that was waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    /// The new id, if the message had to be renamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    renamed_to: Option<String>,
}

impl fmt::Display for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id.as_deref().unwrap_or("added"))?;
        if let Some(id) = &self.renamed_to {
            write!(f, " (now {id})")?;
        }
        match self.index {
            Some(index) => write!(f, " mined in block {index}"),
            None => Ok(()),
        }
    }
}

pub(super) async fn run(args: AddArgs, output: &Output) -> Result<(), Error> {
    let client = args.node.client()?;
    if args.lines {
        if args
            .message
            .as_deref()
            .is_some_and(|message| message != "-")
        {
            return Err(Error::usage(
                "--lines reads the messages from the standard input",
            ));
        }
        return add_lines(&client, args.wait, output).await;
    }
    let text = match args.message.as_deref() {
        Some("-") | None => read_message()?,
        Some(text) => text.to_owned(),
    };
    let added = add(&client, &text).await?;
    if !args.wait {
        return output.print(&added);
    }
    match wait(&client, added.clone()).await {
        Ok(mined) => output.print(&mined),
        Err(error) => {
            // It was added all the same, and whoever asks for it needs its id.
            output.print(&added)?;
            Err(error)
        }
    }
}

async fn add(client: &HttpClient, text: &str) -> Result<Added, Error> {
    if text.is_empty() {
        return Err(Error::rejected("the message is empty"));
    }
    Ok(Added {
        id: client.add(text).await?,
        index: None,
        renamed_to: None,
    })
}

fn read_message() -> Result<String, Error> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(READ_LIMIT)
        .read_to_end(&mut bytes)
        .map_err(Error::stdin)?;
    let bytes = without_line_end(without_bom(&bytes));
    if bytes.len() > MAX_INGEST_BYTES {
        let error = format!("the message has more than the {MAX_INGEST_BYTES} bytes allowed");
        return Err(Error::rejected(error));
    }
    match str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(Error::rejected(format!(
            "the message is not valid UTF-8: {error}"
        ))),
    }
}

/// Drops the byte order mark that some programs write before UTF-8 text.
fn without_bom(text: &[u8]) -> &[u8] {
    text.strip_prefix(BOM).unwrap_or(text)
}

/// Drops one line end, LF or CRLF.
fn without_line_end(line: &[u8]) -> &[u8] {
    let Some(text) = line.strip_suffix(b"\n") else {
        return line;
    };
    text.strip_suffix(b"\r").unwrap_or(text)
}

async fn add_lines(client: &HttpClient, wait_for_all: bool, output: &Output) -> Result<(), Error> {
    let bar = bar(None, "messages");
    let mut unmined = Vec::new();
    let sent = send_lines(client, |added| {
        bar.inc(1);
        if wait_for_all {
            unmined.push(added);
            return Ok(());
        }
        bar.suspend(|| output.print(&added))
    })
    .await;
    // Whatever goes wrong, every id that was acknowledged is told.
    let mut failure = sent.err();
    for mut added in unmined {
        if failure.is_none() {
            match wait(client, added.clone()).await {
                Ok(mined) => added = mined,
                Err(error) => failure = Some(error),
            }
        }
        bar.suspend(|| output.print(&added))?;
    }
    bar.finish_and_clear();
    failure.map_or(Ok(()), Err)
}

/// Adds each line of the standard input and hands out what was added.
async fn send_lines(
    client: &HttpClient,
    mut tell: impl FnMut(Added) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        // A line that never ends must not fill the memory.
        let read = (&mut input).take(READ_LIMIT).read_until(b'\n', &mut line);
        if read.map_err(Error::stdin)? == 0 {
            break;
        }
        let mut text = without_line_end(&line);
        if number == 1 {
            text = without_bom(text);
        }
        if text.len() > MAX_INGEST_BYTES {
            let error = format!("line {number} has more than the {MAX_INGEST_BYTES} bytes allowed");
            return Err(Error::rejected(error));
        }
        let text = str::from_utf8(text).map_err(|error| {
            Error::rejected(format!("line {number} is not valid UTF-8: {error}"))
        })?;
        if text.is_empty() {
            continue;
        }
        match tell(add(client, text).await?) {
            // Lines are left, so this is no success.
            Err(error) if matches!(error.kind, ErrorKind::ClosedOutput) => {
                return Err(Error::failed(format!(
                    "the standard output was closed after line {number} was added"
                )));
            }
            told => told?,
        }
    }
    Ok(())
}

async fn wait(client: &HttpClient, added: Added) -> Result<Added, Error> {
    let Some(id) = &added.id else {
        return Err(Error::failed(format!(
            "the message was added, but {} gives no id to wait for, as reference miners do; \
             look for it in GET /data and GET /chain of that node",
            client.address()
        )));
    };
    loop {
        let status = client.message(id).await?;
        if status.state == MessageState::Mined {
            let renamed_to = Some(status.id).filter(|now| now != id);
            return Ok(Added {
                index: status.block.map(|block| block.index),
                renamed_to,
                ..added
            });
        }
        tokio::time::sleep(POLL).await;
    }
}
