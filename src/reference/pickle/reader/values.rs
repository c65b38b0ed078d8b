//! The instructions that push one value onto the stack.

use std::io::Read;

use super::super::integer;
use super::super::item::{Class, Item, Shared};
use super::super::opcode as op;
use super::super::source::Text;
use super::{Done, PickleChainReader};
use crate::chain::Proof;
use crate::reference::ReadError;
use crate::reference::error::{byte, quoted};

/// Maximum length of an integer in bytes. The longest proof takes 1786.
const MAX_INTEGER_BYTES: usize = 2048;

impl<R: Read> PickleChainReader<R> {
    /// Returns the value that an instruction pushes.
    pub(super) fn item(&mut self, code: u8, at: u64) -> Done<Item> {
        let source = &mut self.source;
        let shared = match code {
            op::NONE => Shared::None,
            op::NEWTRUE => Shared::Boolean(true),
            op::NEWFALSE => Shared::Boolean(false),
            op::BININT1 => Shared::Integer(source.byte()?.into()),
            op::BININT2 => Shared::Integer(u16::from_le_bytes(source.array()?).into()),
            op::BININT => Shared::Integer(i32::from_le_bytes(source.array()?).into()),
            op::LONG1 => {
                let length = source.byte()?.into();
                self.integer(length)?
            }
            op::LONG4 => {
                let length = u32::from_le_bytes(source.array()?);
                self.integer(length as usize)?
            }
            op::INT | op::LONG => self.integer_line()?,
            op::BINFLOAT => Shared::Float(f64::from_be_bytes(source.array()?)),
            op::FLOAT => match source.ascii_line()?.parse() {
                Ok(value) => Shared::Float(value),
                Err(_) => return source.reject("expected a number"),
            },
            op::SHORT_BINUNICODE => {
                let length = source.byte()?.into();
                text(source.text(length)?)
            }
            op::BINUNICODE => {
                let length = u32::from_le_bytes(source.array()?);
                text(source.text(length as usize)?)
            }
            op::UNICODE => text(source.escaped_line()?),
            op::GET => {
                let number = self.number()?;
                self.get(number)?
            }
            op::BINGET => {
                let number = source.byte()?.into();
                self.get(number)?
            }
            op::LONG_BINGET => {
                let number = u32::from_le_bytes(source.array()?).into();
                self.get(number)?
            }
            op::GLOBAL => {
                let (module, name) = (source.ascii_line()?, source.ascii_line()?);
                self.class(&module, &name)?
            }
            op::STACK_GLOBAL => match (self.pop()?, self.pop()?) {
                (Item::Shared(Shared::Text(name)), Item::Shared(Shared::Text(module))) => {
                    self.class(&module, &name)?
                }
                _ => return self.source.reject("expected the name of a class"),
            },
            op::EMPTY_TUPLE => Shared::EmptyTuple,
            op::TUPLE => self.tuple()?,
            op::EMPTY_LIST => return Ok(Item::List),
            op::EMPTY_DICT => return Ok(Item::Dict(Box::default())),
            op::LIST | op::DICT => {
                if !self.above_mark()?.is_empty() {
                    return self
                        .source
                        .reject("a list or dictionary with initial items");
                }
                return Ok(match code {
                    op::LIST => Item::List,
                    _ => Item::Dict(Box::default()),
                });
            }
            _ => {
                let found = byte(code);
                let reason = format!("the instruction {found} is not allowed");
                return Err(ReadError::not_readable(at, reason));
            }
        };
        Ok(Item::Shared(shared))
    }

    fn get(&mut self, number: u64) -> Done<Shared> {
        match self.memo.get(number) {
            Some(shared) => Ok(shared),
            None => self
                .source
                .reject(format!("object {number} is not in the memo")),
        }
    }

    /// Reads a line with a number of the memo.
    pub(super) fn number(&mut self) -> Done<u64> {
        let line = self.source.ascii_line()?;
        match line.parse::<u32>() {
            Ok(number) => Ok(number.into()),
            Err(_) => self
                .source
                .reject(format!("{} is not a memo number", quoted(&line))),
        }
    }

    fn integer(&mut self, length: usize) -> Done<Shared> {
        if length > MAX_INTEGER_BYTES {
            return self.source.reject(format!("an integer of {length} bytes"));
        }
        self.source.bytes(length, |bytes| {
            let mut word = [if bytes.last().is_some_and(|last| last & 0x80 != 0) {
                0xff
            } else {
                0
            }; 8];
            match word.get_mut(..bytes.len()) {
                Some(low) => {
                    low.copy_from_slice(bytes);
                    Shared::Integer(i64::from_le_bytes(word))
                }
                None => Shared::Huge(integer::to_text(bytes).into()),
            }
        })
    }

    fn integer_line(&mut self) -> Done<Shared> {
        let line = self.source.ascii_line()?;
        let digits = line.strip_suffix('L').unwrap_or(&line);
        match (digits, digits.parse::<Proof>()) {
            // Protocols 0 and 1 encode booleans as integers.
            ("00", _) => Ok(Shared::Boolean(false)),
            ("01", _) => Ok(Shared::Boolean(true)),
            (_, Ok(_)) => Ok(Shared::Huge(digits.into())),
            _ => self
                .source
                .reject(format!("{} is not an integer", quoted(&line))),
        }
    }

    fn class(&self, module: &str, name: &str) -> Done<Shared> {
        if let Some(class) = Class::named(module, name) {
            return Ok(Shared::Class(class));
        }
        let name = quoted(&format!("{module}.{name}"));
        self.source
            .reject(format!("the name {name} is not allowed"))
    }

    fn tuple(&mut self) -> Done<Shared> {
        let items = self.above_mark()?;
        if items.iter().any(|item| matches!(item, Item::Emitted)) {
            return self
                .source
                .reject("a block that is not appended to the chain");
        }
        Ok(match &items[..] {
            [] => Shared::EmptyTuple,
            [
                Item::Shared(Shared::Class(class)),
                Item::Shared(Shared::Class(Class::Object)),
                Item::Shared(Shared::None),
            ] => Shared::Arguments(*class),
            _ => Shared::Other("a tuple"),
        })
    }
}

fn text(text: Text) -> Shared {
    text.map_or(Shared::LoneSurrogate, Shared::Text)
}
