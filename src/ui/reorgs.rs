//! `/reorgs`: when this node left a branch for another one, with both.

use askama::Template;
use http::StatusCode;
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::error_page::{ErrorPage, if_known};
use super::format;
use super::parts::{Card, Hash, Line, When};
use super::reply;
use super::routes::PageRequest;
use super::site::{Frame, Place, Site};
use crate::wire::{Block, Reorg, ReorgPage};

/// Reorgs of a page.
const ROWS: usize = 10;

/// Blocks shown of each branch.
const BLOCKS: usize = 8;

#[derive(Template)]
#[template(path = "reorgs.html", config = "src/ui/askama.toml")]
struct ReorgsPage {
    frame: Frame,
    /// None from a node that does not tell.
    rows: Option<Vec<Row>>,
    next: Option<u64>,
    count: u64,
}

/// A switch to another branch.
#[derive(Debug)]
struct Row {
    reorg: Reorg,
    when: When,
    source: Line,
    left: Vec<Left>,
    more_left: u64,
    /// The branch that was followed, as far as it still stands.
    followed: Vec<Card>,
    more_followed: u64,
    is_replaced: bool,
    new_tip: Hash,
}

#[derive(Debug)]
struct Left {
    index: u64,
    hash: Hash,
    id: String,
}

impl Row {
    /// `now` are the blocks that stand today where the branch was put on.
    fn new(base: &str, reorg: Reorg, now: &[Block]) -> Self {
        let left = reorg.left.iter().take(BLOCKS);
        let left: Vec<_> = left
            .map(|block| Left {
                index: block.index,
                hash: Hash::new(base, &block.hash),
                id: block.message_id.clone(),
            })
            .collect();
        let followed: Vec<_> = now
            .iter()
            .take(BLOCKS)
            .map(|block| Card::new(base, block))
            .collect();
        // The whole branch was asked for if it is short, so its tip can be looked for.
        let is_whole = usize::try_from(reorg.connected).is_ok_and(|count| count <= BLOCKS);
        Self {
            when: When::at(reorg.timestamp.as_f64().unwrap_or_default()),
            source: Line::new(&reorg.source, 80),
            more_left: reorg.disconnected.saturating_sub(left.len() as u64),
            more_followed: reorg.connected.saturating_sub(followed.len() as u64),
            is_replaced: is_whole && now.iter().all(|block| block.hash != reorg.new_tip),
            new_tip: Hash::new(base, &reorg.new_tip),
            left,
            followed,
            reorg,
        }
    }
}

#[derive(Deserialize)]
struct Query {
    from: Option<u64>,
}

/// `GET /reorgs?from=`.
pub(super) async fn get(site: &Site, asked: &PageRequest) -> Result<Response, ErrorPage> {
    let from = asked.query::<Query>()?.from;
    let (status, page) = tokio::join!(site.client.status(), site.client.reorgs(from, ROWS));
    let (mut rows, mut next) = (None, None);
    if let Some(ReorgPage { reorgs, next: more }) = if_known(page)? {
        next = more;
        let mut shown = Vec::new();
        for reorg in reorgs.into_iter().take(ROWS) {
            let count = usize::try_from(reorg.connected)
                .unwrap_or(BLOCKS)
                .clamp(1, BLOCKS);
            let now = site.client.blocks(reorg.from, count).await?;
            shown.push(Row::new(&site.base, reorg, &now.blocks));
        }
        rows = Some(shown);
    }
    let page = ReorgsPage {
        frame: site.frame(Place::Reorgs),
        rows,
        next,
        count: status?.reorgs,
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
    fn both_branches_are_shown_and_nothing_hostile_runs() {
        let block = samples::block(7, samples::HOSTILE);
        let row = Row::new("/x", reorg(&block.hash), std::slice::from_ref(&block));
        assert!(!row.is_replaced && row.reorg.counts().trades_sealed());
        assert_eq!((row.more_left, row.more_followed), (2, 0));
        let page = ReorgsPage {
            frame: samples::frame(),
            rows: Some(vec![row]),
            next: Some(2),
            count: 12,
        };
        let html = page.render().unwrap();
        samples::is_inert(&html);
        for text in [
            "Reorg 12",
            "/x/block/7",
            "/x/message/eee",
            "/x/reorgs?from=2",
        ] {
            assert!(html.contains(text), "{text} {html}");
        }
    }

    #[test]
    fn a_branch_that_was_left_again_is_said_to_be() {
        let block = samples::block(7, "text");
        assert!(Row::new("/x", reorg("ef"), &[block]).is_replaced);
        let page = ReorgsPage {
            frame: samples::frame(),
            rows: None,
            next: None,
            count: 0,
        };
        assert!(page.render().unwrap().contains("does not tell"));
    }
}
