//! Compares every answer of the store with the model.

use blockchain::chain::{BlockHash, Message, Tip};
use blockchain::reference::json;
use blockchain::store::integrity::IntegrityReport;
use blockchain::store::{PageLimit, View};

use super::model::standing;
use super::world::World;
use crate::support::chain::tree_hash;
use crate::support::check::check_all;
use crate::support::random::SeededRng;

impl World {
    pub(super) fn compare(&self, seed: u64) {
        let mut rng = SeededRng::new(seed ^ 1);
        let view = self.store().view().unwrap();
        self.compare_state(&view);
        self.compare_blocks(&view, &mut rng);
        self.compare_indexes(&view, &mut rng);
        self.compare_mempool(&view, &mut rng);
        let reorgs = view.reorgs(u64::MAX, usize::MAX).unwrap().into_iter().rev();
        let numbered = (1..).zip(self.model.reorgs.iter().cloned());
        assert!(reorgs.eq(numbered), "the records of the reorgs differ");
        for (old, new) in &self.model.renamed {
            assert_eq!(view.renamed(old).unwrap().as_ref(), Some(new));
        }
        for (message, fresh) in &self.model.acknowledged {
            let id = message.id();
            assert!(self.model.holds(message), "{id} is lost");
            let found = self.model.found_under(id);
            assert!(!fresh || found == Some(message.text()), "{id} is hidden");
        }
        let report = check_all(&view).unwrap();
        let (blocks, pending) = (self.model.length(), self.model.pending.len() as u64);
        assert_eq!(report, IntegrityReport { blocks, pending });
    }

    fn compare_state(&self, view: &View) {
        let (state, blocks) = (self.store().state(), &self.model.blocks);
        assert_eq!(state.tip, Tip::of(blocks.last().unwrap()));
        assert_eq!(state.fork_candidate(), standing(blocks));
        assert_eq!(state.history.root(), tree_hash(blocks));
        assert_eq!(state.network, self.model.network);
        assert_eq!(view.network().unwrap(), self.model.network);
        assert_eq!(state.reorgs(), self.model.reorgs.len() as u64);
        let messages = || self.model.pending.iter().map(|entry| &entry.message);
        let totals = view.totals().unwrap();
        let expected_count = messages().count() as u64;
        assert_eq!(
            (state.mempool_count(), totals.mempool_count),
            (expected_count, expected_count)
        );
        let expected_bytes = messages()
            .map(|message| message.text().len() as u64)
            .sum::<u64>();
        assert_eq!(
            (state.mempool_bytes(), totals.mempool_bytes),
            (expected_bytes, expected_bytes)
        );
        assert_eq!(totals.sealed, state.sealed());
        assert_eq!(
            totals.mempool_json_bytes,
            messages().map(message_bytes).sum::<u64>()
        );
        let block_bytes = |block| written(|out| json::write_block(block, out));
        assert_eq!(
            totals.chain_json_bytes,
            blocks.iter().map(block_bytes).sum::<u64>()
        );
    }

    fn compare_blocks(&self, view: &View, rng: &mut SeededRng) {
        let blocks = &self.model.blocks;
        assert_eq!(view.tip_block().unwrap(), *blocks.last().unwrap());
        let limit = page(rng);
        let mut read = Vec::new();
        loop {
            let page = view.blocks(read.len() as u64, limit).unwrap();
            if page.is_empty() {
                break;
            }
            read.extend(page);
        }
        assert_eq!(read, *blocks);
        let mut read = Vec::new();
        while read.len() < blocks.len() {
            let from = (blocks.len() - read.len() - 1) as u64;
            read.extend(view.blocks_down(from, limit).unwrap());
        }
        assert!(read.iter().eq(blocks.iter().rev()));
        assert_eq!(
            view.blocks_down(u64::MAX, limit).unwrap()[0],
            *blocks.last().unwrap()
        );
        assert_eq!(view.block(self.model.length()).unwrap(), None);
        let length = rng.index(blocks.len() + 1);
        let root = view.history_root(length as u64).unwrap();
        assert_eq!(
            root,
            tree_hash(&blocks[..length]),
            "root over {length} blocks"
        );
    }

    fn compare_indexes(&self, view: &View, rng: &mut SeededRng) {
        let blocks = &self.model.blocks;
        for block in blocks {
            assert_eq!(view.block(block.index).unwrap().as_ref(), Some(block));
            assert_eq!(
                view.index_of(&BlockHash::of(block)).unwrap(),
                Some(block.index)
            );
            let id = block.message.id();
            let lowest = blocks.iter().position(|block| block.message.id() == id);
            assert_eq!(
                view.index_of_message(&id).unwrap(),
                lowest.map(|index| index as u64)
            );
        }
        for block in self.left.iter().rev().take(3).flatten() {
            let index = blocks.iter().position(|held| held == block);
            let found = view.index_of(&BlockHash::of(block)).unwrap();
            assert_eq!(found, index.map(|index| index as u64));
            let id = block.message.id();
            let carried = blocks.iter().any(|block| block.message.id() == id);
            assert_eq!(view.index_of_message(&id).unwrap().is_some(), carried);
        }
        assert_eq!(view.index_of_message(&rng.id()).unwrap(), None);
        assert_eq!(view.pending(&rng.id()).unwrap(), None);
    }

    fn compare_mempool(&self, view: &View, rng: &mut SeededRng) {
        let (limit, mut read, mut next) = (page(rng), Vec::new(), 0);
        loop {
            let page = view.pending_from(next, limit).unwrap();
            let Some(last) = page.last() else { break };
            next = last.sequence + 1;
            read.extend(page);
        }
        assert!(read.is_sorted_by(|one, next| one.sequence < next.sequence));
        let shown = read
            .iter()
            .map(|pending| (&pending.message, pending.arrived));
        let expected = self
            .model
            .pending
            .iter()
            .map(|entry| (&entry.message, entry.arrived));
        assert_eq!(shown.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        for pending in read {
            assert_eq!(view.pending(&pending.message.id()).unwrap(), Some(pending));
        }
    }
}

fn page(rng: &mut SeededRng) -> PageLimit {
    PageLimit {
        count: 1 + rng.index(20),
        bytes: [0, 500, 1 << 20][rng.index(3)],
    }
}

fn message_bytes(message: &Message) -> u64 {
    written(|out| json::write_message(message, out))
}

/// Bytes of a JSON text inside a JSON string.
fn written(write: impl FnOnce(&mut Vec<u8>)) -> u64 {
    let (mut text, mut escaped) = (Vec::new(), Vec::new());
    write(&mut text);
    json::write_escaped(&text, &mut escaped);
    escaped.len() as u64
}
