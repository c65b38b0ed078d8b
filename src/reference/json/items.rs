//! Parses blocks and messages as jsonpickle writes them.

use super::text::{Parsed, TextCursor};
use super::{BLOCK, DATA};
use crate::chain::{Block, Message};
use crate::reference::ReadError;
use crate::reference::attributes::{BlockAttributes, Located, MessageAttributes, Value};
use crate::reference::error::{FormatViolation, quoted};
use crate::reference::recent::Recent;

/// Keys that the reference miner cannot set, because its classes have read-only properties of these
/// names.
const BLOCK_PROPERTIES: [&str; 5] = ["index", "timestamp", "data", "proof", "previous_hash"];
const DATA_PROPERTIES: [&str; 2] = ["id", "message"];

/// The number of objects read so far, and the messages to which a reference may point.
#[derive(Debug, Default)]
pub(super) struct Objects {
    count: u64,
    /// `true` after a value whose objects jsonpickle numbers in an order that is not tracked here.
    uncertain: bool,
    recent: Recent,
}

/// A block and the numbers of its objects.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) block: Block,
    /// Number of objects up to the message, unless the message is a reference.
    message: Option<u64>,
    /// Number of all objects of the block.
    objects: u64,
    uncertain: bool,
}

impl Objects {
    /// Counts the objects of a block and keeps its message.
    pub(super) fn add(&mut self, item: &Item) {
        if let Some(before) = item.message {
            self.recent.push(self.count + before, &item.block.message);
        }
        self.count += item.objects;
        self.uncertain |= item.uncertain;
    }

    fn resolve(&self, number: &Located<'_>) -> Result<Message, ReadError> {
        let rejected = |reason: String| Err(ReadError::not_readable(number.at, reason));
        let wanted: Option<u64> = match &number.value {
            Value::Integer(digits) => digits.parse().ok(),
            _ => None,
        };
        match wanted.filter(|number| *number > 0) {
            None => rejected(format!(
                "py/id is {}, expected a number from 1",
                number.value
            )),
            Some(_) if self.uncertain => {
                rejected("py/id after an unknown key with objects is not supported".to_owned())
            }
            Some(number) => match self.recent.get(number) {
                Some(message) => Ok(message.clone()),
                None => rejected(format!(
                    "py/id {number} is not one of the most recent messages"
                )),
            },
        }
    }
}

/// The tags of an object.
#[derive(Default)]
struct Tags<'a> {
    class: Option<Located<'a>>,
    reference: Option<Located<'a>>,
    state: bool,
    others: bool,
}

/// Consumes an object of the class `class`. `attribute` consumes the value of a key and returns `true`,
/// or returns `false` if the key is unknown.
fn tagged<'a>(
    cursor: &mut TextCursor<'a>,
    class: &str,
    properties: &[&str],
    mut attribute: impl FnMut(&mut TextCursor<'a>, &str) -> Parsed<bool>,
) -> Parsed<Tags<'a>> {
    let at = cursor.offset();
    let mut tags = Tags::default();
    let mut any_key = |cursor: &mut TextCursor<'a>, key: &str| -> Parsed<()> {
        if attribute(cursor, key)? {
            return Ok(());
        }
        if key.starts_with("py/") {
            return cursor.reject(format!("the tag {} is not allowed here", quoted(key)));
        }
        if properties.contains(&key) {
            return cursor.reject(format!("the key {} cannot be set", quoted(key)));
        }
        cursor.value().map(|_| ())
    };
    cursor.object(format_args!("a {class} object"), |cursor, key| {
        match key {
            "py/object" => tags.class = Some(located(cursor)?),
            "py/id" => tags.reference = Some(located(cursor)?),
            "py/state" => {
                tags.state = true;
                cursor.object("an object with the attributes", &mut any_key)?;
            }
            _ => {
                tags.others = true;
                any_key(cursor, key)?;
            }
        }
        Ok(())
    })?;
    if tags.reference.is_some() {
        if tags.class.is_some() || tags.state || tags.others {
            return Err(ReadError::not_readable(at, "py/id next to other keys").into());
        }
        return Ok(tags);
    }
    if tags.state && tags.others {
        return Err(ReadError::not_readable(at, "py/state next to other keys").into());
    }
    let found = match &tags.class {
        Some(Located {
            value: Value::Text(found),
            ..
        }) if found == class => return Ok(tags),
        Some(found) => format!("the class is {}", found.value),
        None => "there is no py/object".to_owned(),
    };
    let at = tags.class.as_ref().map_or(at, |class| class.at);
    let reason = format!("{found}, expected {}", quoted(class));
    Err(ReadError::not_readable(at, reason).into())
}

fn located<'a>(cursor: &mut TextCursor<'a>) -> Parsed<Located<'a>> {
    Ok(Located {
        at: cursor.offset(),
        value: cursor.value()?,
    })
}

/// The message of a block: an object, or a reference to an earlier one.
enum Data<'a> {
    Object {
        objects: u64,
        message: Result<Message, ReadError>,
    },
    Reference(Located<'a>),
    Other(Located<'a>),
}

fn data<'a>(cursor: &mut TextCursor<'a>) -> Parsed<Data<'a>> {
    if cursor.next()? != b'{' {
        return located(cursor).map(Data::Other);
    }
    let at = cursor.offset();
    let mut attributes = MessageAttributes::default();
    let tags = tagged(cursor, DATA, &DATA_PROPERTIES, |cursor, key| {
        match key {
            "_id" => attributes.id = Some(located(cursor)?),
            "_message" => attributes.text = Some(located(cursor)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(match tags.reference {
        Some(number) => Data::Reference(number),
        None => Data::Object {
            objects: 1 + u64::from(tags.state),
            message: attributes.into_message(at),
        },
    })
}

/// Consumes a message.
pub(super) fn message(cursor: &mut TextCursor<'_>) -> Parsed<Result<Message, ReadError>> {
    Ok(match data(cursor)? {
        Data::Object { message, .. } => message,
        Data::Reference(found) => Err(ReadError::not_well_formed(
            found.at,
            "py/id in place of a message",
        )),
        Data::Other(found) => Err(other_data(&found)),
    })
}

fn other_data(found: &Located<'_>) -> ReadError {
    let reason = format!("the data is {}, expected a message", found.value);
    ReadError::not_well_formed(found.at, reason)
}

/// Consumes the block at a position in the chain.
pub(super) fn block(cursor: &mut TextCursor<'_>, objects: &Objects, position: u64) -> Parsed<Item> {
    cursor.next()?;
    let at = cursor.offset();
    let mut attributes = BlockAttributes::default();
    let mut message = None;
    let mut repeated = false;
    let tags = tagged(cursor, BLOCK, &BLOCK_PROPERTIES, |cursor, key| {
        match key {
            "_index" => attributes.index = Some(located(cursor)?),
            "_timestamp" => attributes.timestamp = Some(located(cursor)?),
            "_proof" => attributes.proof = Some(located(cursor)?),
            "_previous_hash" => attributes.previous_hash = Some(located(cursor)?),
            "_data" => {
                repeated |= message.is_some();
                message = Some(data(cursor)?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if tags.reference.is_some() {
        let violation = FormatViolation::Repeated { expected: position };
        return Err(ReadError::rule(at, violation).into());
    }
    let own = 1 + u64::from(tags.state);
    let mut item_objects = (own, None);
    attributes.message = message.map(|message| match message {
        Data::Object { objects, message } => {
            item_objects = (own + objects, Some(own + 1));
            message
        }
        Data::Reference(number) => objects.resolve(&number),
        Data::Other(found) => Err(other_data(&found)),
    });
    Ok(Item {
        block: attributes.into_block(at, position)?,
        message: item_objects.1,
        objects: item_objects.0,
        uncertain: repeated || cursor.nested(),
    })
}
