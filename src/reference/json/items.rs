//! Blocks and messages as jsonpickle writes them.

use super::text::{Parsed, TextCursor};
use super::{BLOCK, DATA};
use crate::chain::{Block, Message};
use crate::reference::ReadError;
use crate::reference::attributes::{BlockAttributes, Held, MessageAttributes, Value};
use crate::reference::error::{FormatViolation, quoted};
use crate::reference::recent::Recent;

/// Keys that the original cannot set: its classes have properties of these names.
const BLOCK_PROPERTIES: [&str; 5] = ["index", "timestamp", "data", "proof", "previous_hash"];
const DATA_PROPERTIES: [&str; 2] = ["id", "message"];

/// Numbers of the objects read so far, and the messages that can be referred to.
#[derive(Debug, Default)]
pub(super) struct Objects {
    count: u64,
    /// Something was read that is numbered, too, but in an order that is not followed here.
    unsure: bool,
    recent: Recent,
}

/// A block and what it adds to the numbers.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) block: Block,
    /// The objects up to the message, if that stands here itself, and in all.
    message: Option<u64>,
    objects: u64,
    unsure: bool,
}

impl Objects {
    /// Counts a block.
    pub(super) fn add(&mut self, item: &Item) {
        if let Some(before) = item.message {
            self.recent.hold(self.count + before, &item.block.message);
        }
        self.count += item.objects;
        self.unsure |= item.unsure;
    }

    fn resolve(&self, number: &Held<'_>) -> Result<Message, ReadError> {
        let refused = |reason: String| Err(ReadError::not_readable(number.at, reason));
        let wanted: Option<u64> = match &number.value {
            Value::Integer(digits) => digits.parse().ok(),
            _ => None,
        };
        match wanted.filter(|number| *number > 0) {
            None => refused(format!(
                "py/id is {}, expected a number from 1",
                number.value
            )),
            Some(_) if self.unsure => {
                refused("py/id after a further key that holds objects is not followed".to_owned())
            }
            Some(number) => match self.recent.get(number) {
                Some(message) => Ok(message.clone()),
                None => refused(format!(
                    "py/id {number} is none of the last messages before it"
                )),
            },
        }
    }
}

/// What an object says about itself.
#[derive(Default)]
struct Tags<'a> {
    class: Option<Held<'a>>,
    reference: Option<Held<'a>>,
    state: bool,
    others: bool,
}

/// Passes an object of the class `class`. `attribute` takes the value of a key that it knows and
/// returns whether it did.
fn tagged<'a>(
    cursor: &mut TextCursor<'a>,
    class: &str,
    properties: &[&str],
    mut attribute: impl FnMut(&mut TextCursor<'a>, &str) -> Parsed<bool>,
) -> Parsed<Tags<'a>> {
    let at = cursor.offset();
    let mut tags = Tags::default();
    let mut further = |cursor: &mut TextCursor<'a>, key: &str| -> Parsed<()> {
        if attribute(cursor, key)? {
            return Ok(());
        }
        if key.starts_with("py/") {
            return cursor.refuse(format!("the tag {} is not allowed here", quoted(key)));
        }
        if properties.contains(&key) {
            return cursor.refuse(format!("the key {} cannot be set", quoted(key)));
        }
        cursor.value().map(|_| ())
    };
    cursor.object(format_args!("a {class} object"), |cursor, key| {
        match key {
            "py/object" => tags.class = Some(held(cursor)?),
            "py/id" => tags.reference = Some(held(cursor)?),
            "py/state" => {
                tags.state = true;
                cursor.object("an object with the attributes", &mut further)?;
            }
            _ => {
                tags.others = true;
                further(cursor, key)?;
            }
        }
        Ok(())
    })?;
    if tags.reference.is_some() {
        if tags.class.is_some() || tags.state || tags.others {
            return Err(ReadError::not_readable(at, "py/id stands beside other keys").into());
        }
        return Ok(tags);
    }
    if tags.state && tags.others {
        return Err(ReadError::not_readable(at, "py/state stands beside other keys").into());
    }
    let found = match &tags.class {
        Some(Held {
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

fn held<'a>(cursor: &mut TextCursor<'a>) -> Parsed<Held<'a>> {
    Ok(Held {
        at: cursor.offset(),
        value: cursor.value()?,
    })
}

/// The message of a block: the object, or the number of an earlier one.
enum Data<'a> {
    Here {
        objects: u64,
        message: Result<Message, ReadError>,
    },
    Reference(Held<'a>),
    Other(Held<'a>),
}

fn data<'a>(cursor: &mut TextCursor<'a>) -> Parsed<Data<'a>> {
    if cursor.next()? != b'{' {
        return held(cursor).map(Data::Other);
    }
    let at = cursor.offset();
    let mut attributes = MessageAttributes::default();
    let tags = tagged(cursor, DATA, &DATA_PROPERTIES, |cursor, key| {
        match key {
            "_id" => attributes.id = Some(held(cursor)?),
            "_message" => attributes.text = Some(held(cursor)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(match tags.reference {
        Some(number) => Data::Reference(number),
        None => Data::Here {
            objects: 1 + u64::from(tags.state),
            message: attributes.judge(at),
        },
    })
}

/// Passes a message.
pub(super) fn message(cursor: &mut TextCursor<'_>) -> Parsed<Result<Message, ReadError>> {
    Ok(match data(cursor)? {
        Data::Here { message, .. } => message,
        Data::Reference(found) => Err(ReadError::not_well_formed(
            found.at,
            "py/id in place of a message",
        )),
        Data::Other(found) => Err(other_data(&found)),
    })
}

fn other_data(found: &Held<'_>) -> ReadError {
    let reason = format!("the data is {}, expected a message", found.value);
    ReadError::not_well_formed(found.at, reason)
}

/// Passes the block at this position in a chain.
pub(super) fn block(cursor: &mut TextCursor<'_>, objects: &Objects, position: u64) -> Parsed<Item> {
    cursor.next()?;
    let at = cursor.offset();
    let mut attributes = BlockAttributes::default();
    let mut message = None;
    let mut repeated = false;
    let tags = tagged(cursor, BLOCK, &BLOCK_PROPERTIES, |cursor, key| {
        match key {
            "_index" => attributes.index = Some(held(cursor)?),
            "_timestamp" => attributes.timestamp = Some(held(cursor)?),
            "_proof" => attributes.proof = Some(held(cursor)?),
            "_previous_hash" => attributes.previous_hash = Some(held(cursor)?),
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
        Data::Here { objects, message } => {
            item_objects = (own + objects, Some(own + 1));
            message
        }
        Data::Reference(number) => objects.resolve(&number),
        Data::Other(found) => Err(other_data(&found)),
    });
    Ok(Item {
        block: attributes.judge(at, position)?,
        message: item_objects.1,
        objects: item_objects.0,
        unsure: repeated || cursor.nested(),
    })
}
