//! Names of blocks and messages in arguments. A malformed name is wrong usage, found before any node
//! is asked; a well-formed name of nothing that exists is a negative answer.

use std::str::FromStr;

use crate::chain::MessageId;
use crate::wire::Lookup;
use crate::wire::lookup::MIN_HASH_DIGITS;

/// A block or a message.
#[derive(Clone, Debug)]
pub(super) enum Name {
    Message(MessageId),
    Block(String),
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(id) = message_id(text) {
            return Ok(Self::Message(id));
        }
        let name = block(text).map(Self::Block);
        name.map_err(|expected| format!("{expected}, or the ID of a message"))
    }
}

/// Parses the name of a block. Returns it as a segment of an API path.
pub(super) fn block(text: &str) -> Result<String, String> {
    let name = Lookup::block_name(text);
    let found = Lookup::parse(&name);
    if name == "tip" || found.index.is_some() || found.hashes.is_some() {
        return Ok(name);
    }
    Err(format!(
        "expected an index, a hash, the start of a hash (at least {MIN_HASH_DIGITS} digits) or `tip`"
    ))
}

/// Parses the ID of a message.
pub(super) fn message_id(text: &str) -> Result<MessageId, String> {
    let expected = || "expected 32 hex digits".to_owned();
    Lookup::parse(text).id.ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_an_index_a_hash_an_id_or_the_tip() {
        for (text, name) in [
            ("7", "7"),
            (" #1,434 ", "1434"),
            ("99999999999", "99999999999"),
            ("tip", "tip"),
            ("C0F0DE", "C0F0DE"),
            ("c0f0de3647e3…", "c0f0de3647e3"),
        ] {
            assert_eq!(block(text).as_deref(), Ok(name));
        }
        for text in [
            "",
            " ",
            "zz",
            "c0f0d",
            "tipp",
            "../status",
            "a?b",
            "-1",
            "1 2",
            "é",
        ] {
            assert!(
                block(text).is_err() && text.parse::<Name>().is_err(),
                "{text}"
            );
        }
        let id = "5234180697424A318CA26E708D95E5CF";
        assert_eq!(message_id(id).unwrap().to_string(), id.to_ascii_lowercase());
        assert!(matches!(id.parse(), Ok(Name::Message(_))));
        assert!(message_id("5234180697424a318ca26e708d95e5c").is_err());
    }
}
