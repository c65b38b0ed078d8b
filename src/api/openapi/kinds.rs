//! What the parameters of operations may be, so that programs that read the document know what is
//! refused.

use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use crate::api::v1::messages::KEY_BYTES;
use crate::api::v1::search::QUERY_CHARACTERS;

/// What a parameter may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Any text.
    Text,
    /// A text that is not empty.
    Message,
    /// A whole number from 0 on.
    Index,
    /// How many of a page.
    Limit,
    /// The direction of a page.
    Order,
    /// What is looked for.
    Search,
    /// Names a block.
    Block,
    /// The id of a message.
    Id,
    /// The key under which a message is added once.
    Key,
}

impl Kind {
    /// What the variable part of a path is.
    pub(super) fn in_path(name: &str) -> Self {
        match name {
            "block" => Self::Block,
            "id" => Self::Id,
            _ => Self::Text,
        }
    }

    /// Whether a request must have such a parameter.
    pub(super) fn is_required(self) -> bool {
        matches!(self, Self::Message | Self::Search)
    }

    /// The schema of the parameter.
    pub(super) fn schema(self) -> Object {
        let of = |kind| ObjectBuilder::new().schema_type(SchemaType::Type(kind));
        let (text, number) = (of(Type::String), of(Type::Integer));
        match self {
            Self::Text => text,
            Self::Message => text.min_length(Some(1)),
            Self::Index => number.minimum(Some(0_usize)).maximum(Some(usize::MAX)),
            Self::Limit => number.minimum(Some(1_usize)).maximum(Some(1000_usize)),
            Self::Order => text.enum_values(Some(["asc", "desc"])),
            Self::Search => text.min_length(Some(1)).max_length(Some(QUERY_CHARACTERS)),
            Self::Block => text.pattern(Some("^(tip|[0-9]{1,19}|[0-9a-f]{64})$")),
            Self::Id => text.pattern(Some("^[0-9a-f]{32}$")),
            Self::Key => text
                .pattern(Some("^[!-~]([ -~]*[!-~])?$"))
                .min_length(Some(1))
                .max_length(Some(KEY_BYTES)),
        }
        .build()
    }
}
