//! `blockchain add --lines`: adds each line of standard input as a message.
//!
//! The lines that arrive within a short time are added by one request, all or none. A node without
//! such requests, or a reference miner, gets one request per line.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{AddArgs, Added, READ_LIMIT, wait, without_line_end};
use crate::cli::error::{Error, ErrorKind};
use crate::cli::output::{Output, bar, warn};
use crate::client::HttpClient;
use crate::node::settings::MAX_INGEST_BYTES;
use crate::text::counted;
use crate::wire::lines::{self, InvalidLine};

/// Time for which lines are collected for one request.
const COLLECT_TIME: Duration = Duration::from_millis(200);

/// Maximum number of lines in one request.
const MAX_LINES: usize = 1000;

/// Maximum size of the lines in one request in bytes, without the last one.
const MAX_BYTES: usize = lines::MAX_BYTES - 2 * MAX_INGEST_BYTES;

/// A line of the input with its message.
#[derive(Default)]
struct Line {
    /// Number in the input, from 1.
    number: u64,
    /// The line as it is sent, without its end.
    raw: String,
    message: String,
}

/// An item of the input.
enum Input {
    Line(Line),
    /// A line without a message, described for a warning.
    Skipped(String),
    Failure(Error),
}

/// Lines that arrived within a short time.
#[derive(Default)]
struct Batch {
    lines: Vec<Line>,
    /// Warnings about lines without a message.
    skipped: Vec<String>,
    /// The failure that follows the lines.
    failure: Option<Error>,
}

/// Number of lines that were skipped because they have no message.
#[derive(Serialize)]
struct Skipped {
    skipped: u64,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} skipped", counted(self.skipped, "invalid line"))
    }
}

pub(super) async fn add(client: &HttpClient, args: &AddArgs, output: &Output) -> Result<(), Error> {
    let bar = bar(None, "messages");
    let mut unmined = Vec::new();
    let mut skipped = 0;
    let print = |added| {
        bar.inc(1);
        if args.wait {
            unmined.push(added);
            return Ok(());
        }
        bar.suspend(|| output.print_one_of_many(&added))
    };
    let report_skipped = |line: &str| {
        skipped += 1;
        bar.suspend(|| warn(line));
    };
    let sent = send_all(client, args, print, report_skipped).await;
    // Every acknowledged id is printed, even after a failure.
    let mut failure = sent.err();
    for mut added in unmined {
        if failure.is_none() {
            match wait(client, added.clone()).await {
                Ok(mined) => added = mined,
                Err(error) => failure = Some(error),
            }
        }
        bar.suspend(|| output.print_one_of_many(&added))?;
    }
    bar.finish_and_clear();
    if args.skip_invalid {
        let printed = output.print_one_of_many(&Skipped { skipped });
        failure = failure.or(printed.err());
    }
    failure.map_or(Ok(()), Err)
}

/// Adds the lines of standard input. Passes each result to `print`, and a warning about each line
/// without a message to `report_skipped`.
async fn send_all(
    client: &HttpClient,
    args: &AddArgs,
    mut print: impl FnMut(Added) -> Result<(), Error>,
    mut report_skipped: impl FnMut(&str),
) -> Result<(), Error> {
    let (sender, receiver) = sync_channel(MAX_LINES);
    let (field, skips_invalid) = (args.field.clone(), args.skip_invalid);
    // It blocks until there is input, so it ends with the process.
    thread::spawn(move || {
        read_all(io::stdin().lock(), &sender, field.as_deref(), skips_invalid);
    });
    let mut is_single = false;
    loop {
        let Batch {
            lines,
            skipped,
            failure,
        } = collect(&receiver);
        for line in &skipped {
            report_skipped(line);
        }
        let Some(last) = lines.last().map(|line| line.number) else {
            if skipped.is_empty() || failure.is_some() {
                return failure.map_or(Ok(()), Err);
            }
            continue;
        };
        for added in send(client, args, lines, &mut is_single).await? {
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
        let mut body: String = batch.iter().flat_map(|line| [&line.raw, "\r\n"]).collect();
        if lines::without_bom(body.as_bytes()).len() < body.len() {
            // The node strips this mark from the body, but here it belongs to a message. An empty
            // line is passed over.
            body.insert_str(0, "\r\n");
        }
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

/// Returns the lines that arrive within a short time. There is none at the end of the input.
fn collect(lines: &Receiver<Input>) -> Batch {
    let mut batch = Batch::default();
    let mut bytes = 0;
    let mut next = lines.recv().map_err(|_| RecvTimeoutError::Disconnected);
    let end = Instant::now() + COLLECT_TIME;
    loop {
        match next {
            Ok(Input::Line(line)) => {
                bytes += line.raw.len() + 1;
                batch.lines.push(line);
            }
            Ok(Input::Skipped(line)) => batch.skipped.push(line),
            Ok(Input::Failure(error)) => {
                batch.failure = Some(error);
                return batch;
            }
            Err(_) => return batch,
        }
        if batch.lines.len() + batch.skipped.len() >= MAX_LINES || bytes >= MAX_BYTES {
            return batch;
        }
        next = lines.recv_timeout(end.saturating_duration_since(Instant::now()));
    }
}

/// Reads lines and sends them, up to the first error. Lines without a message are no error if
/// `skips_invalid`.
fn read_all(
    mut input: impl BufRead,
    sender: &SyncSender<Input>,
    field: Option<&str>,
    skips_invalid: bool,
) {
    for number in 1.. {
        let item = match read_line(&mut input, number, field, skips_invalid) {
            Ok(Some(Ok(line))) if line.raw.is_empty() => continue,
            Ok(Some(Ok(line))) => Input::Line(line),
            Ok(Some(Err(reason))) if skips_invalid => {
                Input::Skipped(format!("line {number} was skipped: {reason}"))
            }
            Ok(Some(Err(reason))) => {
                Input::Failure(Error::rejected(format!("line {number}: {reason}")))
            }
            Ok(None) => return,
            Err(error) => Input::Failure(Error::stdin(error)),
        };
        let is_last = matches!(item, Input::Failure(_));
        if sender.send(item).is_err() || is_last {
            return;
        }
    }
}

/// Reads a line, which may be empty; `None` at the end of the input. If it is longer than a message,
/// the rest is consumed only if `skips_invalid`, since a line may have no end.
fn read_line(
    input: &mut impl BufRead,
    number: u64,
    field: Option<&str>,
    skips_invalid: bool,
) -> io::Result<Option<Result<Line, InvalidLine>>> {
    let mut line = Vec::new();
    // The limit keeps an endless line from filling the memory.
    if input.take(READ_LIMIT).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let mut raw = without_line_end(&line);
    if number == 1 {
        raw = lines::without_bom(raw);
    }
    if raw.is_empty() {
        return Ok(Some(Ok(Line::default())));
    }
    let message = lines::message(raw, field, MAX_INGEST_BYTES).map(Cow::into_owned);
    if skips_invalid && message.is_err() && !line.ends_with(b"\n") {
        input.skip_until(b'\n')?;
    }
    Ok(Some(message.map(|message| Line {
        number,
        raw: match field {
            Some(_) => String::from_utf8_lossy(raw).into_owned(),
            None => message.clone(),
        },
        message,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of the messages, and the warnings or the failure.
    fn read(input: &[u8], field: Option<&str>, skips_invalid: bool) -> (Vec<String>, Vec<String>) {
        let (sender, receiver) = sync_channel(MAX_LINES);
        read_all(input, &sender, field, skips_invalid);
        drop(sender);
        let batch = collect(&receiver);
        let failure = batch.failure.map(|error| error.to_string());
        let texts = batch.lines.into_iter().map(|line| line.message);
        (
            texts.collect(),
            batch.skipped.into_iter().chain(failure).collect(),
        )
    }

    #[test]
    fn an_invalid_line_is_skipped_if_asked_and_is_the_last_one_otherwise() {
        // The part beyond the limit of what is read must not become a line.
        let longer = "x".repeat(3 * MAX_INGEST_BYTES);
        let input = [b"one\n\xff\n", longer.as_bytes(), b"\n\ntwo"].concat();
        let (texts, skipped) = read(&input, None, true);
        assert_eq!(texts, ["one", "two"]);
        assert_eq!(skipped.len(), 2, "{skipped:?}");
        assert!(skipped[0].starts_with("line 2 was skipped: it is not valid UTF-8"));
        assert!(skipped[1].starts_with("line 3 was skipped: it is longer than the 65536 bytes"));
        let (texts, failure) = read(&input, None, false);
        assert_eq!((texts.len(), failure.len()), (1, 1));
        assert!(failure[0].starts_with("line 2: it is not valid UTF-8"));
    }

    #[test]
    fn a_line_without_the_text_is_skipped() {
        let input = b"{\"log\":\"one\"}\n{}\nnot JSON\n{\"log\":\"two\"}\n";
        let (texts, skipped) = read(input, Some("log"), true);
        assert_eq!(texts, ["one", "two"]);
        assert!(skipped[0].contains("line 2 was skipped: it is not an object"));
        assert!(skipped[1].contains("line 3 was skipped: it is not JSON"));
    }

    #[test]
    fn an_endless_line_is_rejected_before_its_end() {
        let endless = io::BufReader::new(io::repeat(b'x'));
        let (sender, receiver) = sync_channel(1);
        read_all(endless, &sender, None, false);
        assert!(matches!(receiver.recv(), Ok(Input::Failure(_))));
    }
}
