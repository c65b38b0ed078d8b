//! `/peers`: the neighbours of the node, and whether they share its network.

use askama::Template;
use http::StatusCode;
use warp::http;
use warp::reply::Response;

use super::error_page::{ErrorPage, if_known};
use super::format;
use super::home::Figures;
use super::parts::{Hash, Line, When, now};
use super::reply;
use super::site::{Frame, Place, Site};
use crate::wire::{Neighbour, PeerKind, PeerOrigin, Status};

#[derive(Template)]
#[template(path = "peers.html", config = "src/ui/askama.toml")]
struct PeersPage {
    frame: Frame,
    status: Status,
    genesis: Hash,
    figures: Figures,
    /// What the node warns of, and neighbours that do not share its network.
    differences: Vec<Line>,
    /// None from a node that does not tell.
    peers: Option<Vec<PeerRow>>,
}

/// A neighbour.
#[derive(Debug)]
pub(super) struct PeerRow {
    pub(super) address: Line,
    pub(super) kind: &'static str,
    pub(super) origin: &'static str,
    pub(super) version: Option<Line>,
    pub(super) tip: Option<(u64, Hash)>,
    /// How its tip stands to ours.
    pub(super) stand: String,
    pub(super) answered: Option<When>,
    pub(super) failures: u32,
    pub(super) retry: Option<String>,
    pub(super) refused: Option<Line>,
    /// How its clock differs, if it does.
    pub(super) clock: Option<String>,
    pub(super) held_back: Option<Line>,
    pub(super) checks: Vec<Check>,
}

/// Something that must be the same on both sides.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) is_same: bool,
    pub(super) theirs: String,
}

impl PeerRow {
    pub(super) fn new(base: &str, peer: &Neighbour, own: &Status) -> Self {
        let rule = |from: Option<u64>| {
            from.map_or_else(
                || "open allowed".to_owned(),
                |from| format!("sealed from {from}"),
            )
        };
        // Of one that is gone nobody knows what it has now.
        let answers = peer.failures == 0 && peer.last_answer.is_some();
        let network = peer.network.iter().filter(|_| answers);
        let checks = network.flat_map(|network| {
            let genesis = network.genesis.get(..10).unwrap_or_default();
            [
                (
                    "genesis",
                    network.genesis == own.genesis,
                    format!("{genesis}…"),
                ),
                (
                    "difficulty",
                    network.difficulty == own.difficulty,
                    network.difficulty.to_string(),
                ),
                (
                    "seal rule",
                    network.sealed_from == own.sealed_from,
                    rule(network.sealed_from),
                ),
            ]
        });
        let stand = peer
            .tip
            .as_ref()
            .map(|tip| match tip.index.cmp(&own.tip.index) {
                std::cmp::Ordering::Equal if tip.hash == own.tip.hash => "the same tip".to_owned(),
                std::cmp::Ordering::Equal => "another tip".to_owned(),
                std::cmp::Ordering::Less => {
                    format!("{} behind", format::number(own.tip.index - tip.index))
                }
                std::cmp::Ordering::Greater => {
                    format!("{} ahead", format::number(tip.index - own.tip.index))
                }
            });
        Self {
            address: Line::new(&peer.address, 80),
            kind: match peer.kind {
                PeerKind::Unknown => "not known yet",
                PeerKind::Ours => "this program",
                PeerKind::Reference => "reference miner",
            },
            origin: match peer.origin {
                PeerOrigin::Configured => "configured",
                PeerOrigin::Learned => "learned",
                PeerOrigin::Guest => "guest",
            },
            version: peer
                .version
                .as_deref()
                .map(|version| Line::new(version, 40)),
            tip: peer
                .tip
                .as_ref()
                .map(|tip| (tip.index, Hash::new(base, &tip.hash))),
            stand: stand.unwrap_or_default(),
            answered: peer.last_answer.map(|age| When::at(now() - age)),
            failures: peer.failures,
            retry: peer.retry_in.map(format::brief),
            refused: peer.refused.as_deref().map(|reason| Line::new(reason, 400)),
            clock: peer.clock_offset.filter(|_| answers).map(format::clock),
            held_back: peer.held_back.as_deref().map(|text| Line::new(text, 400)),
            checks: checks
                .map(|(name, is_same, theirs)| Check {
                    name,
                    is_same,
                    theirs,
                })
                .collect(),
        }
    }
}

/// `GET /peers`.
pub(super) async fn get(site: &Site) -> Result<Response, ErrorPage> {
    let (status, peers) = tokio::join!(site.client.status(), site.client.neighbour_list());
    let status = status?;
    let page = PeersPage {
        frame: site.frame(Place::Peers),
        genesis: Hash::new(&site.base, &status.genesis),
        figures: Figures::of(&status),
        differences: status
            .sync
            .differences
            .iter()
            .chain(&status.warnings)
            .map(|difference| Line::new(difference, 400))
            .collect(),
        peers: if_known(peers)?.map(|list| {
            let rows = list.neighbours.iter();
            rows.map(|peer| PeerRow::new(&site.base, peer, &status))
                .collect()
        }),
        status,
    };
    Ok(reply::page(StatusCode::OK, &page))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;
    use crate::wire::{NetworkStatus, Position};

    fn page(peers: Option<Vec<PeerRow>>) -> String {
        let status = samples::status();
        let page = PeersPage {
            frame: samples::frame(),
            genesis: Hash::new("/x", &status.genesis),
            figures: Figures::of(&status),
            differences: vec![Line::new(samples::HOSTILE, 400)],
            peers,
            status,
        };
        page.render().unwrap()
    }

    #[test]
    fn a_peer_is_held_against_our_network_and_cannot_run_anything() {
        let own = samples::status();
        let mut peer = Neighbour {
            address: samples::HOSTILE.to_owned(),
            kind: PeerKind::Ours,
            origin: PeerOrigin::Configured,
            tip: Some(Position {
                index: own.tip.index + 2000,
                hash: "cd".repeat(32),
            }),
            last_answer: Some(2.0),
            failures: 0,
            retry_in: None,
            refused: Some(samples::HOSTILE.to_owned()),
            network: Some(NetworkStatus {
                genesis: own.genesis.clone(),
                difficulty: 6,
                sealed_from: None,
            }),
            version: Some(samples::HOSTILE.to_owned()),
            clock_offset: None,
            held_back: None,
        };
        let row = PeerRow::new("/x", &peer, &own);
        let same: Vec<_> = row.checks.iter().map(|check| check.is_same).collect();
        assert_eq!(same, [true, false, false]);
        let html = page(Some(vec![row]));
        samples::is_inert(&html);
        for text in ["2,000 ahead", "genesis is the same", "open allowed"] {
            assert!(html.contains(text), "{text} {html}");
        }

        (peer.failures, peer.retry_in) = (3, Some(8.0));
        let html = page(Some(vec![PeerRow::new("/x", &peer, &own)]));
        assert!(html.contains("3 failures") && html.contains("asked again in 8 s"));
        let agrees = |html: &str| html.contains("is the same") || html.contains("differs");
        assert!(!agrees(&html), "it does not answer: {html}");
        (peer.failures, peer.last_answer) = (0, None);
        let html = page(Some(vec![PeerRow::new("/x", &peer, &own)]));
        assert!(html.contains("never") && !agrees(&html), "{html}");
    }

    #[test]
    fn a_node_that_does_not_tell_is_said_to() {
        assert!(page(None).contains("does not tell"));
        assert!(page(Some(Vec::new())).contains("no neighbours"));
    }
}
