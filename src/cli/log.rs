//! Logs: to the standard error, and for a node to `miner.log` beside its database.

use std::io::{self, IsTerminal};
use std::path::Path;

use clap::ValueEnum;
use tracing::Subscriber;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_rolling_file::{RollingConditionBase, RollingFileAppenderBase};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

use super::error::Error;

/// Size at which `miner.log` is rotated, in bytes.
const FILE_BYTES: u64 = 1024 * 1024;

/// Older files kept: `miner.log.1` to `miner.log.3`.
const OLD_FILES: usize = 3;

/// How the log lines of a node are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Checks the directives of `--log`.
pub(super) fn directives(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

fn filter(directives: Option<&str>, default: &str) -> Result<EnvFilter, Error> {
    EnvFilter::try_new(directives.unwrap_or(default))
        .map_err(|error| Error::usage(format!("--log {}: {error}", directives.unwrap_or(default))))
}

/// Logs a command to the standard error; `default` is what it logs if nothing else is asked for.
pub(super) fn to_stderr(directives: Option<&str>, default: &str) -> Result<(), Error> {
    let terminal = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    registry()
        .with(terminal.with_filter(filter(directives, default)?))
        .init();
    Ok(())
}

/// Logs a node to the standard error and to `miner.log` in `folder`. What is logged last reaches
/// the file when the guard is dropped.
pub(super) fn to_file(
    directives: Option<&str>,
    format: LogFormat,
    folder: &Path,
) -> Result<WorkerGuard, Error> {
    let path = folder.join("miner.log");
    let rotation = RollingConditionBase::new().max_size(FILE_BYTES);
    let file = RollingFileAppenderBase::new(&path, rotation, OLD_FILES)
        .map_err(|source| Error::file(&path, source))?;
    let (file, guard) = tracing_appender::non_blocking(file);
    let terminal = layer(format, io::stderr, io::stderr().is_terminal());
    let file = layer(format, file, false);
    registry()
        .with(terminal.with_filter(filter(directives, "info")?))
        .with(file.with_filter(filter(directives, "info")?))
        .init();
    Ok(guard)
}

fn layer<S, W>(format: LogFormat, writer: W, colours: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer).with_ansi(colours);
    match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().boxed(),
    }
}
