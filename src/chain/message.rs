//! A message, the content of a block: a short text with a random id.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use thiserror::Error;

/// Maximum length of a message text, in bytes of UTF-8.
pub const MAX_TEXT_BYTES: usize = 256 * 1024;

/// An id and a text. Two messages are equal if both parts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    id: MessageId,
    text: String,
}

impl Message {
    /// Creates a message.
    ///
    /// # Errors
    /// [`TextTooLong`] if the text has more than [`MAX_TEXT_BYTES`].
    pub fn new(id: MessageId, text: String) -> Result<Self, TextTooLong> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(TextTooLong { found: text.len() });
        }
        Ok(Self { id, text })
    }

    /// Creates a message whose id follows from its text, so that repeated additions of the text are
    /// one message: the first 16 bytes of SHA-256 over `blockchain/id/once/1`, LF and the text.
    ///
    /// # Errors
    /// [`TextTooLong`] if the text has more than [`MAX_TEXT_BYTES`].
    pub fn once(text: String) -> Result<Self, TextTooLong> {
        let digest = Sha256::new()
            .chain_update(b"blockchain/id/once/1\n")
            .chain_update(text.as_bytes());
        Self::new(MessageId::from_digest(digest), text)
    }

    /// Returns the id of the message.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// Returns the text exactly as it was given, neither trimmed nor normalised.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the message with a new id, for the case that another message has the same id. The new
    /// id is the same on every node: the first 16 bytes of SHA-256 over `blockchain/id/1`, LF, the
    /// old id and the text.
    #[must_use]
    pub fn renamed(&self) -> Self {
        let digest = Sha256::new()
            .chain_update(b"blockchain/id/1\n")
            .chain_update(self.id.as_bytes())
            .chain_update(self.text.as_bytes());
        Self {
            id: MessageId::from_digest(digest),
            text: self.text.clone(),
        }
    }
}

/// Error for a message text of more than [`MAX_TEXT_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the message has {found} bytes, more than the {MAX_TEXT_BYTES} a block may contain")]
pub struct TextTooLong {
    /// Length of the text in bytes.
    pub found: usize,
}

/// Id of a message: 16 bytes, written as 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; 16]);

impl MessageId {
    /// Generates a random id: a version-4 UUID, like those of the reference miner.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().into_bytes())
    }

    /// Creates an id from the first 16 bytes of a digest.
    fn from_digest(digest: Sha256) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&digest.finalize()[..16]);
        Self(id)
    }

    /// Creates an id from its raw bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 32];
        hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
        f.pad(str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MessageId {
    type Err = InvalidMessageId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; 16];
        // `hex` accepts upper case, too, but ids are lower case.
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(InvalidMessageId);
        }
        hex::decode_to_slice(text, &mut id).map_err(|_| InvalidMessageId)?;
        Ok(Self(id))
    }
}

/// Error for a text that is not a message id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a message id is 32 lower-case hex digits")]
pub struct InvalidMessageId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_exactly_32_lower_case_hex_digits() {
        let text = "324dc066e690437fa68e8afc810e9617";
        assert_eq!(text.parse::<MessageId>().unwrap().to_string(), text);
        for wrong in [
            "",
            "324d",
            &text.to_uppercase(),
            &format!("{text}0"),
            &text.replace('3', "g"),
        ] {
            assert_eq!(wrong.parse::<MessageId>(), Err(InvalidMessageId), "{wrong}");
        }
    }

    #[test]
    fn a_text_has_at_most_the_maximum_length() {
        let id = MessageId::from_bytes([7; 16]);
        assert!(Message::new(id, "x".repeat(MAX_TEXT_BYTES)).is_ok());
        let found = MAX_TEXT_BYTES + 1;
        assert_eq!(
            Message::new(id, "x".repeat(found)),
            Err(TextTooLong { found })
        );
    }

    #[test]
    fn a_derived_id_depends_on_id_and_text() {
        let message = Message::new(MessageId::from_bytes([0; 16]), "a".to_owned()).unwrap();
        // Computed with Python's hashlib from the definition above.
        assert_eq!(
            message.renamed().id().to_string(),
            "adae3f0fb888743827e13f95ec2fee78"
        );
        assert_ne!(message.renamed().renamed().id(), message.renamed().id());
        assert_eq!(message.renamed().text(), "a");
    }
}
