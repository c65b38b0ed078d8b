//! A chain as comma-separated values, for spreadsheets: a header, then one row per block.
//!
//! Spreadsheet programs execute cells that look like formulas. So a cell that starts with `=`, `+`,
//! `-`, `@`, a tab, a line break or `'` is written with a `'` before it, and a `'` at the start of a
//! cell is removed on reading.
//!
//! Columns may be in any order, and there may be others; `hash`, `time` and `seal` are optional. The
//! genesis block has an empty `previous_hash` and `proof`. If there is a `hash`, it must be the hash
//! of the block.

use std::io::{self, Read, Write};

use csv::{ErrorKind, ReaderBuilder, StringRecord};

use super::Item;
use super::plain::Record;
use crate::chain::{Block, History};
use crate::reference::ReadError;
use crate::reference::error::{quoted, short};
use crate::reference::json::MAX_BLOCK_BYTES;
use crate::wire::{self, BlockRenderer};

/// The columns in the order of writing.
const COLUMNS: [&str; 9] = [
    "index",
    "hash",
    "previous_hash",
    "timestamp_text",
    "time",
    "proof",
    "seal",
    "id",
    "message",
];

/// Writes rows.
#[derive(Debug)]
pub(super) struct TableWriter<W: Write> {
    out: csv::Writer<W>,
    renderer: BlockRenderer,
}

impl<W: Write> TableWriter<W> {
    pub(super) fn new(out: W) -> io::Result<Self> {
        let mut out = csv::Writer::from_writer(out);
        out.write_record(COLUMNS)?;
        Ok(Self {
            out,
            renderer: BlockRenderer::above(History::default(), None),
        })
    }

    pub(super) fn push_all(&mut self, blocks: &[Block]) -> io::Result<()> {
        let rendered = self.renderer.render_all(blocks, |block| block);
        rendered.into_iter().try_for_each(|block| self.write(block))
    }

    fn write(&mut self, block: wire::Block) -> io::Result<()> {
        let index = block.index.to_string();
        let optional =
            |cell: &'_ Option<String>| guard_formula(cell.as_deref().unwrap_or_default());
        for cell in [
            index,
            block.hash,
            optional(&block.previous_hash),
            guard_formula(&block.timestamp_text),
            optional(&block.time),
            optional(&block.proof),
            optional(&block.seal),
            block.data.id,
            guard_formula(&block.data.message),
        ] {
            self.out.write_field(cell)?;
        }
        Ok(self.out.write_record(None::<&[u8]>)?)
    }

    pub(super) fn finish(self) -> io::Result<W> {
        self.out
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)
            .and_then(|mut out| out.flush().map(|()| out))
    }
}

/// Prefixes a cell that a spreadsheet would execute as a formula.
fn guard_formula(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\'']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

/// Removes the prefix of [`guard_formula`].
fn unguard_formula(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

/// Reads rows.
pub(super) fn read<E: From<ReadError>>(
    source: impl Read,
    each: &mut impl FnMut(Item) -> Result<(), E>,
) -> Result<(), E> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .buffer_capacity(64 * 1024)
        .from_reader(Limited {
            source,
            remaining: 0,
        });
    let mut row = StringRecord::new();
    next(&mut reader, &mut row)?;
    let columns = Columns::named(&row)?;
    let mut position = 0;
    while next(&mut reader, &mut row).map_err(|error| error.in_block(position))? {
        let (offset, line) = row
            .position()
            .map_or((0, 0), |place| (place.byte(), place.line()));
        let block = columns
            .record(&row)
            .map_err(|reason| ReadError::not_well_formed(offset, reason))
            .and_then(|record| {
                let block = record.into_block(position);
                block.map_err(|invalid| invalid.at(offset))
            })
            .map_err(|error| error.on_line(line).in_block(position))?;
        each(Item::Block(block))?;
        position += 1;
    }
    if position == 0 {
        let reason = "the chain has no block";
        return Err(ReadError::not_well_formed(reader.position().byte(), reason).into());
    }
    Ok(())
}

/// Reads the next row. Returns `false` at the end.
fn next<R: Read>(
    reader: &mut csv::Reader<Limited<R>>,
    row: &mut StringRecord,
) -> Result<bool, ReadError> {
    reader.get_mut().remaining = MAX_BLOCK_BYTES;
    let (offset, line) = (reader.position().byte(), reader.position().line());
    reader.read_record(row).map_err(|error| {
        let place = error.position().cloned();
        let (offset, line) = place.map_or((offset, line), |place| (place.byte(), place.line()));
        let reason = match error.into_kind() {
            ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                format!("one row takes more than {MAX_BLOCK_BYTES} bytes")
            }
            ErrorKind::Io(error) => return ReadError::io(offset, error),
            ErrorKind::Utf8 { err, .. } => format!("cell {} is not UTF-8", err.field() + 1),
            ErrorKind::UnequalLengths {
                expected_len, len, ..
            } => format!("the row has {len} cells, the first one has {expected_len}"),
            kind => format!("{kind:?}"),
        };
        ReadError::not_readable(offset, reason).on_line(line)
    })
}

/// Index of each column.
struct Columns {
    index: usize,
    hash: Option<usize>,
    previous_hash: usize,
    timestamp_text: usize,
    proof: usize,
    id: usize,
    message: usize,
}

impl Columns {
    fn named(names: &StringRecord) -> Result<Self, ReadError> {
        let reject = |reason: String| ReadError::not_readable(0, reason).on_line(1);
        for name in COLUMNS {
            if names.iter().filter(|found| found.trim() == name).count() > 1 {
                return Err(reject(format!("duplicate column `{name}`")));
            }
        }
        let find = |name: &str| names.iter().position(|found| found.trim() == name);
        let needed =
            |name: &str| find(name).ok_or_else(|| reject(format!("missing column `{name}`")));
        Ok(Self {
            index: needed("index")?,
            hash: find("hash"),
            previous_hash: needed("previous_hash")?,
            timestamp_text: needed("timestamp_text")?,
            proof: needed("proof")?,
            id: needed("id")?,
            message: needed("message")?,
        })
    }

    fn record(&self, row: &StringRecord) -> Result<Record, String> {
        // The reader checks that all rows have the same length.
        let cell = |column| unguard_formula(row.get(column).unwrap_or_default());
        let optional = |column| Some(cell(column).to_owned()).filter(|cell| !cell.is_empty());
        let index = cell(self.index);
        Ok(Record {
            index: index.parse().map_err(|_| {
                format!(
                    "the index is {}, expected an integer",
                    short(&quoted(index))
                )
            })?,
            hash: self.hash.and_then(optional),
            previous_hash: optional(self.previous_hash),
            timestamp_text: cell(self.timestamp_text).to_owned(),
            proof: optional(self.proof),
            data: wire::Message {
                id: cell(self.id).to_owned(),
                message: cell(self.message).to_owned(),
            },
        })
    }
}

/// A source with a limit on the number of bytes, which bounds the length of a row.
struct Limited<R> {
    source: R,
    remaining: usize,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.remaining == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let wanted = bytes.len().min(self.remaining);
        let read = self.source.read(&mut bytes[..wanted])?;
        self.remaining -= read;
        Ok(read)
    }
}
