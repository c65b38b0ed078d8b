//! A point in time: its age, and its date in UTC. The script adds the local time.

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
        Self {
            seconds,
            utc: utc(seconds),
            age: format::ago(now() - seconds),
        }
    }

    /// The timestamp of a block.
    pub(in crate::ui) fn of(block: &Block) -> Self {
        Self::at(block.timestamp.as_f64().unwrap_or_default())
    }

    /// Returns the date and time in UTC, without fractions of a second.
    pub(in crate::ui) fn absolute(&self) -> AbsoluteTime {
        AbsoluteTime {
            seconds: self.seconds,
            utc: self.utc.clone(),
        }
    }
}

/// A date and time with its zone. The script can show it in the zone of the reader.
#[derive(Debug, Template)]
#[template(path = "parts/absolute.html", config = "src/ui/askama.toml")]
pub(in crate::ui) struct AbsoluteTime {
    seconds: f64,
    utc: String,
}

impl HtmlSafe for AbsoluteTime {}

fn utc(seconds: f64) -> String {
    match calendar_time(seconds) {
        Some(time) => {
            let whole = time.split(['.', 'Z']).next().unwrap_or_default();
            format!("{} UTC", whole.replacen('T', " ", 1))
        }
        None => format!("{seconds} s since 1970-01-01 UTC"),
    }
}

/// Returns the current time in seconds since the Unix epoch.
pub(in crate::ui) fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_times_name_their_zone() {
        for (seconds, text) in [
            (1_700_000_000.5, "2023-11-14 22:13:20 UTC"),
            (1_700_000_000.0, "2023-11-14 22:13:20 UTC"),
            (1e300, "s since 1970-01-01 UTC"),
        ] {
            let html = RelativeTime::at(seconds).absolute().render().unwrap();
            assert!(html.contains(text), "{html}");
        }
    }
}
