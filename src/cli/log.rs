//! Logs: to standard error, and for a node also to `miner.log` beside its database.
//!
//! Both are written through a queue ([`lines`]), so that a reader that stops reading does not stop
//! the process. A process has one standard error, so its queue is a static.

mod lines;
mod rotation;

use std::fmt::Debug;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::exit;
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use anstyle::Style;
use clap::ValueEnum;
use tracing::field::Field;
use tracing::level_filters::LevelFilter;
use tracing::{Subscriber, warn};
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

use self::lines::{Lines, Timeouts};
use self::rotation::RotatedFile;
use super::error::Error;
use crate::text::{escape, escape_lines};

/// A command waits for a slow reader, but not for one that reads nothing.
const COMMAND_TIMEOUTS: Timeouts = Timeouts {
    full: Duration::from_secs(10),
    stall: Duration::from_secs(10),
    end: Duration::MAX,
};

/// A server does not wait for readers while it serves, and only briefly when it stops.
const SERVER_TIMEOUTS: Timeouts = Timeouts {
    full: Duration::ZERO,
    stall: Duration::from_millis(500),
    end: Duration::from_secs(1),
};

/// The queue of standard error; `None` if its thread could not be started.
static STDERR: LazyLock<Option<Lines>> =
    LazyLock::new(|| Lines::to(io::stderr(), "standard error", COMMAND_TIMEOUTS).ok());

/// `miner.log`, once a node has opened it.
static FILE: OnceLock<Lines> = OnceLock::new();

/// Prints text on standard error.
pub(super) fn print(text: String) {
    match &*STDERR {
        Some(lines) => lines.push(text.into_bytes()),
        // A failure could not be reported anywhere.
        None => drop(io::stderr().write_all(text.as_bytes())),
    }
}

/// Waits until everything logged and printed is written, within the timeouts.
pub(super) fn flush() {
    let unread = STDERR.as_ref().map_or(0, Lines::flush);
    if let Some(file) = FILE.get() {
        if unread > 0 {
            warn!(lines = unread, "standard error was not read to its end");
        }
        file.flush();
    }
}

/// Writes out the logs and ends the process with this exit code.
pub(super) fn flush_and_exit(code: i32) -> ! {
    flush();
    exit(code)
}

/// Sets the timeouts of servers.
pub(super) fn use_server_timeouts() {
    if let Some(lines) = &*STDERR {
        lines.set_timeouts(SERVER_TIMEOUTS);
    }
}

/// Format of the log lines of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// Plain text
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

/// Checks the directives of `--log`. A single word must be a level or a module of this program: as the
/// name of any module, a misspelled level would turn off all output.
pub(super) fn directives(text: &str) -> Result<String, String> {
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    let is_own = |word: &str| word == "blockchain" || word.starts_with("blockchain::");
    let is_meant =
        |word: &str| word.is_empty() || word.contains('=') || is_own(word) || is_level(word);
    let has_spans = text.contains('[');
    if EnvFilter::try_new(text).is_ok()
        && (has_spans || text.split(',').map(str::trim).all(is_meant))
    {
        return Ok(text.to_owned());
    }
    Err("use error, warn, info, debug or trace, or directives such as blockchain=debug".to_owned())
}

fn filter(directives: Option<&str>, default: &str) -> EnvFilter {
    EnvFilter::new(directives.unwrap_or(default))
}

/// Logs to standard error, by `default` directives unless others are given.
pub(super) fn to_stderr(directives: Option<&str>, default: &str) -> Result<(), Error> {
    let terminal = stderr_layer(LogFormat::Text)?;
    registry()
        .with(terminal.with_filter(filter(directives, default)))
        .init();
    Ok(())
}

/// Logs to standard error and to `miner.log` in `folder`.
pub(super) fn to_file(
    directives: Option<&str>,
    format: LogFormat,
    folder: &Path,
) -> Result<(), Error> {
    let path = folder.join("miner.log");
    let file = RotatedFile::open(path.clone())?;
    let file = Lines::to(file, "miner.log", SERVER_TIMEOUTS);
    let file = file.map_err(|source| Error::file(&path, source))?;
    let terminal = stderr_layer(format)?;
    registry()
        .with(terminal.with_filter(filter(directives, "info")))
        .with(layer(format, file.clone(), false).with_filter(filter(directives, "info")))
        .init();
    FILE.get_or_init(|| file);
    Ok(())
}

/// Writes a field of a line of text. Values may hold paths and arguments, so they are escaped.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    let value = format!("{value:?}");
    let value = match field.name() {
        "message" => return writer.write_str(&escape(&value)),
        "backtrace" => escape_lines(&value),
        _ => escape(&value).into_owned(),
    };
    if writer.has_ansi_escapes() {
        let (name, equals) = (Style::new().italic(), Style::new().dimmed());
        write!(writer, "{name}{field}{name:#}{equals}={equals:#}{value}")
    } else {
        write!(writer, "{field}={value}")
    }
}

fn stderr_layer<S>(format: LogFormat) -> Result<Box<dyn Layer<S> + Send + Sync>, Error>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let no_thread = || Error::failed("cannot start the thread that writes the log");
    let lines = STDERR.clone().ok_or_else(no_thread)?;
    Ok(layer(format, lines, io::stderr().is_terminal()))
}

fn layer<S, W>(format: LogFormat, writer: W, colours: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer).with_ansi(colours);
    match format {
        LogFormat::Text => {
            let fields = debug_fn(write_field).delimited(" ");
            layer.fmt_fields(fields).boxed()
        }
        LogFormat::Json => layer.json().boxed(),
    }
}
