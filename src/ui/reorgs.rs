//! `/reorgs`: the reorgs of this node, with the disconnected and the connected blocks of each.

use askama::Template;
use http::StatusCode;
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::error_page::{ErrorPage, if_supported};
use super::format;
use super::parts::{BlockCard, Fork, HashLink, Line, RelativeTime, SealBadge};
use super::reply;
use super::request::PageRequest;
use super::site::{Layout, Section, Site};
use crate::wire::{Block, Reorg, ReorgPage};

/// Number of reorgs of a page.
const ROWS: usize = 10;

/// Maximum number of blocks shown of each branch.
const MAX_BLOCKS: usize = 8;

#[derive(Template)]
#[template(path = "reorgs.html", config = "src/ui/askama.toml")]
struct ReorgsPage {
    layout: Layout,
    /// `None` if the node does not list its reorgs.
    rows: Option<Vec<ReorgRow>>,
    next: Option<u64>,
    count: u64,
}

/// A reorg in the list.
#[derive(Debug)]
struct ReorgRow {
    reorg: Reorg,
    time: RelativeTime,
    source: Line,
    disconnected: Vec<DisconnectedRow>,
    more_disconnected: u64,
    /// Connected blocks that are still in the chain.
    connected: Vec<BlockCard>,
    more_connected: u64,
    /// A later reorg disconnected these blocks again.
    is_replaced: bool,
    new_tip: HashLink,
    fork: Fork,
}

#[derive(Debug)]
struct DisconnectedRow {
    index: u64,
    hash: HashLink,
    message_id: String,
}

impl ReorgRow {
    /// `current` holds the blocks that the chain has at these indices now.
    fn new(base: &str, reorg: Reorg, current: &[Block], usual: SealBadge) -> Self {
        let disconnected = reorg.left.iter().take(MAX_BLOCKS);
        let disconnected: Vec<_> = disconnected
            .map(|block| DisconnectedRow {
                index: block.index,
                hash: HashLink::new(base, &block.hash),
                message_id: block.message_id.clone(),
            })
            .collect();
        let connected: Vec<_> = current
            .iter()
            .take(MAX_BLOCKS)
            .map(|block| BlockCard::new(base, block, usual))
            .collect();
        // `current` covers a short branch completely, so its tip must be in there.
        let is_whole = usize::try_from(reorg.connected).is_ok_and(|count| count <= MAX_BLOCKS);
        Self {
            time: RelativeTime::at(reorg.timestamp.as_f64().unwrap_or_default()),
            source: Line::new(&reorg.source, 80),
            more_disconnected: reorg.disconnected.saturating_sub(disconnected.len() as u64),
            more_connected: reorg.connected.saturating_sub(connected.len() as u64),
            is_replaced: is_whole && current.iter().all(|block| block.hash != reorg.new_tip),
            new_tip: HashLink::new(base, &reorg.new_tip),
            fork: Fork::of(&reorg),
            disconnected,
            connected,
            reorg,
        }
    }
}

#[derive(Deserialize)]
struct Query {
    from: Option<u64>,
}

/// `GET /reorgs?from=`.
pub(super) async fn get(site: &Site, request: &PageRequest) -> Result<Response, ErrorPage> {
    let from = request.parse_query::<Query>()?.from;
    let (status, page) = tokio::join!(site.status(), site.client.reorgs(from, ROWS));
    let status = status?;
    let usual = SealBadge::usual(&status);
    let (mut rows, mut next) = (None, None);
    if let Some(ReorgPage { reorgs, next: more }) = if_supported(page)? {
        next = more;
        let mut shown = Vec::new();
        for reorg in reorgs.into_iter().take(ROWS) {
            let count = usize::try_from(reorg.connected)
                .unwrap_or(MAX_BLOCKS)
                .clamp(1, MAX_BLOCKS);
            let current = site.client.blocks(reorg.from, count).await?;
            shown.push(ReorgRow::new(&site.base, reorg, &current.blocks, usual));
        }
        rows = Some(shown);
    }
    let page = ReorgsPage {
        layout: site.layout(Section::Reorgs),
        rows,
        next,
        count: status.reorgs,
    };
    Ok(reply::page(StatusCode::OK, &page))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;
    use crate::wire::DisconnectedBlock;

    fn reorg(new_tip: &str) -> Reorg {
        Reorg {
            number: 12,
            timestamp: 1_700_000_000.into(),
            time: None,
            source: samples::HOSTILE.to_owned(),
            from: 7,
            old_tip: "cd".repeat(32),
            new_tip: new_tip.to_owned(),
            disconnected: 3,
            disconnected_sealed: 3,
            connected: 1,
            connected_sealed: 0,
            returned: 2,
            deep: false,
            trades_sealed: true,
            left: vec![DisconnectedBlock {
                index: 7,
                hash: "cd".repeat(32),
                message_id: "e".repeat(32),
            }],
        }
    }

    #[test]
    fn both_branches_are_shown_and_inert() {
        let block = samples::block(7, samples::HOSTILE);
        let row = ReorgRow::new(
            "/x",
            reorg(&block.hash),
            std::slice::from_ref(&block),
            SealBadge::Sealed,
        );
        assert!(!row.is_replaced && row.reorg.counts().trades_sealed());
        assert_eq!((row.more_disconnected, row.more_connected), (2, 0));
        let page = ReorgsPage {
            layout: samples::layout(),
            rows: Some(vec![row]),
            next: Some(2),
            count: 12,
        };
        let html = page.render().unwrap();
        samples::assert_inert(&html);
        for text in [
            "Reorg 12",
            "Block 6 is the last common block. 3 disconnected, 1 connected.",
            "/x/block/7",
            "/x/message/eee",
            "/x/reorgs?from=2",
        ] {
            assert!(html.contains(text), "{text} {html}");
        }
    }

    #[test]
    fn a_branch_that_was_disconnected_again_is_marked() {
        let block = samples::block(7, "text");
        assert!(ReorgRow::new("/x", reorg("ef"), &[block], SealBadge::Sealed).is_replaced);
        let page = ReorgsPage {
            layout: samples::layout(),
            rows: None,
            next: None,
            count: 0,
        };
        assert!(page.render().unwrap().contains("does not list its reorgs"));
    }
}
