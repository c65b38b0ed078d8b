//! The invite code of a network: one word that names its nodes, and the network that they share.
//!
//! ```text
//! ADDRESS[+ADDRESS…]/GENESIS[/dN][/sM]
//! ```
//!
//! * `ADDRESS`: `HOST:PORT`, without the port if it is [`DEFAULT_PORT`]
//! * `GENESIS`: 8 to 64 hex digits, the beginning of the hash of the genesis block
//! * `dN`: the difficulty
//! * `sM`: the first index that must be sealed; `so` if open proofs are accepted
//!
//! A code has only characters that no shell interprets, and means the same in upper case, which
//! makes a smaller QR code. An address alone is a code that leaves everything else to the node
//! there. Codes come from strangers: their length is bounded, and errors quote little of them.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::NodeAddress;
use super::address::{DEFAULT_PORT, InvalidAddress};
use crate::chain::BlockHash;
use crate::pow::Difficulty;
use crate::wire::Status;

/// Maximum number of addresses in a code.
pub const MAX_ADDRESSES: usize = 16;

/// Maximum length of a code in bytes.
pub const MAX_BYTES: usize = 1024;

/// Minimum number of hex digits of the genesis hash in a code.
pub const MIN_GENESIS_DIGITS: usize = 8;

/// Number of hex digits of the genesis hash that nobody can match with another block.
pub const SAFE_GENESIS_DIGITS: usize = 32;

/// Maximum number of characters of a code that an error quotes.
const MAX_QUOTED: usize = 40;

/// An invite code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteCode {
    addresses: Vec<NodeAddress>,
    genesis: Option<GenesisPrefix>,
    difficulty: Option<Difficulty>,
    seal_rule: Option<SealRule>,
}

/// The first hex digits of the hash of a genesis block, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenesisPrefix(String);

/// The seal rule of a network, as codes spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealRule {
    /// Open proofs are accepted everywhere.
    Open,
    /// Every block from this index on must be sealed.
    From(u64),
}

/// Error of an invite code.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidCode {
    /// The code is empty.
    #[error("the code is empty")]
    Empty,
    /// The code is too long.
    #[error("the code has {0} bytes, more than the {MAX_BYTES} allowed")]
    TooLong(usize),
    /// A character does not occur in codes.
    #[error("a code has no {0:?}; it consists of letters, digits and . : / + - [ ]")]
    Character(char),
    /// An address is invalid.
    #[error("the code has an invalid address: {0}")]
    Address(#[from] InvalidAddress),
    /// An address has characters that codes cannot hold.
    #[error(
        "{0} cannot be part of a code, whose host names have letters, digits, dots and hyphens"
    )]
    Host(NodeAddress),
    /// There are too many addresses.
    #[error("the code has {0} addresses, more than the {MAX_ADDRESSES} allowed")]
    TooManyAddresses(usize),
    /// The second part is not the beginning of a hash.
    #[error(
        "{0:?} is not the beginning of a genesis hash, which has {MIN_GENESIS_DIGITS} to 64 hex \
         digits"
    )]
    Genesis(String),
    /// A further part is neither a difficulty nor a seal rule.
    #[error("{0:?} is neither a difficulty (d1 to d64) nor a seal rule (s1, s2, … or so)")]
    Part(String),
    /// A part occurs twice.
    #[error("the code has two parts that begin with {0:?}")]
    Twice(char),
}

impl InviteCode {
    /// Creates the complete code of a network with the first `digits` digits of its genesis hash.
    ///
    /// # Errors
    /// [`InvalidCode`] if there is no address, one is not for codes, or the code is too long.
    pub fn new(
        addresses: Vec<NodeAddress>,
        genesis: &BlockHash,
        digits: usize,
        difficulty: Difficulty,
        sealed_from: Option<u64>,
    ) -> Result<Self, InvalidCode> {
        let code = Self {
            addresses: distinct(addresses),
            genesis: Some(GenesisPrefix::of(genesis, digits)),
            difficulty: Some(difficulty),
            seal_rule: Some(SealRule::of(sealed_from)),
        };
        code.check()?;
        Ok(code)
    }

    /// Returns the code of the network of a node that other machines reach.
    pub fn of(status: &Status) -> Option<Self> {
        let addresses = status.addresses.iter().take(MAX_ADDRESSES);
        let addresses = addresses.filter_map(|address| address.parse().ok());
        Self::new(
            addresses.filter(is_for_codes).collect(),
            &status.genesis.parse().ok()?,
            SAFE_GENESIS_DIGITS,
            Difficulty::new(status.difficulty).ok()?,
            status.sealed_from,
        )
        .ok()
    }

    /// Returns the addresses, at least one.
    pub fn addresses(&self) -> &[NodeAddress] {
        &self.addresses
    }

    /// Returns the beginning of the genesis hash, if the code has one.
    pub fn genesis(&self) -> Option<&GenesisPrefix> {
        self.genesis.as_ref()
    }

    /// Returns the difficulty, if the code has one.
    pub fn difficulty(&self) -> Option<Difficulty> {
        self.difficulty
    }

    /// Returns the seal rule, if the code has one.
    pub fn seal_rule(&self) -> Option<SealRule> {
        self.seal_rule
    }

    /// Returns `true` if the code says everything about the network.
    pub fn is_complete(&self) -> bool {
        self.genesis.is_some() && self.difficulty.is_some() && self.seal_rule.is_some()
    }

    fn check(&self) -> Result<(), InvalidCode> {
        if self.addresses.is_empty() {
            return Err(InvalidCode::Empty);
        }
        if self.addresses.len() > MAX_ADDRESSES {
            return Err(InvalidCode::TooManyAddresses(self.addresses.len()));
        }
        if let Some(address) = self.addresses.iter().find(|address| !is_for_codes(address)) {
            return Err(InvalidCode::Host(address.clone()));
        }
        match self.to_string().len() {
            length if length > MAX_BYTES => Err(InvalidCode::TooLong(length)),
            _ => Ok(()),
        }
    }
}

/// Returns `true` if a code can hold the address.
pub fn is_for_codes(address: &NodeAddress) -> bool {
    address.host().chars().all(is_allowed)
}

fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || ".:/+-[]".contains(character)
}

fn distinct(addresses: Vec<NodeAddress>) -> Vec<NodeAddress> {
    let mut distinct = Vec::new();
    for address in addresses {
        if !distinct.contains(&address) {
            distinct.push(address);
        }
    }
    distinct
}

impl GenesisPrefix {
    /// Returns the first `digits` digits of a hash, at least [`MIN_GENESIS_DIGITS`].
    pub fn of(hash: &BlockHash, digits: usize) -> Self {
        let mut text = hash.to_string();
        text.truncate(digits.max(MIN_GENESIS_DIGITS));
        Self(text)
    }

    /// Returns `true` if the hash begins with these digits.
    pub fn matches(&self, hash: &BlockHash) -> bool {
        hash.to_string().starts_with(&self.0)
    }

    /// Returns the warning about a prefix that somebody could match with another genesis block.
    pub fn weakness(&self) -> Option<String> {
        let digits = self.0.len();
        (digits < SAFE_GENESIS_DIGITS).then(|| {
            format!(
                "the code has {digits} digits of the genesis hash. That is short: good in a \
                 classroom, not against somebody who can compute 2^{} hashes",
                4 * digits
            )
        })
    }
}

impl fmt::Display for GenesisPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SealRule {
    /// Returns the rule of a network that requires seals from this index on, if from any.
    pub fn of(sealed_from: Option<u64>) -> Self {
        sealed_from.map_or(Self::Open, Self::From)
    }

    /// Returns the first index that must be sealed, if any.
    pub fn sealed_from(self) -> Option<u64> {
        match self {
            Self::Open => None,
            Self::From(index) => Some(index),
        }
    }
}

/// Describes the rule, for messages.
impl fmt::Display for SealRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open proofs accepted"),
            Self::From(index) => write!(f, "sealed from block {index}"),
        }
    }
}

impl fmt::Display for InviteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, address) in self.addresses.iter().enumerate() {
            f.write_str(if position == 0 { "" } else { "+" })?;
            if address.port() == DEFAULT_PORT {
                f.write_str(address.host())?;
            } else {
                address.fmt(f)?;
            }
        }
        if let Some(genesis) = &self.genesis {
            write!(f, "/{genesis}")?;
        }
        if let Some(difficulty) = self.difficulty {
            write!(f, "/d{difficulty}")?;
        }
        match self.seal_rule {
            None => Ok(()),
            Some(SealRule::Open) => f.write_str("/so"),
            Some(SealRule::From(index)) => write!(f, "/s{index}"),
        }
    }
}

/// Parses a code in any case, or an address alone, which may be an `http` URL.
impl FromStr for InviteCode {
    type Err = InvalidCode;

    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        let text = text.trim();
        if text.len() > MAX_BYTES {
            return Err(InvalidCode::TooLong(text.len()));
        }
        if let Some(other) = text.chars().find(|character| !is_allowed(*character)) {
            return Err(InvalidCode::Character(other));
        }
        let text = text.to_ascii_lowercase();
        let text = text.strip_prefix("http://").unwrap_or(&text);
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(InvalidAddress::Scheme(quoted(scheme)).into());
        }
        let mut parts = text.strip_suffix('/').unwrap_or(text).split('/');
        let addresses = parts.next().unwrap_or_default();
        if addresses.is_empty() {
            return Err(InvalidCode::Empty);
        }
        let addresses: Result<Vec<NodeAddress>, _> =
            addresses.split('+').map(NodeAddress::from_str).collect();
        let genesis = parts.next().map(genesis).transpose()?;
        let (mut difficulty, mut seal_rule) = (None, None);
        for part in parts {
            let invalid = || InvalidCode::Part(quoted(part));
            let has_two = match part.split_at_checked(1) {
                Some(("d", value)) => {
                    let value = number(value).and_then(|number| u8::try_from(number).ok());
                    let value = value.and_then(|value| Difficulty::new(value).ok());
                    difficulty.replace(value.ok_or_else(invalid)?).is_some()
                }
                Some(("s", "o")) => seal_rule.replace(SealRule::Open).is_some(),
                Some(("s", value)) => {
                    let from = number(value).ok_or_else(invalid)?;
                    seal_rule.replace(SealRule::From(from)).is_some()
                }
                _ => return Err(invalid()),
            };
            if has_two {
                return Err(InvalidCode::Twice(part.chars().next().unwrap_or_default()));
            }
        }
        let code = Self {
            addresses: distinct(addresses?),
            genesis,
            difficulty,
            seal_rule,
        };
        code.check()?;
        Ok(code)
    }
}

fn genesis(text: &str) -> Result<GenesisPrefix, InvalidCode> {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex && (MIN_GENESIS_DIGITS..=64).contains(&text.len()) {
        Ok(GenesisPrefix(text.to_owned()))
    } else {
        Err(InvalidCode::Genesis(quoted(text)))
    }
}

/// Parses a number without a sign.
fn number(text: &str) -> Option<u64> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal.then(|| text.parse().ok())?
}

/// Returns the beginning of a part of a code for an error. A code has only plain characters.
fn quoted(text: &str) -> String {
    match text.get(..MAX_QUOTED) {
        Some(begin) if text.len() > MAX_QUOTED => format!("{begin}…"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
