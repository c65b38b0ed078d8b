//! The seal state of a block.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::wire::Block;

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
