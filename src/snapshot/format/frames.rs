//! A chain in the binary encoding of this program, the smallest format and the fastest to read.
//!
//! ```text
//! 89 "chain" 0a 01     8 bytes with which no text and no pickle starts; the last is the version
//! frame                a block, oldest first
//! ...
//! 00 00 00 00          the end of the blocks
//! frame                a pending message, in order of arrival
//! ...
//! 00 00 00 00          the end of the file
//! ```
//!
//! A frame is its length in bytes (u32, big-endian), then a value of [`crate::codec`]: a block, or a
//! pair of an id (16 bytes) and a text. No frame is longer than the longest block. The two end marks
//! are required, so truncated files are detected.

use std::borrow::Cow;
use std::io::{self, BufReader, Read, Write};

use super::Item;
use crate::chain::{Block, Message, MessageId};
use crate::codec::{self, DecodeError, MAX_VALUE_BYTES};
use crate::reference::ReadError;

/// First bytes of a file. The last one is the version.
pub(super) const MAGIC: [u8; 8] = *b"\x89chain\n\x01";

/// Maximum length of a frame: a value and its version byte.
const MAX_FRAME_BYTES: usize = MAX_VALUE_BYTES + 1;

/// Writes a chain as frames.
#[derive(Debug)]
pub(super) struct FrameWriter<W> {
    out: W,
    in_blocks: bool,
}

impl<W: Write> FrameWriter<W> {
    pub(super) fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&MAGIC)?;
        Ok(Self {
            out,
            in_blocks: true,
        })
    }

    pub(super) fn push(&mut self, block: &Block) -> io::Result<()> {
        self.frame(&codec::encode_block(block))
    }

    pub(super) fn push_pending(&mut self, message: &Message) -> io::Result<()> {
        if self.in_blocks {
            self.in_blocks = false;
            self.frame(&[])?;
        }
        self.frame(&codec::encode(&(message.id().as_bytes(), message.text())))
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        if self.in_blocks {
            self.frame(&[])?;
        }
        self.frame(&[])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn frame(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.out.write_all(&length.to_be_bytes())?;
        self.out.write_all(bytes)
    }
}

struct Frames<R> {
    source: BufReader<R>,
    offset: u64,
    frame: Vec<u8>,
}

/// Reads a chain from frames.
pub(super) fn read<E: From<ReadError>>(
    source: impl Read,
    each: &mut impl FnMut(Item) -> Result<(), E>,
) -> Result<(), E> {
    let mut frames = Frames {
        source: BufReader::with_capacity(64 * 1024, source),
        offset: 0,
        frame: Vec::new(),
    };
    let [.., version] = frames.array::<8>()?;
    if version != MAGIC[7] {
        let reason = format!(
            "the file has version {version}, this program reads version {}",
            MAGIC[7]
        );
        return Err(ReadError::not_readable(7, reason).into());
    }
    let mut position = 0;
    while let Some(block) = frames
        .next(codec::decode_block)
        .map_err(|error| error.in_block(position))?
    {
        each(Item::Block(block))?;
        position += 1;
    }
    if position == 0 {
        let reason = "the chain has no block";
        return Err(ReadError::not_well_formed(frames.offset, reason).into());
    }
    while let Some(message) = frames.next(decode_message)? {
        each(Item::Pending(message))?;
    }
    Ok(frames.end()?)
}

fn decode_message(bytes: &[u8]) -> Result<Message, DecodeError> {
    let (id, text): ([u8; 16], Cow<'_, str>) = codec::decode(bytes)?;
    Message::new(MessageId::from_bytes(id), text.into_owned())
        .map_err(|error| DecodeError::NotWellFormed(error.into()))
}

impl<R: Read> Frames<R> {
    /// Reads the value in the next frame; `None` at an end mark.
    fn next<T>(
        &mut self,
        decode: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, ReadError> {
        let start = self.offset;
        let length = u32::from_be_bytes(self.array()?) as usize;
        if length == 0 {
            return Ok(None);
        }
        if length > MAX_FRAME_BYTES {
            let reason =
                format!("a frame has {length} bytes, more than the {MAX_FRAME_BYTES} allowed");
            return Err(ReadError::not_readable(start, reason));
        }
        // Memory grows with the bytes that arrive, not with the claimed length.
        self.frame.clear();
        let read = (&mut self.source)
            .take(length as u64)
            .read_to_end(&mut self.frame)
            .map_err(|error| ReadError::io(self.offset, error))?;
        self.offset += read as u64;
        if read < length {
            return Err(self.truncated());
        }
        decode(&self.frame).map(Some).map_err(|error| match error {
            DecodeError::NotWellFormed(reason) => {
                ReadError::not_well_formed(start, reason.to_string())
            }
            error => ReadError::not_readable(start, error.to_string()),
        })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let mut bytes = [0; N];
        match self.source.read_exact(&mut bytes) {
            Ok(()) => {
                self.offset += N as u64;
                Ok(bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.truncated()),
            Err(error) => Err(ReadError::io(self.offset, error)),
        }
    }

    fn end(&mut self) -> Result<(), ReadError> {
        match self.source.read_exact(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(ReadError::io(self.offset, error)),
            Ok(()) => {
                let reason = "unexpected data after the end of the chain";
                Err(ReadError::not_readable(self.offset, reason))
            }
        }
    }

    fn truncated(&self) -> ReadError {
        ReadError::not_readable(self.offset, "the file is truncated")
    }
}
