//! The stack machine, restricted to what a list of blocks needs.
//!
//! A block is returned as soon as its attributes are complete, if its position on the stack allows
//! only the list of blocks to take it. So only the most recent objects of the chain stay in memory.

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

/// Maximum number of values on the stack. Python appends blocks in batches of 1000.
const MAX_STACK: usize = 64 * 1024;
/// Maximum number of marks on the stack. A chain needs four.
const MAX_MARKS: usize = 64;

/// Reads a pickled chain of protocol 0 to 5.
///
/// Stops after the first error. A chain is complete only if the reader ends without one.
#[derive(Debug)]
pub struct PickleChainReader<R> {
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
    Continue,
    Block,
    End,
}

type Done<T = ()> = Result<T, ReadError>;

impl<R: Read> PickleChainReader<R> {
    /// Creates a reader of `source`. It reads at least 64 KiB at once, so the source needs no buffer.
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

    /// Returns the number of bytes read.
    pub fn offset(&self) -> u64 {
        self.source.offset()
    }

    fn advance(&mut self) -> Done<Option<Block>> {
        if self.offset() == 0 && !self.source.has_more()? {
            return self.source.reject("the file is empty");
        }
        loop {
            let position = self.position;
            let step = self
                .instruction()
                .and_then(|step| self.source.check_frame().map(|()| step))
                .map_err(|error| error.in_block(position))?;
            match step {
                Step::Continue => {}
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
                    .reject(format!("expected a list of blocks, found {found}"))
            }
            ([], _) => self.source.reject("the pickle holds nothing"),
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
                        .reject(format!("protocol {version} is not supported"));
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
                    .reject(format!("nested deeper than {MAX_MARKS} marks"));
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
                        .reject(format!("more than {MAX_STACK} values on the stack"));
                }
                self.stack.push(item);
            }
        }
        Ok(Step::Continue)
    }

    fn pop(&mut self) -> Done<Item> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.pop() {
            Some(item) if self.stack.len() >= floor => Ok(item),
            _ => self.source.reject("the stack is empty"),
        }
    }

    /// Checks that the stack is not empty above the last mark.
    fn check_target(&self) -> Done {
        if self.stack.len() > self.marks.last().copied().unwrap_or(0) {
            return Ok(());
        }
        self.source.reject("the stack is empty")
    }

    fn above_mark(&mut self) -> Done<Vec<Item>> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark.min(self.stack.len()))),
            None => self.source.reject("there is no mark"),
        }
    }

    fn put(&mut self, number: u64) -> Done {
        self.check_target()?;
        let Some(last) = self.stack.last() else {
            return self.source.reject("the stack is empty");
        };
        if self.memo.put(number, last.to_shared()) {
            return Ok(());
        }
        self.source
            .reject(format!("memo number {number} is lower than the one before"))
    }

    /// Creates an object without attributes.
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
                    .reject("expected a block or a message to be created");
            }
        };
        self.objects += 1;
        self.stack.push(Item::Fresh(class, self.objects));
        Ok(())
    }

    /// Sets the attributes of an object. A block that only the chain can take is returned.
    fn build(&mut self, at: u64) -> Done<Step> {
        let (attributes, object) = (self.pop()?, self.pop()?);
        let (Item::Dict(attributes), Item::Fresh(class, number)) = (attributes, object) else {
            return self.source.reject("expected an object and its attributes");
        };
        if class == Class::Data {
            let message = attributes.into_message().into_message(at)?;
            self.recent.push(number, &message);
            self.stack.push(Item::Message(number, Box::new(message)));
            return Ok(Step::Continue);
        }
        let in_chain = match &self.stack[..] {
            [Item::List] => true,
            [Item::List, .., last] => matches!(last, Item::Emitted),
            _ => false,
        };
        if !in_chain {
            self.stack.push(Item::Shared(Shared::Other("a block")));
            return Ok(Step::Continue);
        }
        self.ready = Some(attributes.into_block().into_block(at, self.position)?);
        self.stack.push(Item::Emitted);
        Ok(Step::Block)
    }

    fn set_items(&mut self, items: Vec<Item>, at: u64) -> Done {
        self.check_target()?;
        let Some(Item::Dict(attributes)) = self.stack.last_mut() else {
            return self.source.reject("expected a dictionary");
        };
        let mut items = items.into_iter();
        while let Some(key) = items.next() {
            let Some(value) = items.next() else {
                return self.source.reject("a key without a value");
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
            _ => return self.source.reject("expected a list"),
        }
        for item in items {
            match item {
                Item::Emitted => {}
                Item::Shared(Shared::Reference(Class::Block, _)) => {
                    let violation = FormatViolation::Repeated {
                        expected: self.position,
                    };
                    return Err(ReadError::rule(self.offset(), violation));
                }
                other => {
                    let found = other.describe();
                    return self
                        .source
                        .reject(format!("expected a block, found {found}"));
                }
            }
        }
        Ok(())
    }
}

impl<R: Read> Iterator for PickleChainReader<R> {
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
