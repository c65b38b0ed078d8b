//! The seal rule of an imported chain.

/// The value of `--require-sealed`.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) enum RequireSealed {
    /// From the block after the last open one.
    All,
    /// From this index.
    From(u64),
}

impl std::str::FromStr for RequireSealed {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            Ok(Self::All)
        } else {
            text.parse().map(|from: u64| Self::From(from.max(1)))
        }
    }
}

impl RequireSealed {
    /// Returns the first index that must be sealed, if it is known before the import.
    pub(super) fn index(self) -> Option<u64> {
        match self {
            Self::All => None,
            Self::From(index) => Some(index),
        }
    }
}
