//! `/reorgs`: the reorgs of this node, with the disconnected and the connected blocks of each.

use askama::Template;
use http::StatusCode;
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::error_page::{ErrorPage, if_supported};
use super::format;
use super::parts::{BlockCard, DisconnectedRow, Fork, HashLink, Line, RelativeTime, SealBadge};
use super::reply;
use super::request::PageRequest;
use super::site::{Layout, Section, Site};
use crate::wire::{Block, DisconnectedBlockContent, Reorg, ReorgPage};

/// Number of reorgs of a page.
const ROWS: usize = 10;

/// Maximum number of blocks shown of each branch in the list.
const MAX_BLOCKS: usize = 8;

/// Maximum number of blocks shown of each branch on the page of one reorg.
const MAX_BLOCKS_OF_ONE: usize = 100;

/// Maximum number of disconnected blocks that a search shows.
const MAX_HITS: usize = 100;

#[derive(Template)]
#[template(path = "reorgs.html", config = "src/ui/askama.toml")]
struct ReorgsPage {
    layout: Layout,
    /// `None` if the node does not list its reorgs.
    rows: Option<Vec<ReorgRow>>,
    next: Option<u64>,
    count: u64,
    /// The page shows one reorg alone.
    is_single: bool,
    /// Text that disconnected blocks are searched for.
    search: String,
    hits: Vec<DisconnectedRow>,
    /// Token of the form that acknowledges the reorg of the layout; `None` without such a form.
    token: Option<String>,
}

/// A reorg in the list.
#[derive(Debug)]
struct ReorgRow {
    reorg: Reorg,
    time: RelativeTime,
    source: Line,
    /// Disconnected blocks, newest first.
    disconnected: Vec<DisconnectedRow>,
    /// Number of newer blocks that the page does not show.
    more_disconnected: u64,
    /// Connected blocks that are still in the chain, newest first.
    connected: Vec<BlockCard>,
    /// Number of newer blocks that the page does not show.
    more_connected: u64,
    /// A later reorg disconnected these blocks again.
    is_replaced: bool,
    new_tip: HashLink,
    fork: Fork,
    /// Index from which on the next part of the branches is shown.
    next: Option<u64>,
}

/// The part of the branches that a page shows.
#[derive(Clone, Copy, Debug)]
struct Shown {
    /// Index of the lowest block.
    from: u64,
    /// Maximum number of blocks of each branch.
    max: usize,
    /// The seal state of most blocks of the chain.
    usual: SealBadge,
}

impl ReorgRow {
    /// `content` holds the disconnected blocks to show that the node still has; `current` those that
    /// its chain has at these indices now.
    fn new(
        base: &str,
        reorg: Reorg,
        shown: Shown,
        content: &[DisconnectedBlockContent],
        current: &[Block],
    ) -> Self {
        let Shown { from, max, usual } = shown;
        let content = content.iter().take(max);
        let mut disconnected: Vec<_> = content
            .map(|found| DisconnectedRow::with_content(base, found, usual))
            .collect();
        let known = from + disconnected.len() as u64;
        let bare = reorg.left.iter().filter(|block| block.index >= known);
        let room = max - disconnected.len();
        let bare = bare.take(room);
        disconnected.extend(bare.map(|block| DisconnectedRow::bare(base, reorg.number, block)));
        let end = reorg.from + reorg.connected;
        let connected = current.iter().filter(|block| block.index < end).take(max);
        let mut connected: Vec<_> = connected
            .map(|block| BlockCard::new(base, block, usual))
            .collect();
        // `current` covers a short branch completely, so its tip must be in there.
        let is_whole =
            from == reorg.from && usize::try_from(reorg.connected).is_ok_and(|count| count <= max);
        let below = from - reorg.from;
        let more = |all: u64, count: usize| all.saturating_sub(below + count as u64);
        let more_disconnected = more(reorg.disconnected, disconnected.len());
        let more_connected = more(reorg.connected, connected.len());
        let longest = disconnected.len().max(connected.len()) as u64;
        let has_more = more_disconnected + more_connected > 0 && longest > 0;
        disconnected.reverse();
        connected.reverse();
        Self {
            time: RelativeTime::at(reorg.timestamp.as_f64().unwrap_or_default()),
            source: Line::new(&reorg.source, 80),
            more_disconnected,
            more_connected,
            is_replaced: is_whole && current.iter().all(|block| block.hash != reorg.new_tip),
            new_tip: HashLink::new(base, &reorg.new_tip),
            fork: Fork::of(&reorg),
            next: has_more.then_some(from + longest),
            disconnected,
            connected,
            reorg,
        }
    }

    /// Fetches both branches of a reorg.
    async fn fetch(site: &Site, reorg: Reorg, shown: Shown) -> Result<Self, ErrorPage> {
        let shown = Shown {
            from: shown.from.max(reorg.from),
            ..shown
        };
        let (content, current) = tokio::join!(
            site.client
                .disconnected(reorg.number, shown.from, shown.max),
            site.client.blocks(shown.from, shown.max)
        );
        // An older node keeps hashes and ids alone.
        let content = if_supported(content)?.map_or_else(Vec::new, |page| page.blocks);
        let current = current?.blocks;
        Ok(Self::new(&site.base, reorg, shown, &content, &current))
    }
}

#[derive(Deserialize)]
struct Query {
    from: Option<u64>,
    /// Number of the only reorg to show.
    reorg: Option<u64>,
    /// Index of the lowest block to show of it.
    block: Option<u64>,
    q: Option<String>,
}

/// `GET /reorgs?from=`, `GET /reorgs?reorg=&block=` and `GET /reorgs?q=`.
pub(super) async fn get(site: &Site, request: &PageRequest) -> Result<Response, ErrorPage> {
    let query: Query = request.parse_query()?;
    let is_single = query.reorg.is_some();
    let (count, max) = if is_single {
        (1, MAX_BLOCKS_OF_ONE)
    } else {
        (ROWS, MAX_BLOCKS)
    };
    let from = query.reorg.or(query.from);
    let (status, page) = tokio::join!(site.status(), site.client.reorgs(from, count));
    let status = status?;
    let shown = Shown {
        from: query.block.unwrap_or(0),
        max,
        usual: SealBadge::usual(&status),
    };
    let search = query.q.unwrap_or_default();
    let mut hits = Vec::new();
    if !search.is_empty() {
        let found = site.client.find_disconnected(&search, MAX_HITS).await;
        let found = if_supported(found)?.map_or_else(Vec::new, |page| page.blocks);
        let rows = found.iter();
        hits.extend(
            rows.map(|found| DisconnectedRow::with_content(&site.base, found, shown.usual)),
        );
        hits.sort_by_key(|row| std::cmp::Reverse((row.reorg, row.index)));
    }
    let (mut rows, mut next) = (None, None);
    if let Some(ReorgPage { reorgs, next: more }) = if_supported(page)? {
        next = more.filter(|_| !is_single);
        let wanted = |reorg: &Reorg| query.reorg.is_none_or(|number| reorg.number == number);
        let mut fetched = Vec::new();
        for reorg in reorgs.into_iter().filter(wanted).take(count) {
            fetched.push(ReorgRow::fetch(site, reorg, shown).await?);
        }
        if is_single && fetched.is_empty() {
            let text = "This node has recorded no reorg with this number.";
            return Err(ErrorPage::no_such("Reorg", text));
        }
        rows = Some(fetched);
    }
    let (form, session) = site.form(&request.headers, request.is_local());
    let page = ReorgsPage {
        layout: site.layout(Section::Reorgs),
        rows,
        next,
        count: status.reorgs,
        is_single,
        search,
        hits,
        token: site.admin_token.as_ref().map(|_| form.token),
    };
    let response = reply::page(StatusCode::OK, &page);
    Ok(reply::with_session(response, &session, &site.base))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;
    use crate::wire::DisconnectedBlock;

    const SHOWN: Shown = Shown {
        from: 7,
        max: MAX_BLOCKS,
        usual: SealBadge::Sealed,
    };

    #[test]
    fn an_unacknowledged_reorg_is_a_banner_with_a_form() {
        let mut layout = samples::layout();
        layout.reorg = serde_json::from_value(serde_json::json!({
            "number": 12, "timestamp": 1, "from": 7, "disconnected": 9, "disconnected_sealed": 9,
            "connected": 10, "connected_sealed": 10, "deep": true, "trades_sealed": false
        }))
        .ok();
        let mut page = ReorgsPage {
            layout,
            rows: Some(Vec::new()),
            next: None,
            count: 12,
            is_single: false,
            search: String::new(),
            hits: Vec::new(),
            token: Some("f0".to_owned()),
        };
        let html = page.render().unwrap();
        for text in [
            "id=\"reorg-banner\"",
            "/x/reorgs/acknowledge",
            "value=\"f0\"",
        ] {
            assert!(html.contains(text), "{text} {html}");
        }
        page.token = None;
        assert!(page.render().unwrap().contains("blockchain acknowledge 12"));
    }

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
        let content = |mined_in| DisconnectedBlockContent {
            reorg: 12,
            block: samples::block(7, samples::HOSTILE),
            mined_in,
            pending: mined_in.is_none(),
        };
        let rows = [Some(9), None].map(|mined_in| {
            let current = std::slice::from_ref(&block);
            ReorgRow::new(
                "/x",
                reorg(&block.hash),
                SHOWN,
                &[content(mined_in)],
                current,
            )
        });
        let row = &rows[0];
        assert!(!row.is_replaced && row.reorg.counts().trades_sealed());
        assert_eq!((row.more_disconnected, row.more_connected), (2, 0));
        assert_eq!(row.next, Some(8));
        let page = ReorgsPage {
            layout: samples::layout(),
            rows: Some(rows.into()),
            next: Some(2),
            count: 12,
            is_single: false,
            search: "text".to_owned(),
            hits: vec![DisconnectedRow::with_content(
                "/x",
                &content(None),
                SealBadge::Sealed,
            )],
            token: None,
        };
        let html = page.render().unwrap();
        samples::assert_inert(&html);
        for text in [
            "Reorg 12",
            "Block 6 is the last common block. 3 disconnected, 1 connected.",
            "/x/block/7",
            "mined again in block 9",
            "pending",
            "/x/reorgs?reorg=12",
            "/x/reorgs?from=2",
        ] {
            assert!(html.contains(text), "{text} {html}");
        }
    }

    #[test]
    fn branches_are_listed_newest_first() {
        let blocks = [7, 8, 9].map(|index| samples::block(index, "text"));
        let longer = Reorg {
            connected: 5,
            ..reorg("ef")
        };
        let content = blocks.clone().map(|block| DisconnectedBlockContent {
            reorg: 12,
            block,
            mined_in: None,
            pending: true,
        });
        let row = ReorgRow::new("/x", longer, SHOWN, &content, &blocks);
        let disconnected: Vec<_> = row.disconnected.iter().map(|row| row.index).collect();
        let connected: Vec<_> = row.connected.iter().map(|card| card.index).collect();
        assert_eq!((disconnected, connected), (vec![9, 8, 7], vec![9, 8, 7]));
        assert_eq!((row.more_disconnected, row.more_connected), (0, 2));
    }

    #[test]
    fn a_branch_that_was_disconnected_again_is_marked() {
        let block = samples::block(7, "text");
        let row = ReorgRow::new("/x", reorg("ef"), SHOWN, &[], &[block]);
        assert!(row.is_replaced);
        assert!(
            row.disconnected[0].content.is_none(),
            "an older node keeps its hash alone"
        );
        let page = ReorgsPage {
            layout: samples::layout(),
            rows: None,
            next: None,
            count: 0,
            is_single: false,
            search: String::new(),
            hits: Vec::new(),
            token: None,
        };
        assert!(page.render().unwrap().contains("does not list its reorgs"));
    }
}
