//! What stands on the stack while a pickle is read.

use std::sync::Arc;

use super::memo::Numbered;
use super::{BLOCK, DATA};
use crate::chain::Message;
use crate::reference::ReadError;
use crate::reference::attributes::{BlockAttributes, Held, MessageAttributes, Value};
use crate::reference::recent::Recent;

/// The names a pickle may use. None of them is ever called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Block,
    Data,
    /// Python's `object`, and the function that protocols 0 and 1 make objects with.
    Object,
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

/// One thing on the stack.
#[derive(Debug)]
pub(super) enum Item {
    /// A value that is shared with the memo.
    Shared(Shared),
    /// An object without its attributes, and its number among the objects.
    Fresh(Class, u64),
    /// A message with its number.
    Message(u64, Box<Message>),
    /// A block that was handed out; it waits for being appended to the chain.
    HandedOut,
    /// The attributes of an object; of any other dictionary nothing is held.
    Dict(Box<Attributes>),
    /// The chain, or a list somewhere else, of which nothing is held.
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
    /// What the reconstructor takes to make an object of this class.
    Arguments(Class),
    /// An object that was met before, by its number.
    Again(Class, u64),
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
    /// What the memo holds of this.
    pub(super) fn numbered(&self) -> Shared {
        match self {
            Self::Shared(shared) => shared.clone(),
            Self::Fresh(class, number) => Shared::Again(*class, *number),
            Self::Message(number, _) => Shared::Again(Class::Data, *number),
            Self::HandedOut => Shared::Again(Class::Block, 0),
            Self::Dict(_) => Shared::Other("a dictionary"),
            Self::List => Shared::Other("a list"),
        }
    }

    /// What stands here, for an error.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Shared(shared) => shared.clone().into_value().to_string(),
            other => other.numbered().into_value().to_string(),
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
            Self::Again(Class::Data, _) => Value::Other("a message"),
            Self::Again(..) => Value::Other("a block"),
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
    /// Sets an attribute if it is one of those that count.
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
        let value = item.numbered().into_value();
        *slot = Some(Held { at, value });
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
        Item::Shared(Shared::Again(Class::Data, number)) => {
            recent.get(number).cloned().ok_or_else(|| {
                ReadError::not_readable(at, "the data is none of the last messages before it")
            })
        }
        other => {
            let reason = format!("the data is {}, expected a message", other.describe());
            Err(ReadError::not_well_formed(at, reason))
        }
    }
}
