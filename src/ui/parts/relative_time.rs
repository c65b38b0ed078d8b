//! A point in time: its age, and the time in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

use askama::Template;
use askama::filters::HtmlSafe;

use crate::ui::format;
use crate::wire::{Block, calendar_time};

/// A point in time as a `<time>` element. The script updates its age.
#[derive(Debug, Template)]
#[template(path = "parts/time.html", config = "src/ui/askama.toml")]
pub(in crate::ui) struct RelativeTime {
    seconds: f64,
    utc: String,
    age: String,
}

impl HtmlSafe for RelativeTime {}

impl RelativeTime {
    /// A time in seconds since the Unix epoch.
    pub(in crate::ui) fn at(seconds: f64) -> Self {
        let utc = calendar_time(seconds).unwrap_or_else(|| format!("{seconds} s since 1970"));
        Self {
            seconds,
            utc: utc.replacen('T', " ", 1).replace('Z', " UTC"),
            age: format::ago(now() - seconds),
        }
    }

    /// The timestamp of a block.
    pub(in crate::ui) fn of(block: &Block) -> Self {
        Self::at(block.timestamp.as_f64().unwrap_or_default())
    }

    /// Returns the time in UTC, without fractions of a second.
    pub(in crate::ui) fn utc(&self) -> &str {
        self.utc.split('.').next().unwrap_or_default()
    }
}

/// Returns the current time in seconds since the Unix epoch.
pub(in crate::ui) fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
