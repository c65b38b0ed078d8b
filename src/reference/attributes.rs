//! The attributes of a block in a file, and their conversion to a [`Block`].
//!
//! The conversion first checks that all five attributes are present and have their types. Then it
//! checks the rules of the chain for values that a [`Block`] cannot represent.

use std::borrow::Cow;
use std::fmt;

use super::error::{FormatViolation, ReadError, quoted, short};
use crate::chain::{Block, BlockHash, Link, Message, MessageId, Proof, Timestamp};

/// A value in a file.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    None,
    Boolean(bool),
    /// An integer as decimal text.
    Integer(Cow<'a, str>),
    Float(f64),
    Text(Cow<'a, str>),
    /// Text that is not Unicode because it contains a lone surrogate.
    LoneSurrogate,
    /// A value of another type, which is described.
    Other(&'static str),
}

/// Describes the value for an error.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(digits) => write!(f, "the number {}", short(digits)),
            Self::Float(value) => match Timestamp::float(*value) {
                Ok(text) => write!(f, "the number {text}"),
                Err(_) => write!(f, "{value}"),
            },
            Self::Text(text) => write!(f, "the text {}", quoted(text)),
            Self::LoneSurrogate => f.write_str("text with a lone surrogate"),
            Self::Other(kind) => f.write_str(kind),
        }
    }
}

/// A value and its offset in the file.
#[derive(Clone, Debug)]
pub(super) struct Located<'a> {
    pub(super) at: u64,
    pub(super) value: Value<'a>,
}

impl Located<'_> {
    fn rejected(&self, name: &str, expected: &str) -> ReadError {
        let reason = format!("the {name} is {}, expected {expected}", self.value);
        ReadError::not_well_formed(self.at, reason)
    }

    fn integer(self, name: &str, expected: &str) -> Result<Proof, ReadError> {
        match self.value {
            Value::Integer(digits) => Proof::try_from(digits.into_owned()).map_err(|_| {
                ReadError::not_well_formed(self.at, format!("the {name} has too many digits"))
            }),
            _ => Err(self.rejected(name, expected)),
        }
    }

    fn proof(self) -> Result<Option<Proof>, ReadError> {
        match self.value {
            Value::None => Ok(None),
            _ => self.integer("proof", "an integer or none").map(Some),
        }
    }

    fn timestamp(self) -> Result<Timestamp, ReadError> {
        let time = match &self.value {
            Value::Float(seconds) => Timestamp::float(*seconds),
            Value::Integer(digits) => digits.parse(),
            _ => return Err(self.rejected("time", "a number")),
        };
        time.map_err(|error| ReadError::not_well_formed(self.at, error.to_string()))
    }
}

/// The attributes of a message.
#[derive(Clone, Debug, Default)]
pub(super) struct MessageAttributes<'a> {
    pub(super) id: Option<Located<'a>>,
    pub(super) text: Option<Located<'a>>,
}

impl MessageAttributes<'_> {
    /// Converts the attributes to a message; `at` is the offset of the object.
    pub(super) fn into_message(self, at: u64) -> Result<Message, ReadError> {
        let id = present(self.id, at, "_id")?;
        let text = present(self.text, at, "_message")?;
        let id = match &id.value {
            Value::Text(digits) => hex_digits(digits).map(MessageId::from_bytes),
            _ => None,
        }
        .ok_or_else(|| id.rejected("id", "32 lower-case hex digits"))?;
        match text.value {
            Value::Text(content) => Message::new(id, content.into_owned())
                .map_err(|error| ReadError::not_well_formed(text.at, error.to_string())),
            _ => Err(text.rejected("message", "text")),
        }
    }
}

/// The attributes of a block, with its message converted.
#[derive(Debug, Default)]
pub(super) struct BlockAttributes<'a> {
    pub(super) index: Option<Located<'a>>,
    pub(super) timestamp: Option<Located<'a>>,
    pub(super) message: Option<Result<Message, ReadError>>,
    pub(super) proof: Option<Located<'a>>,
    pub(super) previous_hash: Option<Located<'a>>,
}

impl BlockAttributes<'_> {
    /// Converts the attributes to a block; `at` is the offset of the object, `position` its position in
    /// the chain.
    pub(super) fn into_block(self, at: u64, position: u64) -> Result<Block, ReadError> {
        let index = present(self.index, at, "_index")?;
        let timestamp = present(self.timestamp, at, "_timestamp")?;
        let message = self.message.ok_or_else(|| missing(at, "_data"))?;
        let proof = present(self.proof, at, "_proof")?;
        let previous = present(self.previous_hash, at, "_previous_hash")?;

        let (index_at, proof_at) = (index.at, proof.at);
        let number = index.integer("index", "an integer")?;
        let timestamp = timestamp.timestamp()?;
        let message = message?;
        let proof = proof.proof()?;

        let index = number.as_str().parse().ok();
        let link = link(proof, proof_at, &previous, position);
        match (index, link) {
            (Some(index), Ok(link)) => Ok(Block {
                index,
                timestamp,
                message,
                link,
            }),
            // A wrong index takes precedence in the order of the rules.
            (Some(index), Err(error)) if index == position => Err(error),
            _ if position == 0 => {
                let violation = FormatViolation::GenesisIndex { found: number };
                Err(ReadError::rule(index_at, violation))
            }
            _ => {
                let violation = FormatViolation::Index {
                    expected: position,
                    found: number,
                };
                Err(ReadError::rule(index_at, violation))
            }
        }
    }
}

fn link(
    proof: Option<Proof>,
    proof_at: u64,
    previous: &Located<'_>,
    position: u64,
) -> Result<Option<Link>, ReadError> {
    let hash = match &previous.value {
        Value::Text(digits) => hex_digits(digits).map(BlockHash::from_bytes),
        _ => None,
    };
    let found = match (&previous.value, proof, hash) {
        (Value::None, None, _) => return Ok(None),
        (_, Some(proof), Some(previous_hash)) => {
            return Ok(Some(Link {
                previous_hash,
                proof,
            }));
        }
        (_, Some(found), None) if position == 0 => {
            return Err(ReadError::rule(
                proof_at,
                FormatViolation::GenesisProof { found },
            ));
        }
        (Value::None, Some(_), _) => {
            return Err(ReadError::rule(
                previous.at,
                FormatViolation::NoPreviousHash,
            ));
        }
        (_, None, Some(_)) if position > 0 => {
            return Err(ReadError::rule(proof_at, FormatViolation::NoProof));
        }
        (Value::Text(text), ..) => quoted(text),
        (value, ..) => value.to_string(),
    };
    let violation = if position == 0 {
        FormatViolation::GenesisPreviousHash { found }
    } else {
        FormatViolation::PreviousHash { found }
    };
    Err(ReadError::rule(previous.at, violation))
}

/// Decodes exactly 2 × `N` lower-case hex digits. Written by hand because every block has 96 of them.
fn hex_digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut invalid = 0;
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (
            HEX_VALUES[usize::from(*high)],
            HEX_VALUES[usize::from(*low)],
        );
        invalid |= high | low;
        *byte = high << 4 | low & 15;
    }
    (invalid < 16).then_some(bytes)
}

/// Values of the hex digits; 255 for other bytes.
const HEX_VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    values
};

fn present<'a>(held: Option<Located<'a>>, at: u64, name: &str) -> Result<Located<'a>, ReadError> {
    held.ok_or_else(|| missing(at, name))
}

fn missing(at: u64, name: &str) -> ReadError {
    ReadError::not_well_formed(at, format!("the attribute `{name}` is missing"))
}

#[cfg(test)]
mod tests;
