//! Effects of requests, announcements and claims of other nodes on the list of peers.

use super::removal::MAX_REMOVED_ADDRESSES;
use super::*;

fn address(port: u16) -> NodeAddress {
    NodeAddress::new("10.0.0.1", port).unwrap()
}

/// Returns an address with its network group.
fn with_net_group(address: NodeAddress) -> (NodeAddress, IpAddr) {
    let net_group = net_group(&address, &[]);
    (address, net_group)
}

fn announcement() -> PeerAnnouncement {
    PeerAnnouncement {
        tip: "0f".repeat(32),
        length: 9,
        mempool_seq: 0,
    }
}

fn peers(configured: &[u16]) -> Peers {
    let settings = PeerSettings {
        configured: configured.iter().copied().map(address).collect(),
        ..PeerSettings::default()
    };
    Peers::new(&settings, &[], false)
}

fn request(peers: &Peers, port: u16, announcement: Option<PeerAnnouncement>) {
    peers.note_request(
        "10.0.0.1".parse().unwrap(),
        &format!(":{port}"),
        announcement,
    );
}

#[test]
fn a_plain_request_does_not_discard_an_announcement() {
    let peers = peers(&[]);
    request(&peers, 1, None);
    request(&peers, 1, Some(announcement()));
    request(&peers, 1, None);
    let candidate = peers.take_candidate();
    assert_eq!(
        candidate,
        Some((address(1), PeerCandidate::Contacted(Some(announcement()))))
    );
    assert_eq!(peers.take_candidate(), None);
}

#[test]
fn an_announcement_during_dialling_reaches_the_session() {
    let peers = peers(&[]);
    peers.admit(
        with_net_group(address(1)),
        PeerKind::Ours,
        PeerCandidate::Contacted(None),
        true,
    );
    let is_new = peers.admit(
        with_net_group(address(1)),
        PeerKind::Ours,
        PeerCandidate::Contacted(Some(announcement())),
        true,
    );
    assert!(!is_new);
    let stored = peers.with(&address(1), |peer| peer.announcement.clone());
    assert_eq!(stored.flatten(), Some(announcement()));
}

#[test]
fn requesting_nodes_are_dialled_before_suggested_ones() {
    let peers = peers(&[]);
    (1000..3000).for_each(|port| peers.suggested(address(port)));
    request(&peers, 5000, None);
    assert_eq!(peers.take_candidate().unwrap().0, address(5000));
    (5001..9000).for_each(|port| request(&peers, port, None));
    let candidates = std::iter::from_fn(|| peers.take_candidate()).count();
    assert_eq!(candidates, MAX_CANDIDATES);
}

#[test]
fn aliases_of_known_nodes_are_bounded() {
    let peers = peers(&[1]);
    assert!(peers.identified(&address(1), "own", "first"));
    for port in 1000..5000 {
        let node_id = if port % 2 == 0 { "own" } else { "first" };
        assert!(!peers.identified(&address(port), "own", node_id));
    }
    assert_eq!(peers.lock().aliases.len(), MAX_ALIASES);
    assert!(peers.with(&address(1), |_| ()).is_some());
}

#[test]
fn a_configured_peer_stays_when_another_claims_its_id() {
    let peers = peers(&[1, 2]);
    peers.admit(
        with_net_group(address(3)),
        PeerKind::Ours,
        PeerCandidate::Named,
        true,
    );
    assert!(peers.identified(&address(3), "own", "same"));
    for configured in [1, 2, 1] {
        assert!(peers.identified(&address(configured), "own", "same"));
    }
    // The learned peer is dropped.
    let known = |port| peers.with(&address(port), |_| ()).is_some();
    assert!(known(1) && known(2) && !known(3));
}

fn at(text: &str) -> NodeAddress {
    text.parse().unwrap()
}

fn is_known(peers: &Peers, text: &str) -> bool {
    peers.with(&at(text), |_| ()).is_some()
}

/// Returns host names, each with an address that it resolves to.
fn resolved(names: &[(&str, &str)]) -> Resolved {
    let one = |(name, address): &(&str, &str)| (at(name), vec![at(address)]);
    names.iter().map(one).collect()
}

/// Returns the peers after a restart, from the records in the database.
fn restarted(peers: &Peers) -> Peers {
    Peers::new(&PeerSettings::default(), &peers.records(), false)
}

fn named(peers: &Peers, text: &str) -> bool {
    peers.suggested(at(text));
    peers.note_request("10.9.9.9".parse().unwrap(), text, Some(announcement()));
    peers.take_candidate().is_some()
}

#[test]
fn a_removed_neighbour_is_ignored_under_its_resolved_addresses() {
    let name = ("node.example:1", "10.0.0.1:1");
    for removed in [name.0, name.1] {
        let peers = peers(&[]);
        peers.add(at(name.0), &resolved(&[name]));
        assert!(peers.remove(&at(removed), &resolved(&[name])), "{removed}");
        for peers in [&restarted(&peers), &peers] {
            for spelling in [
                "node.example:1",
                "Node.Example.:1",
                "10.0.0.1:1",
                "[::ffff:10.0.0.1]:1",
                "[::ffff:a00:1]:01",
            ] {
                assert!(!named(peers, spelling), "{spelling}");
                assert!(peers.is_removed(&[at(spelling)]), "{spelling}");
            }
            request(peers, 1, Some(announcement()));
            assert_eq!(peers.take_candidate(), None);
            assert!(named(peers, "10.0.0.1:2"));
        }
        // Adding either lifts the removal of both, also after a restart.
        for added in [name.0, name.1] {
            let peers = restarted(&peers);
            peers.add(at(added), &resolved(&[name]));
            assert!(!peers.is_removed(&[at(name.0), at(name.1)]), "{added}");
            assert!(peers.list().len() == 1 && is_known(&peers, added));
        }
    }
}

#[test]
fn a_removed_neighbour_is_ignored_under_its_aliases() {
    let peers = peers(&[1]);
    assert!(peers.identified(&address(1), "own", "it"));
    assert!(!peers.identified(&at("10.0.0.2:1"), "own", "it"));
    // Removed under the alias.
    assert!(peers.remove(&at("10.0.0.2:1"), &Resolved::new()));
    assert_eq!(peers.list(), []);
    assert!(!peers.remove(&address(1), &Resolved::new()));
    assert!(!named(&peers, "10.0.0.1:1") && !named(&peers, "10.0.0.2:1"));
    // An unknown address is dialled, and identified by its id.
    assert!(named(&peers, "10.0.0.3:1"));
    assert!(!peers.identified(&at("10.0.0.3:1"), "own", "it"));
    assert!(!named(&peers, "10.0.0.3:1"));
    assert!(peers.identified(&at("10.0.0.4:1"), "own", "another"));
    let again = restarted(&peers);
    for alias in ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"] {
        assert!(!named(&again, alias), "{alias}");
    }
    again.add(at("10.0.0.3:1"), &Resolved::new());
    assert!(named(&again, "10.0.0.1:1") && named(&again, "10.0.0.2:1"));
    peers.add(at("10.0.0.5:1"), &Resolved::new());
    assert!(peers.identified(&at("10.0.0.5:1"), "own", "it"));
}

#[test]
fn a_neighbour_removed_while_it_is_dialled_is_ignored() {
    let peers = peers(&[1]);
    assert!(named(&peers, "10.0.0.1:2"));
    assert!(peers.identified(&address(1), "own", "it"));
    let names = Resolved::from([(address(1), vec![address(2)])]);
    assert!(peers.remove(&address(1), &names));
    peers.admit(
        with_net_group(address(2)),
        PeerKind::Ours,
        PeerCandidate::Contacted(None),
        true,
    );
    peers.admit(
        with_net_group(address(3)),
        PeerKind::Ours,
        PeerCandidate::Contacted(None),
        true,
    );
    // Its session asks for its id.
    assert!(!peers.identified(&address(3), "own", "it"));
    assert_eq!(peers.list(), []);
}

#[test]
fn a_copied_id_does_not_remove_a_configured_peer() {
    let peers = peers(&[1, 2]);
    assert!(peers.identified(&address(1), "own", "same"));
    assert!(peers.identified(&address(2), "own", "same"));
    assert!(peers.remove(&address(2), &Resolved::new()));
    assert!(peers.identified(&address(1), "own", "same"));
    assert!(is_known(&peers, "10.0.0.1:1") && !is_known(&peers, "10.0.0.1:2"));
}

#[test]
fn the_addresses_of_a_removed_neighbour_are_bounded() {
    let peers = peers(&[1]);
    assert!(peers.identified(&address(1), "own", "it"));
    assert!(peers.remove(&address(1), &Resolved::new()));
    for port in 1000..2000 {
        assert!(!peers.identified(&address(port), "own", "it"));
    }
    let [record] = &*peers.records() else {
        panic!("one is removed");
    };
    let addresses = record.address.split(' ').count();
    assert_eq!(addresses, MAX_REMOVED_ADDRESSES);
    assert!(peers.is_removed(&[address(1)]));
}

#[test]
fn kept_addresses_in_other_spellings_are_read() {
    let record = |address: &str, status| NeighbourRecord {
        address: address.to_owned(),
        status,
    };
    let kept = [
        record("127.1:1", NeighbourStatus::Removed),
        record("[::ffff:10.0.0.1]:1", NeighbourStatus::Removed),
        record("node.example.:1", NeighbourStatus::Removed),
        record("10.0.0.1:1", NeighbourStatus::Learned),
        record("2130706433:1", NeighbourStatus::Added),
        record("10.2:1", NeighbourStatus::Added),
        record("[2001:DB8::A]:1", NeighbourStatus::Learned),
        record("no address", NeighbourStatus::Removed),
    ];
    let peers = Peers::new(&PeerSettings::default(), &kept, false);
    let known: Vec<_> = peers.list().into_iter().map(|one| one.address).collect();
    assert_eq!(known, ["10.0.0.2:1", "[2001:db8::a]:1"]);
    let removed = ["127.0.0.1:1", "10.0.0.1:1", "node.example:1"].map(at);
    for address in removed {
        assert!(peers.is_removed(&[address]));
    }
}

#[test]
fn a_peer_that_answers_again_is_not_reported_as_unreachable() {
    let peers = peers(&[1]);
    let why = "unreachable: connection refused";
    peers.failed(&address(1), why.to_owned(), false);
    assert_eq!(peers.list()[0].refused.as_deref(), Some(why));
    assert!(peers.sync_status().differences.is_empty());
    peers.responded(&address(1));
    assert_eq!(peers.list()[0].refused, None);
    assert!(peers.sync_status().differences.is_empty());
}

#[test]
fn a_peer_with_an_invalid_chain_is_reported_while_it_answers() {
    let peers = peers(&[1]);
    let why = "invalid chain: block 1";
    peers.failed(&address(1), why.to_owned(), true);
    peers.responded(&address(1));
    assert_eq!(peers.list()[0].refused.as_deref(), Some(why));
    assert_eq!(peers.sync_status().differences.len(), 1);
}
