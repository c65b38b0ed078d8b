//! What strangers can and cannot do to the list of peers.

use super::*;

fn address(port: u16) -> NodeAddress {
    NodeAddress::new("10.0.0.1", port).unwrap()
}

fn news() -> News {
    News {
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
    Peers::new(&settings, &[])
}

fn heard(peers: &Peers, port: u16, news: Option<News>) {
    peers.heard("10.0.0.1".parse().unwrap(), &format!(":{port}"), news);
}

#[test]
fn a_request_without_news_takes_back_no_announcement() {
    let peers = peers(&[]);
    heard(&peers, 1, None);
    heard(&peers, 1, Some(news()));
    heard(&peers, 1, None);
    let candidate = peers.take_candidate();
    assert_eq!(
        candidate,
        Some((address(1), Candidate::Asked(Some(news()))))
    );
    assert_eq!(peers.take_candidate(), None);
}

#[test]
fn what_is_announced_while_a_peer_is_dialled_reaches_its_session() {
    let peers = peers(&[]);
    peers.introduce(address(1), PeerKind::Ours, Candidate::Asked(None), true);
    let is_new = peers.introduce(
        address(1),
        PeerKind::Ours,
        Candidate::Asked(Some(news())),
        true,
    );
    assert!(!is_new);
    let told = peers.with(&address(1), |peer| peer.news.clone());
    assert_eq!(told.flatten(), Some(news()));
}

#[test]
fn those_that_ask_are_dialled_before_those_that_are_named() {
    let peers = peers(&[]);
    (1000..3000).for_each(|port| peers.suggested(address(port)));
    heard(&peers, 5000, None);
    assert_eq!(peers.take_candidate().unwrap().0, address(5000));
    (5001..9000).for_each(|port| heard(&peers, port, None));
    let waiting = std::iter::from_fn(|| peers.take_candidate()).count();
    assert_eq!(waiting, MAX_CANDIDATES);
}

#[test]
fn names_that_lead_to_known_nodes_are_not_collected_without_end() {
    let peers = peers(&[1]);
    assert!(peers.identified(&address(1), "own", "first"));
    for port in 1000..5000 {
        let said = if port % 2 == 0 { "own" } else { "first" };
        assert!(!peers.identified(&address(port), "own", said));
    }
    assert_eq!(peers.lock().aliases.len(), MAX_ALIASES);
    assert!(peers.with(&address(1), |_| ()).is_some());
}

#[test]
fn a_configured_peer_stays_whoever_says_it_is_the_same() {
    let peers = peers(&[1, 2]);
    peers.introduce(address(3), PeerKind::Ours, Candidate::Suggested, true);
    assert!(peers.identified(&address(3), "own", "same"));
    for configured in [1, 2, 1] {
        assert!(peers.identified(&address(configured), "own", "same"));
    }
    // The one that was learned goes.
    let known = |port| peers.with(&address(port), |_| ()).is_some();
    assert!(known(1) && known(2) && !known(3));
}
