//! The seal state of a block.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::wire::{Block, Status};

/// The seal state of a block, as a badge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Template)]
#[template(path = "parts/seal.html", config = "src/ui/askama.toml")]
pub(in crate::ui) enum SealBadge {
    Genesis,
    Sealed,
    Open,
    Broken,
}

impl HtmlSafe for SealBadge {}

impl SealBadge {
    pub(in crate::ui) fn of(block: &Block) -> Self {
        match block.seal.as_deref() {
            None => Self::Genesis,
            Some("sealed") => Self::Sealed,
            Some("open") => Self::Open,
            Some(_) => Self::Broken,
        }
    }

    /// Returns the seal state of most blocks of a chain.
    pub(in crate::ui) fn usual(status: &Status) -> Self {
        // The genesis block is neither sealed nor open.
        let is_mostly_sealed = status.sealed * 2 >= status.length.saturating_sub(1);
        if status.sealed_from.is_some() || is_mostly_sealed {
            Self::Sealed
        } else {
            Self::Open
        }
    }

    /// Returns the seal state of a block if it is not the usual one.
    pub(in crate::ui) fn unusual(block: &Block, usual: Self) -> Option<Self> {
        Some(Self::of(block)).filter(|seal| *seal != usual)
    }

    pub(in crate::ui) fn name(self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::Sealed => "sealed",
            Self::Open => "open",
            Self::Broken => "broken",
        }
    }

    pub(in crate::ui) fn meaning(self) -> &'static str {
        match self {
            Self::Genesis => "The first block has no previous block and needs no proof.",
            Self::Sealed => "The proof starts with a commitment to the content of this block.",
            Self::Open => "The proof solves the puzzle but does not commit to the content.",
            Self::Broken => "The proof commits to different content.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;

    #[test]
    fn only_the_unusual_seal_state_of_a_chain_has_a_badge() {
        let mut status = samples::status();
        let open = samples::block(1, "");
        let unusual = |status: &Status| SealBadge::unusual(&open, SealBadge::usual(status));
        assert_eq!(unusual(&status), Some(SealBadge::Open));
        (status.sealed_from, status.sealed, status.length) = (None, 1, 9);
        assert_eq!(unusual(&status), None);
        status.sealed = 4;
        assert_eq!(unusual(&status), Some(SealBadge::Open));
    }
}
