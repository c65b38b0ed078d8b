//! Deserialization of structs from JSON objects only.
//!
//! A derived `Deserialize` also accepts an array of the values. That form is undocumented, depends on
//! the order of the fields, and is rejected by other programs. So each struct of a JSON document
//! derives with `#[serde(remote = "Self")]`, which generates inherent functions instead of the trait
//! implementations, and [`read_objects`] or [`objects`] implements the traits with them.

/// Implements `Deserialize` for structs, from objects only.
macro_rules! read_objects {
    ($($name:ident),+ $(,)?) => {$(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Self, D::Error> {
                struct Object;

                impl<'de> serde::de::Visitor<'de> for Object {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        object: A,
                    ) -> Result<$name, A::Error> {
                        // The derived inherent function has precedence over that of the trait.
                        $name::deserialize(serde::de::value::MapAccessDeserializer::new(object))
                    }
                }

                deserializer.deserialize_map(Object)
            }
        }
    )+};
}

/// Implements `Serialize` for structs, and `Deserialize` from objects only.
macro_rules! objects {
    ($($name:ident),+ $(,)?) => {
        $crate::wire::object::read_objects!($($name),+);
        $(
            impl serde::Serialize for $name {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    // The derived inherent function has precedence over that of the trait.
                    Self::serialize(self, serializer)
                }
            }
        )+
    };
}

pub(crate) use {objects, read_objects};

use super::{
    Acknowledgement, AddedLines, Announcement, Block, BlockPage, CheckpointView, DisconnectedBlock,
    DisconnectedBlockContent, DisconnectedPage, ErrorBody, ErrorDetail, Health, MempoolPage,
    MempoolStatus, Message, MessageStatus, MiningStatus, Neighbour, NeighbourEvent, Neighbours,
    NetworkStatus, NewMessage, NewNeighbour, NotableReorg, PendingMessage, Position, PostedMessage,
    Reorg, ReorgPage, SearchHit, SearchPage, SingleBlock, Status, SyncStatus, TipStatus,
};

objects!(
    Acknowledgement,
    AddedLines,
    Announcement,
    Block,
    BlockPage,
    CheckpointView,
    ErrorBody,
    ErrorDetail,
    Health,
    DisconnectedBlock,
    DisconnectedBlockContent,
    DisconnectedPage,
    MempoolPage,
    MempoolStatus,
    Message,
    MessageStatus,
    MiningStatus,
    Neighbour,
    NeighbourEvent,
    Neighbours,
    NetworkStatus,
    NewMessage,
    NewNeighbour,
    NotableReorg,
    PendingMessage,
    Position,
    PostedMessage,
    Reorg,
    ReorgPage,
    SearchHit,
    SearchPage,
    SingleBlock,
    Status,
    SyncStatus,
    TipStatus,
);

#[cfg(test)]
mod tests;
