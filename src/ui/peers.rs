//! `/peers`: the peers of the node, and how their networks compare with its own.

use askama::Template;
use http::StatusCode;
use warp::http;
use warp::reply::Response;

use super::address::{self, PageAddress};
use super::error_page::{ErrorPage, if_supported};
use super::format;
use super::parts::{HashLink, Line, PeerRow, StatusSummary, shorten_hashes};
use super::qr::invite_code;
use super::reply;
use super::request::PageRequest;
use super::site::{Layout, Section, Site};
use crate::client::InviteCode;
use crate::wire::Status;

#[derive(Template)]
#[template(path = "peers.html", config = "src/ui/askama.toml")]
struct PeersPage {
    layout: Layout,
    status: Status,
    address: Option<PageAddress>,
    genesis: HashLink,
    summary: StatusSummary,
    /// Warnings of the node, and differences of network between it and its peers.
    warnings: Vec<Line>,
    /// Name of the node.
    own_name: Option<Line>,
    invitation: Option<Invitation>,
    /// `None` if the node does not list its peers.
    peers: Option<Vec<PeerRow>>,
}

/// The way into the network for another machine.
struct Invitation {
    code: String,
    /// An SVG drawing of the code.
    drawing: Option<String>,
}

impl Invitation {
    fn new(status: &Status) -> Option<Self> {
        let code = InviteCode::of(status)?.to_string();
        Some(Self {
            drawing: invite_code(&code).and_then(|drawn| address::draw(&drawn)),
            code,
        })
    }
}

/// `GET /peers`.
pub(super) async fn get(site: &Site, request: &PageRequest) -> Result<Response, ErrorPage> {
    let (status, peers) = tokio::join!(site.status(), site.client.neighbour_list());
    let (status, peers) = (status?, if_supported(peers)?);
    // The cards show the differences, unless there are none.
    let differences = status.sync.differences.iter().filter(|_| peers.is_none());
    let page = PeersPage {
        layout: site.layout(Section::Peers),
        address: PageAddress::of(&request.headers, &site.base),
        genesis: HashLink::new(&site.base, &status.genesis),
        summary: StatusSummary::with_peers(&status, peers.as_ref().map(|list| &*list.neighbours)),
        own_name: status.name.as_ref().map(|name| Line::new(name, 24)),
        invitation: Invitation::new(&status),
        warnings: differences
            .chain(&status.warnings)
            .map(|warning| Line::new(&format::sentence(&shorten_hashes(warning)), 400))
            .collect(),
        peers: peers.map(|list| {
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
    use crate::wire::{Neighbour, NetworkStatus, PeerKind, PeerOrigin, Position};

    fn page(peers: Option<Vec<PeerRow>>) -> String {
        let status = samples::status();
        let page = PeersPage {
            layout: samples::layout(),
            address: None,
            genesis: HashLink::new("/x", &status.genesis),
            summary: StatusSummary::with_peers(&status, None),
            own_name: Some(Line::new(samples::HOSTILE, 24)),
            invitation: Invitation::new(&status),
            warnings: vec![Line::new(samples::HOSTILE, 400)],
            peers,
            status,
        };
        page.render().unwrap()
    }

    #[test]
    fn a_peer_is_compared_with_the_own_network_and_inert() {
        let own = samples::status();
        let mut peer = Neighbour {
            address: samples::HOSTILE.to_owned(),
            name: Some(samples::HOSTILE.to_owned()),
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
        samples::assert_inert(&html);
        for text in ["2,000 blocks ahead", "same genesis", "open proofs allowed"] {
            assert!(html.contains(text), "{text} {html}");
        }

        (peer.failures, peer.retry_in) = (3, Some(8.0));
        let html = page(Some(vec![PeerRow::new("/x", &peer, &own)]));
        assert!(html.contains("3 failed attempts") && html.contains("next attempt in 8 s"));
        assert!(html.contains("does not respond"), "{html}");
        let compares = |html: &str| html.contains("class=\"checks\"");
        assert!(!compares(&html), "the peer does not respond: {html}");
        (peer.failures, peer.last_answer) = (0, None);
        let html = page(Some(vec![PeerRow::new("/x", &peer, &own)]));
        assert!(html.contains("never") && !compares(&html), "{html}");
    }

    #[test]
    fn the_page_invites_to_a_node_that_others_reach() {
        let invite = |addresses: &[&str]| {
            let mut status = samples::status();
            status.addresses = addresses.iter().map(ToString::to_string).collect();
            Invitation::new(&status)
        };
        assert!(invite(&[]).is_none() && invite(&["a b", "a_b:1"]).is_none());
        let invitation = invite(&["192.0.2.7:12345"]).unwrap();
        let digits = "c0".repeat(16);
        assert_eq!(invitation.code, format!("192.0.2.7/{digits}/d5/s1"));
        assert!(invitation.drawing.unwrap().starts_with("<svg"));
    }

    #[test]
    fn a_missing_list_differs_from_an_empty_one() {
        assert!(page(None).contains("does not list its peers"));
        assert!(page(Some(Vec::new())).contains("no neighbours"));
    }
}
