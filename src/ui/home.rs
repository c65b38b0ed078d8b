//! `/`: the tip of the chain, and an introduction to blocks.

use askama::Template;
use http::StatusCode;
use warp::http;
use warp::reply::Response;

use super::address::PageAddress;
use super::error_page::{ErrorPage, if_supported};
use super::format;
use super::parts::{
    BlockCard, HashLink, PeerRow, PendingRow, RelativeTime, SealBadge, StatusSummary, now,
};
use super::reply;
use super::request::PageRequest;
use super::site::{Layout, MessageForm, Section, Site};
use crate::wire::{Neighbour, NotableReorg, PeerOrigin, Status};

/// Number of blocks shown.
const CARDS: usize = 6;

/// Age in seconds up to which a notable reorg is shown: a week.
const MAX_NOTICE_AGE: f64 = 7.0 * 24.0 * 60.0 * 60.0;

/// Number of pending messages and of peers shown.
const ROWS: usize = 5;

#[derive(Template)]
#[template(path = "home.html", config = "src/ui/askama.toml")]
struct HomePage {
    layout: Layout,
    form: MessageForm,
    status: Status,
    address: Option<PageAddress>,
    genesis: HashLink,
    tip_time: RelativeTime,
    cards: Vec<BlockCard>,
    pending: Vec<PendingRow>,
    /// `None` if the node does not list its peers.
    peers: Option<Vec<PeerRow>>,
    /// Number of guests, which are peers but not neighbours.
    guests: u64,
    summary: StatusSummary,
    notice: Option<ReorgNotice>,
}

impl HomePage {
    /// Returns `true` if the chain has no message yet.
    fn is_empty(&self) -> bool {
        self.status.length == 1 && self.status.mempool.count == 0
    }
}

/// A recent reorg that an operator should look at.
#[derive(Debug)]
struct ReorgNotice {
    title: &'static str,
    time: RelativeTime,
    reorg: NotableReorg,
}

impl ReorgNotice {
    /// Returns the notice of the last notable reorg, unless the banner of all pages shows it.
    fn of(status: &Status) -> Option<Self> {
        let reorg = status.notable_reorg.clone()?;
        let shown = status.reorg_to_acknowledge();
        if shown.is_some_and(|shown| shown.number == reorg.number) {
            return None;
        }
        let at = reorg.timestamp.as_f64().unwrap_or_default();
        (now() - at < MAX_NOTICE_AGE).then(|| Self {
            title: if reorg.deep {
                "Deep reorg"
            } else {
                "Open blocks replaced sealed blocks"
            },
            time: RelativeTime::at(at),
            reorg,
        })
    }
}

/// `GET /`.
pub(super) async fn get(site: &Site, request: &PageRequest) -> Result<Response, ErrorPage> {
    let client = &site.client;
    let (status, blocks, peers) = tokio::join!(
        site.status(),
        client.blocks_down(None, CARDS),
        client.neighbour_list()
    );
    let (status, blocks) = (status?, blocks?.blocks);
    let pending = if status.mempool.count == 0 {
        Vec::new()
    } else {
        client.mempool(None, ROWS).await?.messages
    };
    let (form, session) = site.form(&request.headers, request.is_local());
    let peers = if_supported(peers)?.map(|list| list.neighbours);
    let is_guest = |peer: &&Neighbour| peer.origin == PeerOrigin::Guest;
    let page = HomePage {
        layout: site.layout(Section::Home),
        form,
        address: PageAddress::of(&request.headers, &site.base),
        genesis: HashLink::new(&site.base, &status.genesis),
        tip_time: RelativeTime::at(status.tip.timestamp.as_f64().unwrap_or_default()),
        cards: blocks
            .iter()
            .map(|block| BlockCard::new(&site.base, block, SealBadge::usual(&status)))
            .collect(),
        pending: pending.iter().map(PendingRow::new).collect(),
        guests: peers.iter().flatten().filter(is_guest).count() as u64,
        summary: StatusSummary::with_peers(&status, peers.as_deref()),
        peers: peers.map(|peers| {
            let rows = peers.iter().take(ROWS);
            rows.map(|peer| PeerRow::new(&site.base, peer, &status))
                .collect()
        }),
        notice: ReorgNotice::of(&status),
        status,
    };
    let response = reply::page(StatusCode::OK, &page);
    Ok(reply::with_session(response, &session, &site.base))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Number;

    use crate::ui::samples;
    use crate::wire::PendingMessage;

    fn page() -> HomePage {
        let status = samples::status();
        let pending = PendingMessage {
            sequence: 1,
            id: "e".repeat(32),
            message: samples::HOSTILE.to_owned(),
            age: 1.0,
        };
        HomePage {
            layout: samples::layout(),
            form: samples::form(),
            address: None,
            genesis: HashLink::new("/x", &status.genesis),
            tip_time: RelativeTime::at(0.0),
            cards: vec![BlockCard::new(
                "/x",
                &samples::block(1, samples::HOSTILE),
                SealBadge::Sealed,
            )],
            pending: vec![PendingRow::new(&pending)],
            peers: None,
            guests: 1,
            summary: StatusSummary::with_peers(&status, None),
            notice: ReorgNotice::of(&status),
            status,
        }
    }

    #[test]
    fn the_page_shows_the_chain_and_is_inert() {
        let html = page().render().unwrap();
        samples::assert_inert(&html);
        for text in [
            "Block 1",
            "1,048,576",
            "65.0 MH/s",
            "16 ms",
            "name=\"token\"",
        ] {
            assert!(html.contains(text), "{text} {html}");
        }
        assert!(html.contains("does not list its peers"), "{html}");
        let count = format!("{} and 1 guest</span>", page().status.sync.neighbours);
        assert!(html.contains(&count), "{html}");
    }

    #[test]
    fn a_recent_notable_reorg_is_shown_with_both_counts() {
        let mut status = samples::status();
        let mut reorg = NotableReorg {
            number: 12,
            timestamp: Number::from_f64(now() - 60.0).unwrap(),
            from: 1,
            disconnected: 1245,
            disconnected_sealed: 1244,
            connected: 1246,
            connected_sealed: 1243,
            deep: true,
            trades_sealed: true,
        };
        let render = |status: Status| {
            let notice = ReorgNotice::of(&status);
            let page = HomePage {
                status,
                notice,
                ..page()
            };
            page.render().unwrap()
        };
        status.notable_reorg = Some(reorg.clone());
        assert!(
            ReorgNotice::of(&status).is_none(),
            "the banner of all pages shows it"
        );
        status.acknowledged_reorg = 12;
        let html = render(status.clone());
        for text in [
            "Deep reorg",
            "1,245 blocks from block 1 on (1,244 sealed)",
            "replaced by 1,246 (1,243 sealed)",
            "/x/reorgs?from=12",
        ] {
            assert!(html.contains(text), "{text} {html}");
        }
        reorg.deep = false;
        status.notable_reorg = Some(reorg.clone());
        assert!(render(status.clone()).contains("Open blocks replaced sealed blocks"));
        reorg.timestamp = 1_600_000_000.into();
        status.notable_reorg = Some(reorg);
        assert!(!render(status).contains("reorgs?from=12"), "years ago");
    }
}
