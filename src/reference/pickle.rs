//! The pickle in which the reference miner stores a chain.
//!
//! A pickle is a program for a stack machine, and Python executes any such program. The reader here
//! supports only the instructions that a list of blocks needs, in protocols 0 to 5, and the names of
//! the two classes. It rejects everything else and never calls anything. The writer produces the
//! bytes of Python 3.8 and later (protocol 4).

mod integer;
mod item;
mod memo;
mod reader;
mod source;
mod writer;

pub use reader::PickleChainReader;
pub use writer::PickleChainWriter;

/// Module and class of a block.
const BLOCK: (&str, &str) = ("blockchain.blockchain.block", "Block");
/// Module and class of a message.
const DATA: (&str, &str) = ("blockchain.blockchain.data", "Data");

/// Instructions, with their names in Python's `pickletools`.
mod opcode {
    pub(super) const MARK: u8 = b'(';
    pub(super) const EMPTY_TUPLE: u8 = b')';
    pub(super) const STOP: u8 = b'.';
    pub(super) const FLOAT: u8 = b'F';
    pub(super) const BINFLOAT: u8 = b'G';
    pub(super) const INT: u8 = b'I';
    pub(super) const BININT: u8 = b'J';
    pub(super) const BININT1: u8 = b'K';
    pub(super) const LONG: u8 = b'L';
    pub(super) const BININT2: u8 = b'M';
    pub(super) const NONE: u8 = b'N';
    pub(super) const REDUCE: u8 = b'R';
    pub(super) const UNICODE: u8 = b'V';
    pub(super) const BINUNICODE: u8 = b'X';
    pub(super) const EMPTY_LIST: u8 = b']';
    pub(super) const APPEND: u8 = b'a';
    pub(super) const BUILD: u8 = b'b';
    pub(super) const GLOBAL: u8 = b'c';
    pub(super) const DICT: u8 = b'd';
    pub(super) const APPENDS: u8 = b'e';
    pub(super) const GET: u8 = b'g';
    pub(super) const BINGET: u8 = b'h';
    pub(super) const LONG_BINGET: u8 = b'j';
    pub(super) const LIST: u8 = b'l';
    pub(super) const PUT: u8 = b'p';
    pub(super) const BINPUT: u8 = b'q';
    pub(super) const LONG_BINPUT: u8 = b'r';
    pub(super) const SETITEM: u8 = b's';
    pub(super) const TUPLE: u8 = b't';
    pub(super) const SETITEMS: u8 = b'u';
    pub(super) const EMPTY_DICT: u8 = b'}';
    pub(super) const PROTO: u8 = 0x80;
    pub(super) const NEWOBJ: u8 = 0x81;
    pub(super) const NEWTRUE: u8 = 0x88;
    pub(super) const NEWFALSE: u8 = 0x89;
    pub(super) const LONG1: u8 = 0x8a;
    pub(super) const LONG4: u8 = 0x8b;
    pub(super) const SHORT_BINUNICODE: u8 = 0x8c;
    pub(super) const STACK_GLOBAL: u8 = 0x93;
    pub(super) const MEMOIZE: u8 = 0x94;
    pub(super) const FRAME: u8 = 0x95;
}
