//! `/`: the end of the chain, and what a block is.

use askama::Template;
use http::StatusCode;
use warp::http;
use warp::reply::Response;

use super::error_page::{ErrorPage, if_known};
use super::format;
use super::mempool::PendingRow;
use super::parts::{Card, Hash, When, now};
use super::peers::PeerRow;
use super::reply;
use super::routes::PageRequest;
use super::site::{Form, Frame, Place, Site};
use crate::wire::{Neighbour, NotableReorg, PeerOrigin, Status};

/// Blocks shown as a chain.
const CARDS: usize = 6;

/// How long a reorg that people should look at is shown here: a week. The list keeps it.
const NOTICE_SECONDS: f64 = 7.0 * 24.0 * 60.0 * 60.0;

/// Rows of the other lists.
const ROWS: usize = 5;

#[derive(Template)]
#[template(path = "home.html", config = "src/ui/askama.toml")]
struct HomePage {
    frame: Frame,
    form: Form,
    status: Status,
    genesis: Hash,
    tip: When,
    cards: Vec<Card>,
    pending: Vec<PendingRow>,
    /// None from a node that does not tell.
    peers: Option<Vec<PeerRow>>,
    /// Those of them that do not count as neighbours.
    guests: u64,
    figures: Figures,
    notice: Option<Notice>,
}

/// A recent reorg that people should look at.
#[derive(Debug)]
struct Notice {
    title: &'static str,
    when: When,
    reorg: NotableReorg,
}

impl Notice {
    fn of(status: &Status) -> Option<Self> {
        let reorg = status.notable_reorg.clone()?;
        let at = reorg.timestamp.as_f64().unwrap_or_default();
        (now() - at < NOTICE_SECONDS).then(|| Self {
            title: if reorg.deep {
                "Deep reorg"
            } else {
                "Sealed blocks were traded for open ones"
            },
            when: When::at(at),
            reorg,
        })
    }
}

/// The status of a node in words.
#[derive(Debug)]
pub(super) struct Figures {
    /// Tries that a proof takes on average.
    pub(super) tries: String,
    /// How fast the miner was last.
    pub(super) rate: String,
    /// How long a proof takes at that rate; empty if it is not known.
    pub(super) takes: String,
    pub(super) mining: &'static str,
    pub(super) sync: String,
}

impl Figures {
    pub(super) fn of(status: &Status) -> Self {
        let (mining, sync) = (&status.mining, &status.sync);
        let tries = 16_f64.powi(i32::from(status.difficulty));
        let is_measured = mining.hash_rate > 0.0;
        Self {
            tries: format::large(tries),
            rate: if is_measured {
                format::rate(mining.hash_rate)
            } else {
                "not measured yet".to_owned()
            },
            takes: if is_measured {
                format::duration(tries / mining.hash_rate)
            } else {
                String::new()
            },
            mining: match (mining.threads, mining.active) {
                (0, _) => "does not mine",
                (_, true) => "searching for a proof",
                (_, false) => "idle: nothing waits",
            },
            sync: match (&sync.fetching_from, sync.target, sync.neighbours) {
                (Some(_), Some(target), _) => {
                    let percent = status.length.saturating_mul(100) / target.max(1);
                    format!("fetching blocks, {}%", percent.min(99))
                }
                (Some(_), None, _) => "fetching blocks".to_owned(),
                (None, _, 0) => "alone".to_owned(),
                (None, ..) if sync.answering == 0 => "no neighbour answers".to_owned(),
                (None, ..) => "in step".to_owned(),
            },
        }
    }
}

/// `GET /`.
pub(super) async fn get(site: &Site, asked: &PageRequest) -> Result<Response, ErrorPage> {
    let client = &site.client;
    let (status, blocks, peers) = tokio::join!(
        client.status(),
        client.blocks_down(None, CARDS),
        client.neighbour_list()
    );
    let (status, blocks) = (status?, blocks?.blocks);
    let pending = if status.mempool.count == 0 {
        Vec::new()
    } else {
        client.mempool(None, ROWS).await?.messages
    };
    let (form, session) = site.form(&asked.headers);
    let peers = if_known(peers)?.map(|list| list.neighbours);
    let is_guest = |peer: &&Neighbour| peer.origin == PeerOrigin::Guest;
    let page = HomePage {
        frame: site.frame(Place::Home),
        form,
        genesis: Hash::new(&site.base, &status.genesis),
        tip: When::at(status.tip.timestamp.as_f64().unwrap_or_default()),
        cards: blocks
            .iter()
            .map(|block| Card::new(&site.base, block))
            .collect(),
        pending: pending.iter().map(PendingRow::new).collect(),
        guests: peers.iter().flatten().filter(is_guest).count() as u64,
        peers: peers.map(|peers| {
            let rows = peers.iter().take(ROWS);
            rows.map(|peer| PeerRow::new(&site.base, peer, &status))
                .collect()
        }),
        figures: Figures::of(&status),
        notice: Notice::of(&status),
        status,
    };
    let response = reply::page(StatusCode::OK, &page);
    Ok(reply::remember(response, &session, &site.base))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Number;

    use crate::ui::samples;
    use crate::wire::PendingMessage;

    fn page() -> HomePage {
        let status = samples::status();
        let waiting = PendingMessage {
            sequence: 1,
            id: "e".repeat(32),
            message: samples::HOSTILE.to_owned(),
            age: 1.0,
        };
        HomePage {
            frame: samples::frame(),
            form: samples::form(),
            genesis: Hash::new("/x", &status.genesis),
            tip: When::at(0.0),
            cards: vec![Card::new("/x", &samples::block(1, samples::HOSTILE))],
            pending: vec![PendingRow::new(&waiting)],
            peers: None,
            guests: 1,
            figures: Figures::of(&status),
            notice: Notice::of(&status),
            status,
        }
    }

    #[test]
    fn the_page_shows_the_chain_and_nothing_hostile_runs() {
        let html = page().render().unwrap();
        samples::is_inert(&html);
        for text in [
            "Block 1",
            "1,048,576",
            "65.0 MH/s",
            "16 ms",
            "name=\"token\"",
        ] {
            assert!(html.contains(text), "{text} {html}");
        }
        assert!(html.contains("does not tell"), "{html}");
        let count = format!("{} and 1 guest</span>", page().status.sync.neighbours);
        assert!(html.contains(&count), "{html}");
    }

    #[test]
    fn a_recent_reorg_that_people_should_look_at_is_shown_with_both_counts() {
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
            let notice = Notice::of(&status);
            let page = HomePage {
                status,
                notice,
                ..page()
            };
            page.render().unwrap()
        };
        status.notable_reorg = Some(reorg.clone());
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
        assert!(render(status.clone()).contains("traded for open ones"));
        reorg.timestamp = 1_600_000_000.into();
        status.notable_reorg = Some(reorg);
        assert!(!render(status).contains("reorgs?from=12"), "years ago");
    }

    #[test]
    fn sync_and_mining_are_said_in_words() {
        let mut status = samples::status();
        assert_eq!(Figures::of(&status).sync, "in step");
        status.sync.answering = 0;
        assert_eq!(Figures::of(&status).sync, "no neighbour answers");
        status.sync.fetching_from = Some("a:1".to_owned());
        status.sync.target = Some(8);
        assert_eq!(Figures::of(&status).sync, "fetching blocks, 25%");
        status.mining.threads = 0;
        status.mining.hash_rate = 0.0;
        let figures = Figures::of(&status);
        assert_eq!((figures.mining, &*figures.takes), ("does not mine", ""));
    }
}
