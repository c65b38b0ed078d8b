//! Logs: to the standard error, and for a node to `miner.log` beside its database.

use std::io::{self, IsTerminal};
use std::path::Path;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_rolling_file::{RollingConditionBase, RollingFileAppenderBase};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

use super::error::Error;

/// Size at which `miner.log` is rotated, in bytes.
const FILE_BYTES: u64 = 1024 * 1024;

/// Older files kept: `miner.log.1` to `miner.log.3`.
const OLD_FILES: usize = 3;

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
pub(super) fn to_file(directives: Option<&str>, folder: &Path) -> Result<WorkerGuard, Error> {
    let path = folder.join("miner.log");
    let rotation = RollingConditionBase::new().max_size(FILE_BYTES);
    let file = RollingFileAppenderBase::new(&path, rotation, OLD_FILES)
        .map_err(|source| Error::file(&path, source))?;
    let (file, guard) = tracing_appender::non_blocking(file);
    let terminal = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let file = fmt::layer().with_writer(file).with_ansi(false);
    registry()
        .with(terminal.with_filter(filter(directives, "info")?))
        .with(file.with_filter(filter(directives, "info")?))
        .init();
    Ok(guard)
}
