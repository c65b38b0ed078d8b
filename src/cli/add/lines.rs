//! `blockchain add --lines`: adds each line of standard input as a message.
//!
//! The lines that arrive within a short time are added by one request, all or none. A node without
//! such requests, or a reference miner, gets one request per line.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{AddArgs, Added, READ_LIMIT, wait, without_bom, without_line_end};
use crate::cli::error::{Error, ErrorKind};
use crate::cli::output::{Output, bar};
use crate::client::HttpClient;
use crate::node::settings::MAX_INGEST_BYTES;
use crate::wire::lines;

/// Time for which lines are collected for one request.
const COLLECT_TIME: Duration = Duration::from_millis(200);

/// Maximum number of lines in one request.
const MAX_LINES: usize = 1000;

/// Maximum size of the lines in one request in bytes, without the last one.
const MAX_BYTES: usize = lines::MAX_BYTES - 2 * MAX_INGEST_BYTES;

/// A line of the input with its message.
struct Line {
    /// Number in the input, from 1.
    number: u64,
    /// The line as it is sent, without its end.
    raw: String,
    message: String,
}

pub(super) async fn add(client: &HttpClient, args: &AddArgs, output: &Output) -> Result<(), Error> {
    let bar = bar(None, "messages");
    let mut unmined = Vec::new();
    let sent = send_all(client, args, |added| {
        bar.inc(1);
        if args.wait {
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

/// Adds the lines of standard input and passes each result to `print`.
async fn send_all(
    client: &HttpClient,
    args: &AddArgs,
    mut print: impl FnMut(Added) -> Result<(), Error>,
) -> Result<(), Error> {
    let (sender, receiver) = sync_channel(MAX_LINES);
    let field = args.field.clone();
    // It blocks until there is input, so it ends with the process.
    thread::spawn(move || read_all(&sender, field.as_deref()));
    let mut is_single = false;
    loop {
        let (batch, failure) = collect(&receiver);
        let Some(last) = batch.last().map(|line| line.number) else {
            return failure.map_or(Ok(()), Err);
        };
        for added in send(client, args, batch, &mut is_single).await? {
            match print(added) {
                // There may be more lines, so this is a failure.
                Err(error) if matches!(*error.kind, ErrorKind::ClosedOutput) => {
                    return Err(Error::failed(format!(
                        "the standard output was closed after line {last} was added"
                    )));
                }
                printed => printed?,
            }
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
    }
}

/// Adds lines: with one request, or each with its own if `is_single`, which is set if the node
/// does not support the former.
async fn send(
    client: &HttpClient,
    args: &AddArgs,
    batch: Vec<Line>,
    is_single: &mut bool,
) -> Result<Vec<Added>, Error> {
    let added = |id| Added {
        id,
        index: None,
        renamed_to: None,
    };
    if !*is_single {
        // A message may end with a CR, so every line has an explicit end.
        let body: String = batch.iter().flat_map(|line| [&line.raw, "\r\n"]).collect();
        let sent = client
            .add_lines(&body, args.field.as_deref(), args.once)
            .await;
        match sent {
            Ok(lines) => {
                let ids = lines.ids.unwrap_or_default().into_iter().map(Some);
                return Ok(ids.map(added).collect());
            }
            Err(error) if error.is_unsupported() && args.once => {
                return Err(Error::failed(format!(
                    "the node at {} does not support --once",
                    client.address()
                ))
                .hint(
                    "it is an older version or a reference miner; add the lines without --once",
                ));
            }
            Err(error) if error.is_unsupported() => *is_single = true,
            Err(error) => return Err(error.into()),
        }
    }
    let mut ids = Vec::with_capacity(batch.len());
    for line in batch {
        ids.push(added(client.add(&line.message).await?));
    }
    Ok(ids)
}

/// Returns the lines that arrive within a short time, and the failure that follows them. There is no
/// line at the end of the input.
fn collect(lines: &Receiver<Result<Line, Error>>) -> (Vec<Line>, Option<Error>) {
    let mut batch = Vec::new();
    let mut bytes = 0;
    let mut next = lines.recv().map_err(|_| RecvTimeoutError::Disconnected);
    let end = Instant::now() + COLLECT_TIME;
    loop {
        match next {
            Ok(Ok(line)) => {
                bytes += line.raw.len() + 1;
                batch.push(line);
            }
            Ok(Err(error)) => return (batch, Some(error)),
            Err(_) => return (batch, None),
        }
        if batch.len() >= MAX_LINES || bytes >= MAX_BYTES {
            return (batch, None);
        }
        next = lines.recv_timeout(end.saturating_duration_since(Instant::now()));
    }
}

/// Reads standard input and sends its lines up to the first error.
fn read_all(sender: &SyncSender<Result<Line, Error>>, field: Option<&str>) {
    let mut input = io::stdin().lock();
    for number in 1.. {
        let line = match read_line(&mut input, number, field) {
            Ok(Some(line)) => Ok(line),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        let is_last = line.is_err();
        let is_empty = line.as_ref().is_ok_and(|line| line.raw.is_empty());
        if !is_empty && sender.send(line).is_err() || is_last {
            return;
        }
    }
}

/// Reads a line, which may be empty; `None` at the end of the input.
fn read_line(
    input: &mut impl BufRead,
    number: u64,
    field: Option<&str>,
) -> Result<Option<Line>, Error> {
    let mut line = Vec::new();
    // The limit keeps an endless line from filling the memory.
    let read = input.take(READ_LIMIT).read_until(b'\n', &mut line);
    if read.map_err(Error::stdin)? == 0 {
        return Ok(None);
    }
    let mut raw = without_line_end(&line);
    if number == 1 {
        raw = without_bom(raw);
    }
    let message = if raw.is_empty() {
        String::new()
    } else {
        lines::message(raw, field, MAX_INGEST_BYTES)
            .map_err(|error| Error::rejected(format!("line {number}: {error}")))?
            .into_owned()
    };
    let raw = match field {
        Some(_) => String::from_utf8_lossy(raw).into_owned(),
        None => message.clone(),
    };
    Ok(Some(Line {
        number,
        raw,
        message,
    }))
}
