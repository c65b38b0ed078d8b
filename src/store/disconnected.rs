//! The content of disconnected blocks, so that a branch that lost can still be read. Only the newest
//! ones are kept, bounded in number and in bytes.

use redb::{ReadableTable, ReadableTableMetadata};

use super::edit::Edit;
use super::error::StoreError;
use super::tables::{self, DisconnectedContent};
use super::value::{self, decode_block};
use super::view::View;
use crate::chain::history::NodeHash;
use crate::chain::proof::puzzle_text;
use crate::chain::{Block, BlockHash, History};
use crate::{codec, pow};

/// Maximum number of blocks whose content is kept. Of a longer branch, the lowest are.
pub const MAX_BLOCKS: usize = 1000;

/// Maximum size of their stored values, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// A disconnected block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disconnected {
    /// Number of the reorg that disconnected it.
    pub reorg: u64,
    /// The block.
    pub block: Block,
    /// Root over all blocks before it, in the chain that it belonged to.
    pub history_root: NodeHash,
    /// Number of trailing zeros of its proof; `None` for a genesis block.
    pub difficulty: Option<u8>,
}

impl Disconnected {
    fn decode((reorg, index): (u64, u64), stored: &[u8]) -> Result<Self, StoreError> {
        let key = format!("{reorg}, {index}");
        let content: DisconnectedContent = value::decode("disconnected", &key, stored)?;
        let block = codec::decode_block(&content.block)
            .map_err(|error| StoreError::undecodable("disconnected", &key, &error))?;
        Ok(Self {
            reorg,
            block,
            history_root: content.history_root,
            difficulty: content.difficulty,
        })
    }
}

impl Edit<'_> {
    /// Keeps the blocks from an index on, which the reorg with this number disconnects, and drops the
    /// oldest of earlier reorgs. `history` is the tree over the blocks below.
    pub(super) fn keep_content(
        &mut self,
        reorg: u64,
        from: u64,
        mut history: History,
    ) -> Result<(), StoreError> {
        let mut previous = match from.checked_sub(1) {
            Some(below) => self.connected_block(below)?.link,
            None => None,
        };
        let mut bytes = 0;
        for row in self.blocks.range(from..)?.take(MAX_BLOCKS) {
            let (index, stored) = row?;
            let index = index.value();
            let block = decode_block(index, stored.value())?;
            let last = puzzle_text(previous.as_ref().map(|link| &link.proof));
            let content = DisconnectedContent {
                history_root: history.root(),
                difficulty: block
                    .proof()
                    .map(|proof| pow::zeros(last, proof.as_bytes())),
                block: codec::encode_block(&block),
            };
            let value = value::encode(&content);
            bytes += value.len();
            if bytes > MAX_BYTES {
                break;
            }
            self.disconnected.insert((reorg, index), &*value)?;
            history.append(&BlockHash::of(&block), |_, _| {});
            previous = block.link;
        }
        self.drop_oldest_content()
    }

    fn drop_oldest_content(&mut self) -> Result<(), StoreError> {
        let mut bytes = 0;
        for row in self.disconnected.iter()? {
            bytes += row?.1.value().len();
        }
        while self.disconnected.len()? > MAX_BLOCKS as u64 || bytes > MAX_BYTES {
            match self.disconnected.pop_first()? {
                Some((_, value)) => bytes -= value.value().len(),
                None => break,
            }
        }
        Ok(())
    }
}

impl View {
    /// Calls `each` with the disconnected blocks whose content is kept, the latest reorg first and
    /// its lowest block first, until it returns `false`. With a `reorg`, only with those of that
    /// reorg, from index `from` on.
    pub fn each_disconnected(
        &self,
        reorg: Option<u64>,
        from: u64,
        mut each: impl FnMut(Disconnected) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        self.read(|| {
            let table = match self.transaction().open_table(tables::DISCONNECTED) {
                Ok(table) => table,
                // A stopped node of an earlier version.
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let mut number = match reorg {
                Some(number) => Some(number),
                None => table.last()?.map(|(key, _)| key.value().0),
            };
            while let Some(current) = number {
                for row in table.range((current, from)..=(current, u64::MAX))? {
                    let (key, value) = row?;
                    if !each(Disconnected::decode(key.value(), value.value())?)? {
                        return Ok(());
                    }
                }
                let before = match reorg {
                    Some(_) => None,
                    None => table.range(..(current, 0))?.next_back().transpose()?,
                };
                number = before.map(|(key, _)| key.value().0);
            }
            Ok(())
        })
    }
}
