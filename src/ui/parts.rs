//! What several pages show: small templates that a page embeds.
//!
//! * [`text`]: a message, safe and with everything hidden in it made visible
//! * [`hash`]: a hash with its ribbon of colours
//! * [`card`]: a block in a chain or list
//! * this file: times and seals

pub(super) mod card;
pub(super) mod hash;
pub(super) mod text;

use std::time::{SystemTime, UNIX_EPOCH};

use askama::Template;
use askama::filters::HtmlSafe;

pub(super) use card::Card;
pub(super) use hash::Hash;
pub(super) use text::{Line, Text};

use super::format;
use crate::wire::{Block, calendar_time};

/// A moment: how long ago, and in UTC.
#[derive(Debug, Template)]
#[template(path = "parts/when.html", config = "src/ui/askama.toml")]
pub(super) struct When {
    seconds: f64,
    utc: String,
    ago: String,
}

impl HtmlSafe for When {}

impl When {
    /// A moment in seconds since the epoch.
    pub(super) fn at(seconds: f64) -> Self {
        let utc = calendar_time(seconds).unwrap_or_else(|| format!("{seconds} s since 1970"));
        Self {
            seconds,
            utc: utc.replacen('T', " ", 1).replace('Z', " UTC"),
            ago: format::ago(now() - seconds),
        }
    }

    /// When a block was made, as it says.
    pub(super) fn of(block: &Block) -> Self {
        Self::at(block.timestamp.as_f64().unwrap_or_default())
    }

    /// The moment in UTC.
    pub(super) fn utc(&self) -> &str {
        // Microseconds help nobody here.
        self.utc.split('.').next().unwrap_or_default()
    }
}

/// The time by the local clock.
pub(super) fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

/// What the proof of a block binds, as a badge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Template)]
#[template(path = "parts/seal.html", config = "src/ui/askama.toml")]
pub(super) enum Seal {
    Genesis,
    Sealed,
    Open,
    Broken,
}

impl HtmlSafe for Seal {}

impl Seal {
    pub(super) fn of(block: &Block) -> Self {
        match block.seal.as_deref() {
            None => Self::Genesis,
            Some("sealed") => Self::Sealed,
            Some("open") => Self::Open,
            Some(_) => Self::Broken,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::Sealed => "sealed",
            Self::Open => "open",
            Self::Broken => "broken",
        }
    }

    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Genesis => "The first block: it has no block before it and needs no proof.",
            Self::Sealed => "The proof starts with a commitment to this very content.",
            Self::Open => "The proof solves the puzzle but binds nothing of the content.",
            Self::Broken => "The proof was made for another content than this.",
        }
    }
}
