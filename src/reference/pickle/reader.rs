//! The stack machine, as far as a list of blocks takes it.
//!
//! Blocks are handed out as soon as their attributes are complete, if they stand where only the
//! chain's list can take them; so nothing of the chain stays in memory but its last objects.

mod values;

use std::io::Read;

use super::item::{Attributes, Class, Item, Shared};
use super::memo::Memo;
use super::opcode as op;
use super::source::Source;
use crate::chain::Block;
use crate::reference::ReadError;
use crate::reference::error::FormatViolation;
use crate::reference::recent::Recent;

/// Most things on the stack. Python appends blocks by the thousand.
const MAX_STACK: usize = 64 * 1024;
/// Most marks on the stack; a chain takes four.
const MAX_MARKS: usize = 64;

/// Reads a pickled chain, of protocol 0 to 5.
///
/// Ends after the first error; only a reader that ended without one has read a whole chain.
#[derive(Debug)]
pub struct ChainReader<R> {
    source: Source<R>,
    stack: Vec<Item>,
    marks: Vec<usize>,
    memo: Memo<Shared>,
    recent: Recent,
    objects: u64,
    ready: Option<Block>,
    position: u64,
    ended: bool,
}

enum Step {
    On,
    Block,
    End,
}

type Done<T = ()> = Result<T, ReadError>;

impl<R: Read> ChainReader<R> {
    /// A reader on this source. It asks for 64 KiB and more at once, so the source needs no buffer.
    pub fn new(source: R) -> Self {
        Self {
            source: Source::new(source),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Memo::new(),
            recent: Recent::default(),
            objects: 0,
            ready: None,
            position: 0,
            ended: false,
        }
    }

    /// Bytes read so far.
    pub fn offset(&self) -> u64 {
        self.source.offset()
    }

    fn advance(&mut self) -> Done<Option<Block>> {
        if self.offset() == 0 && !self.source.goes_on()? {
            return self.source.refuse("the file is empty");
        }
        loop {
            let position = self.position;
            let step = self
                .instruction()
                .and_then(|step| self.source.check_frame().map(|()| step))
                .map_err(|error| error.in_block(position))?;
            match step {
                Step::On => {}
                Step::Block => {
                    self.position += 1;
                    return Ok(self.ready.take());
                }
                Step::End => {
                    self.finish()?;
                    return Ok(None);
                }
            }
        }
    }

    fn finish(&mut self) -> Done {
        match (&self.stack[..], self.position) {
            ([Item::List], 1..) if self.marks.is_empty() => self.source.check_end(),
            ([Item::List], _) => {
                let reason = "the chain has no block";
                Err(ReadError::not_well_formed(self.offset(), reason))
            }
            ([.., last], _) => {
                let found = last.describe();
                self.source
                    .refuse(format!("expected a list of blocks, found {found}"))
            }
            ([], _) => self.source.refuse("the pickle holds nothing"),
        }
    }

    fn instruction(&mut self) -> Done<Step> {
        let at = self.offset();
        match self.source.byte()? {
            op::PROTO => {
                let version = self.source.byte()?;
                if at > 0 || version > 5 {
                    return self
                        .source
                        .refuse(format!("protocol {version} is not known here"));
                }
            }
            op::FRAME => {
                let length = u64::from_le_bytes(self.source.array()?);
                self.source.begin_frame(length)?;
            }
            op::STOP => return Ok(Step::End),
            op::MARK if self.marks.len() < MAX_MARKS => self.marks.push(self.stack.len()),
            op::MARK => {
                return self
                    .source
                    .refuse(format!("nested deeper than {MAX_MARKS} marks"));
            }
            op::BUILD => return self.build(at),
            code @ (op::NEWOBJ | op::REDUCE) => self.object(code)?,
            op::SETITEM => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(vec![key, value], at)?;
            }
            op::SETITEMS => {
                let items = self.above_mark()?;
                self.set_items(items, at)?;
            }
            op::APPEND => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            op::APPENDS => {
                let items = self.above_mark()?;
                self.append(items)?;
            }
            op::PUT => {
                let number = self.number()?;
                self.put(number)?;
            }
            op::BINPUT => {
                let number = self.source.byte()?.into();
                self.put(number)?;
            }
            op::LONG_BINPUT => {
                let number = u32::from_le_bytes(self.source.array()?).into();
                self.put(number)?;
            }
            op::MEMOIZE => self.put(self.memo.count())?,
            code => {
                let item = self.item(code, at)?;
                if self.stack.len() >= MAX_STACK {
                    return self
                        .source
                        .refuse(format!("more than {MAX_STACK} things on the stack"));
                }
                self.stack.push(item);
            }
        }
        Ok(Step::On)
    }

    fn pop(&mut self) -> Done<Item> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.pop() {
            Some(item) if self.stack.len() >= floor => Ok(item),
            _ => self.source.refuse("the stack is empty"),
        }
    }

    /// Refuses if nothing stands above the last mark.
    fn check_target(&self) -> Done {
        if self.stack.len() > self.marks.last().copied().unwrap_or(0) {
            return Ok(());
        }
        self.source.refuse("the stack is empty")
    }

    fn above_mark(&mut self) -> Done<Vec<Item>> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark.min(self.stack.len()))),
            None => self.source.refuse("there is no mark"),
        }
    }

    fn put(&mut self, number: u64) -> Done {
        self.check_target()?;
        let Some(last) = self.stack.last() else {
            return self.source.refuse("the stack is empty");
        };
        if self.memo.put(number, last.numbered()) {
            return Ok(());
        }
        self.source.refuse(format!(
            "the memo's number {number} is lower than the one before"
        ))
    }

    /// Makes an object without attributes.
    fn object(&mut self, code: u8) -> Done {
        let arguments = self.pop()?;
        let callable = self.pop()?;
        let class = match (code, callable, arguments) {
            (op::NEWOBJ, Item::Shared(Shared::Class(class)), Item::Shared(Shared::EmptyTuple))
            | (
                op::REDUCE,
                Item::Shared(Shared::Class(Class::Reconstructor)),
                Item::Shared(Shared::Arguments(class)),
            ) if matches!(class, Class::Block | Class::Data) => class,
            _ => {
                return self
                    .source
                    .refuse("expected a block or a message to be made");
            }
        };
        self.objects += 1;
        self.stack.push(Item::Fresh(class, self.objects));
        Ok(())
    }

    /// Gives an object its attributes. A block is handed out if only the chain can take it.
    fn build(&mut self, at: u64) -> Done<Step> {
        let (attributes, object) = (self.pop()?, self.pop()?);
        let (Item::Dict(attributes), Item::Fresh(class, number)) = (attributes, object) else {
            return self.source.refuse("expected an object and its attributes");
        };
        if class == Class::Data {
            let message = attributes.into_message().judge(at)?;
            self.recent.hold(number, &message);
            self.stack.push(Item::Message(number, Box::new(message)));
            return Ok(Step::On);
        }
        let in_chain = match &self.stack[..] {
            [Item::List] => true,
            [Item::List, .., last] => matches!(last, Item::HandedOut),
            _ => false,
        };
        if !in_chain {
            self.stack.push(Item::Shared(Shared::Other("a block")));
            return Ok(Step::On);
        }
        self.ready = Some(attributes.into_block().judge(at, self.position)?);
        self.stack.push(Item::HandedOut);
        Ok(Step::Block)
    }

    fn set_items(&mut self, items: Vec<Item>, at: u64) -> Done {
        self.check_target()?;
        let Some(Item::Dict(attributes)) = self.stack.last_mut() else {
            return self.source.refuse("expected a dictionary");
        };
        let mut items = items.into_iter();
        while let Some(key) = items.next() {
            let Some(value) = items.next() else {
                return self.source.refuse("a key without a value");
            };
            if let Item::Shared(Shared::Text(name)) = key {
                Attributes::set(attributes, &name, value, at, &self.recent);
            }
        }
        Ok(())
    }

    fn append(&mut self, items: Vec<Item>) -> Done {
        self.check_target()?;
        match self.stack.last() {
            Some(Item::List) if self.stack.len() > 1 => return Ok(()),
            Some(Item::List) => {}
            _ => return self.source.refuse("expected a list"),
        }
        for item in items {
            match item {
                Item::HandedOut => {}
                Item::Shared(Shared::Again(Class::Block, _)) => {
                    let violation = FormatViolation::Repeated {
                        expected: self.position,
                    };
                    return Err(ReadError::rule(self.offset(), violation));
                }
                other => {
                    let found = other.describe();
                    return self
                        .source
                        .refuse(format!("expected a block, found {found}"));
                }
            }
        }
        Ok(())
    }
}

impl<R: Read> Iterator for ChainReader<R> {
    type Item = Result<Block, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.advance().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}
