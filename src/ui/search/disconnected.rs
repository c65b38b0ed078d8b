//! Blocks that reorgs disconnected, found by their hash or message id in the list of reorgs.

use crate::ui::error_page::{ErrorPage, if_supported};
use crate::ui::parts::{HashLink, RelativeTime};
use crate::ui::site::Site;
use crate::wire::{DisconnectedBlock, Lookup, Reorg};

/// Number of reorgs of a request.
const PAGE: usize = 200;

/// Maximum number of requests of a search, which bounds its time.
const MAX_PAGES: usize = 5;

/// Maximum number of hits.
const MAX_HITS: usize = 20;

/// A block that is not in the chain any more.
#[derive(Debug)]
pub(super) struct DisconnectedHit {
    pub(super) index: u64,
    pub(super) hash: HashLink,
    pub(super) message_id: String,
    /// Number and time of the reorg that disconnected it.
    pub(super) reorg: u64,
    pub(super) time: RelativeTime,
}

impl DisconnectedHit {
    fn new(base: &str, reorg: &Reorg, block: &DisconnectedBlock) -> Self {
        Self {
            index: block.index,
            hash: HashLink::new(base, &block.hash),
            message_id: block.message_id.clone(),
            reorg: reorg.number,
            time: RelativeTime::at(reorg.timestamp.as_f64().unwrap_or_default()),
        }
    }
}

/// Returns the disconnected blocks that a text names, the latest first.
pub(super) async fn hits(
    site: &Site,
    text: &str,
    reorgs: u64,
) -> Result<Vec<DisconnectedHit>, ErrorPage> {
    let wanted = Lookup::parse(text);
    let mut hits = Vec::new();
    if reorgs == 0 || wanted.hashes.is_none() && wanted.id.is_none() {
        return Ok(hits);
    }
    let mut from = None;
    for _ in 0..MAX_PAGES {
        let Some(page) = if_supported(site.client.reorgs(from, PAGE).await)? else {
            break;
        };
        for reorg in &page.reorgs {
            let named = reorg.left.iter().filter(|block| names(&wanted, block));
            hits.extend(named.map(|block| DisconnectedHit::new(&site.base, reorg, block)));
        }
        from = page.next;
        if from.is_none() || hits.len() >= MAX_HITS {
            break;
        }
    }
    hits.truncate(MAX_HITS);
    Ok(hits)
}

/// Returns `true` if a reorg disconnected the block with this hash.
pub(in crate::ui) async fn is_disconnected(site: &Site, hash: &str) -> bool {
    match hits(site, hash, 1).await {
        Ok(hits) => !hits.is_empty(),
        Err(_) => false,
    }
}

fn names(wanted: &Lookup, block: &DisconnectedBlock) -> bool {
    let is_hash = wanted.hashes.is_some_and(|(first, last)| {
        let hash = block.hash.parse();
        hash.is_ok_and(|hash| (first..=last).contains(&hash))
    });
    let is_id = wanted
        .id
        .is_some_and(|id| block.message_id == id.to_string());
    is_hash || is_id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disconnected_block_is_named_by_its_hash_or_message_id() {
        let block = DisconnectedBlock {
            index: 7,
            hash: "cd".repeat(32),
            message_id: "e".repeat(32),
        };
        for (text, is_named) in [
            ("cdcdcd".to_owned(), true),
            ("cd".repeat(32), true),
            ("e".repeat(32), true),
            ("cdcdce".to_owned(), false),
            ("f".repeat(32), false),
            ("7".to_owned(), false),
        ] {
            assert_eq!(names(&Lookup::parse(&text), &block), is_named, "{text}");
        }
    }
}
