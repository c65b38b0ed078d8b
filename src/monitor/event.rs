//! The events that a monitor tells: one JSON object a line, or one line of text.

use std::fmt;

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};

use crate::text::escape;

/// Kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The monitor started.
    Start,
    /// The settled checkpoint moved.
    Advance,
    /// A node switched to another branch above the settled checkpoint.
    Reorg,
    /// A node is at an older block of the chain.
    Behind,
    /// An alarm is over.
    Recovered,
    /// A person accepted another branch.
    Accepted,
    /// A node has another history than the kept one.
    Rewrite,
    /// Two nodes have different histories.
    Split,
    /// A node contradicts itself or the rules.
    Contradiction,
    /// Pending messages are not mined, or a node stays behind.
    Stall,
    /// A node does not answer.
    Unreachable,
    /// A node belongs to another network.
    OtherNetwork,
}

impl Kind {
    /// Returns `true` if somebody must look.
    pub fn is_alarm(self) -> bool {
        self.is_about_history()
            || matches!(self, Self::Stall | Self::Unreachable | Self::OtherNetwork)
    }

    /// Returns `true` for the alarms that keep the settled checkpoint where it is.
    pub fn is_about_history(self) -> bool {
        matches!(self, Self::Rewrite | Self::Split | Self::Contradiction)
    }

    /// Returns `true` if `--exec` is told.
    pub fn is_for_command(self) -> bool {
        self.is_alarm() || matches!(self, Self::Reorg | Self::Recovered)
    }

    /// Returns the name in JSON and of evidence folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Advance => "advance",
            Self::Reorg => "reorg",
            Self::Behind => "behind",
            Self::Recovered => "recovered",
            Self::Accepted => "accepted",
            Self::Rewrite => "rewrite",
            Self::Split => "split",
            Self::Contradiction => "contradiction",
            Self::Stall => "stall",
            Self::Unreachable => "unreachable",
            Self::OtherNetwork => "other_network",
        }
    }
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Time by RFC 3339.
    pub time: String,
    /// Kind of the event.
    pub kind: Kind,
    /// `true` if somebody must look.
    pub alarm: bool,
    /// Address of the node.
    pub node: String,
    /// The event in words.
    pub message: String,
    /// Further fields of the kind.
    #[serde(flatten)]
    pub details: Details,
}

/// The keys that only some kinds have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Details {
    /// No more keys.
    None {},
    /// Of `start`, `advance` and `accepted`.
    Settled {
        /// The settled checkpoint.
        settled: String,
        /// Number of new blocks that were not fetched.
        #[serde(skip_serializing_if = "is_zero")]
        gap: u64,
    },
    /// Of `reorg`.
    Reorg {
        /// Index of the last common block.
        fork: u64,
        /// Number of disconnected blocks.
        disconnected: u64,
        /// Number of connected blocks.
        connected: u64,
    },
    /// Of `rewrite` and `split`.
    Branches {
        /// The kept checkpoint.
        settled: String,
        /// Checkpoint of the node at the same index.
        offered: Option<String>,
        /// Index of the last common block, if known.
        fork: Option<u64>,
        /// Number of blocks of the old branch that are known.
        disconnected: u64,
        /// Number of blocks of the new branch.
        connected: u64,
        /// A node that has the kept history.
        #[serde(skip_serializing_if = "Option::is_none")]
        other: Option<String>,
        /// Folder with both branches.
        evidence: Option<String>,
    },
    /// Of `contradiction`.
    Evidence {
        /// Folder with the response.
        evidence: Option<String>,
    },
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Event {
    /// Creates an event without more keys.
    pub fn new(kind: Kind, node: &str, now: u64, message: String) -> Self {
        Self {
            time: rfc3339(now),
            kind,
            alarm: kind.is_alarm(),
            node: node.to_owned(),
            message,
            details: Details::None {},
        }
    }

    /// Adds keys.
    #[must_use]
    pub fn with(self, details: Details) -> Self {
        Self { details, ..self }
    }

    /// Returns the object on one line, without a line end.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Returns the evidence folder.
    pub fn evidence(&self) -> Option<&str> {
        match &self.details {
            Details::Branches { evidence, .. } | Details::Evidence { evidence } => {
                evidence.as_deref()
            }
            _ => None,
        }
    }
}

/// The line for people, without control characters.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { time, kind, .. } = self;
        let (node, message) = (escape(&self.node), escape(&self.message));
        write!(f, "{time}  {}  {node}  {message}", kind.name())?;
        match self.evidence() {
            Some(path) => write!(f, "; evidence in {}", escape(path)),
            None => Ok(()),
        }
    }
}

/// Formats seconds since the epoch by RFC 3339 in UTC.
pub fn rfc3339(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok();
    let time = time.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Parses a time that [`rfc3339`] wrote.
pub fn parse_time(text: &str) -> Option<u64> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    u64::try_from(time.timestamp()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_of_json_and_one_of_text() {
        let event = Event::new(
            Kind::Rewrite,
            "a:1",
            1_700_000_000,
            "\u{1b}[2J\nx".to_owned(),
        );
        let event = event.with(Details::Branches {
            settled: "line".to_owned(),
            offered: None,
            fork: Some(7),
            disconnected: 2,
            connected: 3,
            other: None,
            evidence: Some("/e".to_owned()),
        });
        assert_eq!(
            event.line(),
            "{\"time\":\"2023-11-14T22:13:20Z\",\"kind\":\"rewrite\",\"alarm\":true,\
             \"node\":\"a:1\",\"message\":\"\\u001b[2J\\nx\",\"settled\":\"line\",\
             \"offered\":null,\"fork\":7,\"disconnected\":2,\"connected\":3,\"evidence\":\"/e\"}"
        );
        let text = event.to_string();
        assert!(!text.contains('\n') && !text.contains('\u{1b}'), "{text}");
        assert!(text.ends_with("; evidence in /e"), "{text}");
        let event = Event::new(Kind::Reorg, "a:1", 0, String::new());
        assert!(
            event.line().ends_with("\"message\":\"\"}"),
            "{}",
            event.line()
        );
        assert_eq!(parse_time(&event.time), Some(0));
    }
}
