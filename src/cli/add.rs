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

/// Interval between requests for the state of a message with `--wait`.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Byte order mark in UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Maximum number of bytes read for one message: the longest one, a byte more to detect a longer
/// one, the byte order mark and the line end.
const READ_LIMIT: u64 = (BOM.len() + MAX_INGEST_BYTES + 1 + b"\r\n".len()) as u64;

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// Text of the message, in quotes if it contains spaces; `-` reads it from standard input
    #[arg(required_unless_present = "lines")]
    message: Option<String>,
    /// Add each line of standard input as a message, except empty lines
    #[arg(long)]
    lines: bool,
    /// Wait until the message is mined, and print its block
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    node: NodeArgs,
}

/// A message that was added.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Added {
    /// Its id; null from a reference miner, which returns none.
    id: Option<String>,
    /// Index of its block, with `--wait`.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    /// Its new id, if another message took the old one.
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
                "--lines reads the messages from standard input, not from an argument",
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
            // The message was added, and its id is needed to query it.
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
        let error = format!("the message exceeds the maximum of {MAX_INGEST_BYTES} bytes");
        return Err(Error::rejected(error));
    }
    match str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(Error::rejected(format!(
            "the message is not valid UTF-8: {error}"
        ))),
    }
}

/// Strips the byte order mark that some programs write before UTF-8 text.
fn without_bom(text: &[u8]) -> &[u8] {
    text.strip_prefix(BOM).unwrap_or(text)
}

/// Strips one line end, LF or CRLF.
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
    // Every acknowledged id is printed, even after a failure.
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

/// Adds each line of standard input and passes each result to `print`.
async fn send_lines(
    client: &HttpClient,
    mut print: impl FnMut(Added) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        // The limit keeps an endless line from filling the memory.
        let read = (&mut input).take(READ_LIMIT).read_until(b'\n', &mut line);
        if read.map_err(Error::stdin)? == 0 {
            break;
        }
        let mut text = without_line_end(&line);
        if number == 1 {
            text = without_bom(text);
        }
        if text.len() > MAX_INGEST_BYTES {
            let error = format!("line {number} exceeds the maximum of {MAX_INGEST_BYTES} bytes");
            return Err(Error::rejected(error));
        }
        let text = str::from_utf8(text).map_err(|error| {
            Error::rejected(format!("line {number} is not valid UTF-8: {error}"))
        })?;
        if text.is_empty() {
            continue;
        }
        match print(add(client, text).await?) {
            // There may be more lines, so this is a failure.
            Err(error) if matches!(*error.kind, ErrorKind::ClosedOutput) => {
                return Err(Error::failed(format!(
                    "the standard output was closed after line {number} was added"
                )));
            }
            printed => printed?,
        }
    }
    Ok(())
}

async fn wait(client: &HttpClient, added: Added) -> Result<Added, Error> {
    let Some(id) = &added.id else {
        return Err(Error::failed(format!(
            "the message was added, but the reference miner at {} returns no id to wait for",
            client.address()
        ))
        .hint("look for the message in GET /data and GET /chain of that node"));
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
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
