//! Schemas of the parameters of operations, so that programs that read the document know which values
//! are valid.

use serde_json::{Value, json};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use crate::api::operation::ParameterType;
use crate::api::v1::messages::MAX_KEY_BYTES;
use crate::api::v1::search::MAX_QUERY_CHARACTERS;

impl ParameterType {
    /// Returns the type of a variable segment of a path.
    pub(super) fn in_path(name: &str) -> Self {
        match name {
            "block" => Self::Block,
            "id" => Self::Id,
            _ => Self::Text,
        }
    }

    /// Returns `true` if a request must have a parameter of this type.
    pub(super) fn is_required(self) -> bool {
        matches!(
            self,
            Self::Message | Self::Search | Self::RequiredBlock | Self::RequiredIndex
        )
    }

    /// Returns the schema of the parameter.
    pub(super) fn schema(self) -> Object {
        let of = |kind| ObjectBuilder::new().schema_type(SchemaType::Type(kind));
        let (text, number) = (of(Type::String), of(Type::Integer));
        match self {
            Self::Text => text,
            Self::Bool => of(Type::Boolean),
            Self::Message => text.min_length(Some(1)),
            Self::Index | Self::RequiredIndex => {
                number.minimum(Some(0_usize)).maximum(Some(usize::MAX))
            }
            Self::Limit => number.minimum(Some(1_usize)).maximum(Some(1000_usize)),
            Self::Order => text.enum_values(Some(["asc", "desc"])),
            Self::Search => text
                .min_length(Some(1))
                .max_length(Some(MAX_QUERY_CHARACTERS)),
            Self::Block | Self::RequiredBlock => {
                text.pattern(Some("^(tip|[0-9]{1,19}|[0-9a-f]{64})$"))
            }
            Self::Id => text.pattern(Some("^[0-9a-f]{32}$")),
            Self::Key => text
                .pattern(Some("^[!-~]([ -~]*[!-~])?$"))
                .min_length(Some(1))
                .max_length(Some(MAX_KEY_BYTES)),
        }
        .build()
    }

    /// Returns a valid value.
    pub(super) fn example(self, name: &str) -> Value {
        match self {
            Self::Text if name == "address" => json!("192.0.2.1:12345"),
            Self::Text if name == "Last-Event-ID" => json!("0"),
            Self::Text => json!("text"),
            Self::Message | Self::Search => json!("hello"),
            Self::Bool => json!(true),
            Self::Index | Self::RequiredIndex => json!(0),
            Self::Limit => json!(10),
            Self::Order => json!("desc"),
            Self::Block | Self::RequiredBlock => json!("tip"),
            Self::Id => json!("00000000000000000000000000000000"),
            Self::Key => json!("order-17"),
        }
    }
}

/// Returns a valid request body with this schema.
pub(super) fn example_of(schema: &str) -> Option<Value> {
    match schema {
        "NewMessage" => Some(json!({"message": "hello"})),
        "NewNeighbour" => Some(json!({"address": "192.0.2.1:12345"})),
        "Acknowledgement" => Some(json!({"number": 0})),
        "Announcement" => Some(json!({
            "protocol": 1, "address": ":12345", "tip": "0".repeat(64), "length": 1,
            "mempool_seq": 0,
        })),
        _ => None,
    }
}
