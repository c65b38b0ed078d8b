//! `blockchain add`: adds messages.

mod lines;

use std::fmt;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::error::Error;
use super::output::{Output, warn};
use super::target::TargetArgs;
use crate::client::HttpClient;
use crate::node::settings::MAX_INGEST_BYTES;
use crate::wire::MessageState;
use crate::wire::lines::{BOM, without_bom};

/// Interval between requests for the state of a message with `--wait`.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Time after which `--wait` says why a message may never be mined.
const NOTICE_DELAY: Duration = Duration::from_secs(3);

/// Maximum number of bytes read for one message: the longest one, a byte more to detect a longer
/// one, the byte order mark and the line end.
const READ_LIMIT: u64 = (BOM.len() + MAX_INGEST_BYTES + 1 + b"\r\n".len()) as u64;

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// Text of the message, in quotes if it contains spaces; `-` reads it from standard input
    #[arg(required_unless_present = "lines")]
    message: Option<String>,
    /// Add each line of standard input as a message, except empty lines
    #[arg(long)]
    lines: bool,
    /// With --lines: do not add a message again that is pending or mined already, so that input can
    /// be repeated after a failure. Equal lines count as one message
    #[arg(long, requires = "lines")]
    once: bool,
    /// With --lines: each line is a JSON object, and its text under this key is the message
    #[arg(long, value_name = "NAME", requires = "lines")]
    field: Option<String>,
    /// With --lines: report and count lines that cannot be messages, such as invalid UTF-8, and add
    /// the others, instead of stopping at the first one
    #[arg(long, requires = "lines")]
    skip_invalid: bool,
    /// Wait until the message is mined, and print its block
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    node: TargetArgs,
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
        return lines::add(&client, &args, output).await;
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

/// Strips one line end, LF or CRLF.
fn without_line_end(line: &[u8]) -> &[u8] {
    let Some(text) = line.strip_suffix(b"\n") else {
        return line;
    };
    text.strip_suffix(b"\r").unwrap_or(text)
}

async fn wait(client: &HttpClient, added: Added) -> Result<Added, Error> {
    let Some(id) = &added.id else {
        return Err(Error::failed(format!(
            "the message was added, but the reference miner at {} returns no id to wait for",
            client.address()
        ))
        .hint("look for the message in GET /data and GET /chain of that node"));
    };
    let begin = Instant::now();
    let mut is_told = false;
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
        if !is_told && begin.elapsed() > NOTICE_DELAY {
            is_told = true;
            let node = client.status().await?;
            if node.mining.threads == 0 && node.sync.answering == 0 {
                warn(
                    "the message is still pending: this node does not mine (--threads 0), and no \
                     neighbour answers",
                );
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
