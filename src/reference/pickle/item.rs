//! The values on the stack while a pickle is read.

use std::sync::Arc;

use super::memo::Numbered;
use super::{BLOCK, DATA};
use crate::chain::Message;
use crate::reference::ReadError;
use crate::reference::attributes::{BlockAttributes, Located, MessageAttributes, Value};
use crate::reference::recent::Recent;

/// The classes and functions that a pickle may name. None of them is ever called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Block,
    Data,
    /// Python's `object`.
    Object,
    /// The function that creates objects in protocols 0 and 1.
    Reconstructor,
}

impl Class {
    pub(super) fn named(module: &str, name: &str) -> Option<Self> {
        match (module, name) {
            BLOCK => Some(Self::Block),
            DATA => Some(Self::Data),
            ("__builtin__" | "builtins", "object") => Some(Self::Object),
            ("copy_reg" | "copyreg", "_reconstructor") => Some(Self::Reconstructor),
            _ => None,
        }
    }
}

/// A value on the stack.
#[derive(Debug)]
pub(super) enum Item {
    /// A value that the memo can contain.
    Shared(Shared),
    /// An object without its attributes, and the number of the object.
    Fresh(Class, u64),
    /// A message and the number of its object.
    Message(u64, Box<Message>),
    /// A block that the reader has returned and that is yet to be appended to the list.
    Emitted,
    /// The attributes of an object. The items of other dictionaries are dropped.
    Dict(Box<Attributes>),
    /// The chain or another list. Its items are dropped.
    List,
}

/// A value that is cheap to copy.
#[derive(Clone, Debug)]
pub(super) enum Shared {
    None,
    Boolean(bool),
    Integer(i64),
    /// An integer as decimal text.
    Huge(Arc<str>),
    Float(f64),
    Text(Arc<str>),
    LoneSurrogate,
    Class(Class),
    EmptyTuple,
    /// The arguments of the reconstructor for an object of this class.
    Arguments(Class),
    /// A reference to an earlier object by its number.
    Reference(Class, u64),
    Other(&'static str),
}

impl Numbered for Shared {
    fn weight(&self) -> usize {
        match self {
            Self::Huge(text) | Self::Text(text) => text.len(),
            _ => 0,
        }
    }

    fn is_shared(&self) -> bool {
        match self {
            Self::Text(text) => text.chars().nth(1).is_none(),
            Self::Class(_) => true,
            _ => false,
        }
    }
}

impl Item {
    /// Returns the value that the memo keeps for this item.
    pub(super) fn to_shared(&self) -> Shared {
        match self {
            Self::Shared(shared) => shared.clone(),
            Self::Fresh(class, number) => Shared::Reference(*class, *number),
            Self::Message(number, _) => Shared::Reference(Class::Data, *number),
            Self::Emitted => Shared::Reference(Class::Block, 0),
            Self::Dict(_) => Shared::Other("a dictionary"),
            Self::List => Shared::Other("a list"),
        }
    }

    /// Describes the item for an error.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Shared(shared) => shared.clone().into_value().to_string(),
            other => other.to_shared().into_value().to_string(),
        }
    }
}

impl Shared {
    fn into_value(self) -> Value<'static> {
        match self {
            Self::None => Value::None,
            Self::Boolean(value) => Value::Boolean(value),
            Self::Integer(value) => Value::Integer(value.to_string().into()),
            Self::Huge(digits) => Value::Integer(digits.to_string().into()),
            Self::Float(value) => Value::Float(value),
            Self::Text(text) => Value::Text(text.to_string().into()),
            Self::LoneSurrogate => Value::LoneSurrogate,
            Self::Class(_) => Value::Other("a class"),
            Self::EmptyTuple | Self::Arguments(_) => Value::Other("a tuple"),
            Self::Reference(Class::Data, _) => Value::Other("a message"),
            Self::Reference(..) => Value::Other("a block"),
            Self::Other(kind) => Value::Other(kind),
        }
    }
}

/// The attributes of a block or of a message.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    block: BlockAttributes<'static>,
    message: MessageAttributes<'static>,
}

impl Attributes {
    /// Sets an attribute. Unknown attributes are ignored.
    pub(super) fn set(&mut self, name: &str, item: Item, at: u64, recent: &Recent) {
        let (block, message) = (&mut self.block, &mut self.message);
        let slot = match name {
            "_index" => &mut block.index,
            "_timestamp" => &mut block.timestamp,
            "_proof" => &mut block.proof,
            "_previous_hash" => &mut block.previous_hash,
            "_id" => &mut message.id,
            "_message" => &mut message.text,
            "_data" => {
                block.message = Some(data(item, at, recent));
                return;
            }
            _ => return,
        };
        let value = item.to_shared().into_value();
        *slot = Some(Located { at, value });
    }

    pub(super) fn into_block(self) -> BlockAttributes<'static> {
        self.block
    }

    pub(super) fn into_message(self) -> MessageAttributes<'static> {
        self.message
    }
}

fn data(item: Item, at: u64, recent: &Recent) -> Result<Message, ReadError> {
    match item {
        Item::Message(_, message) => Ok(*message),
        Item::Shared(Shared::Reference(Class::Data, number)) => {
            recent.get(number).cloned().ok_or_else(|| {
                ReadError::not_readable(at, "the data is not one of the most recent messages")
            })
        }
        other => {
            let reason = format!("the data is {}, expected a message", other.describe());
            Err(ReadError::not_well_formed(at, reason))
        }
    }
}
