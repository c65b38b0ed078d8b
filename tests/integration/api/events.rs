//! `/api/v1/events` and `/api/v1/reorgs`: events come in order, also after a reconnection, and only
//! for changes that happened.

use std::time::Duration;

use blockchain::chain::{Block, BlockHash};
use blockchain::wire::{Event, ReorgPage};

use crate::support::chain::{ChainBuilder, OPEN_NETWORK, ProofKind};
use crate::support::events::Events;
use crate::support::http::{connect, request};
use crate::support::in_process_node::InProcessNode;
use crate::support::random::SeededRng;
use crate::support::test_node::TestNode;

/// Streams that may be open at a time.
const STREAMS: usize = 48;

/// Maximum number of missed events that a client is sent.
const CATCH_UP: usize = 1000;

/// A node and a chain of this many blocks above its genesis.
fn chain_of(length: usize) -> (InProcessNode, ChainBuilder, SeededRng) {
    let node = InProcessNode::start(OPEN_NETWORK);
    let (mut builder, mut rng) = (
        ChainBuilder::new(&[Block::default_genesis()]),
        SeededRng::new(1),
    );
    extend(&mut builder, &mut rng, length);
    node.append(&builder.above(1));
    (node, builder, rng)
}

fn extend(builder: &mut ChainBuilder, rng: &mut SeededRng, count: usize) {
    for _ in 0..count {
        builder.mine(rng.message(), ProofKind::Open);
    }
}

#[track_caller]
fn expect_blocks(events: &mut Events, blocks: &[Block]) -> String {
    let mut id = None;
    for expected in blocks {
        let told = events.expect("block");
        let Event::Block(block) = told.event() else {
            panic!("{told:?}");
        };
        assert_eq!(block.index, expected.index);
        assert_eq!(block.hash, BlockHash::of(expected).to_string());
        assert_eq!(block.data.message, expected.message.text());
        id = told.id;
    }
    id.unwrap()
}

#[track_caller]
fn expect_reorg(events: &mut Events, number: u64, from: u64) {
    let told = events.expect("reorg");
    let Event::Reorg(reorg) = told.event() else {
        panic!("{told:?}");
    };
    assert_eq!((reorg.number, reorg.from), (number, from));
}

#[test]
fn messages_and_blocks_are_events() {
    let mut node = TestNode::start(&["--threads", "0", "--difficulty", "1"]);
    let (mut events, _) = Events::from_now(node.address());
    let text = "<script>\n\u{2028}\u{1b}";
    let id = node.add(text);
    let told = events.expect("message");
    let Event::Message(message) = told.event() else {
        panic!("{told:?}");
    };
    assert_eq!((&*message.message, &message.id), (text, &id));
    // A stop does not wait for the stream.
    node.stop();
    assert!(events.next().is_none());

    // The next run of the node understands the position of an event of this one.
    node.start_again(&["--threads", "1"]);
    let mut events = Events::open(node.address(), told.id.as_deref());
    let told = events.expect("block");
    let Event::Block(block) = told.event() else {
        panic!("{told:?}");
    };
    assert_eq!((block.index, &block.data.id), (1, &id));
    node.mine(&["next"]);
    let mut again = Events::open(node.address(), told.id.as_deref());
    loop {
        // The event of the pending message may come first.
        if let Event::Block(block) = again.next().unwrap().event() {
            assert_eq!((block.index, &*block.data.message), (2, "next"));
            break;
        }
    }
}

#[test]
fn a_reconnecting_client_receives_missed_events() {
    let (node, mut builder, mut rng) = chain_of(3);
    let (events, id) = Events::from_now(node.address);
    drop(events);
    extend(&mut builder, &mut rng, 250);
    node.append(&builder.above(4));
    let mut events = Events::open(node.address, Some(&id));
    let middle = expect_blocks(&mut events, &builder.blocks[4..50]);
    expect_blocks(&mut events, &builder.above(50));
    let node = node.again();
    let mut events = Events::open(node.address, Some(&middle));
    expect_blocks(&mut events, &builder.above(50));
}

#[test]
fn a_reorg_event_is_followed_by_its_blocks() {
    let (node, builder, mut rng) = chain_of(5);
    let (mut events, id) = Events::from_now(node.address);
    let mut other = ChainBuilder::new(&builder.blocks[..3]);
    extend(&mut other, &mut rng, 4);
    node.adopt(&other.above(3));
    expect_reorg(&mut events, 1, 3);
    expect_blocks(&mut events, &other.above(3));
    // The messages of the three disconnected blocks are pending again.
    for _ in 0..3 {
        events.expect("message");
    }

    // A client that reconnects gets the same events, also after another reorg in between.
    let mut third = ChainBuilder::new(&builder.blocks[..5]);
    extend(&mut third, &mut rng, 4);
    node.adopt(&third.above(3));
    let mut events = Events::open(node.address, Some(&id));
    expect_reorg(&mut events, 1, 3);
    let told = events.expect("reorg");
    assert!(matches!(told.event(), Event::Reorg(reorg) if reorg.number == 2));
    expect_blocks(&mut events, &third.above(3));
    let mut events = Events::open(node.address, told.id.as_deref());
    expect_blocks(&mut events, &third.above(3));

    let get = |query: &str| {
        let target = format!("/api/v1/reorgs{query}");
        let response = request(node.address, "GET", &target, &[], &[]).unwrap();
        response.expect(200).json::<ReorgPage>()
    };
    let page = get("");
    let numbers: Vec<_> = page.reorgs.iter().map(|reorg| reorg.number).collect();
    assert_eq!((numbers, page.next), (vec![2, 1], None));
    let first = &page.reorgs[1];
    assert_eq!((first.disconnected, first.connected), (3, 4));
    let left: Vec<_> = first
        .left
        .iter()
        .map(|left| (left.index, &*left.hash))
        .collect();
    let hashes: Vec<_> = builder
        .above(3)
        .iter()
        .map(|block| BlockHash::of(block).to_string())
        .collect();
    assert_eq!(left, [(3, &*hashes[0]), (4, &hashes[1]), (5, &hashes[2])]);
    assert_eq!(
        first.left[0].message_id,
        builder.blocks[3].message.id().to_string()
    );
    assert_eq!(first.source, "neighbour.example:12345");
    assert_eq!(first.old_tip, builder.tip().hash.to_string());
    assert_eq!(first.new_tip, other.tip().hash.to_string());
    assert_eq!(first.time.as_deref(), Some("2023-11-14T22:13:20.000000Z"));
    assert_eq!(get("?limit=1").next, Some(1));
    assert_eq!(
        get("?from=1&limit=1"),
        ReorgPage {
            reorgs: vec![first.clone()],
            next: None
        }
    );
    for query in ["?limit=0", "?limit=1001", "?from=x", "?to=1"] {
        let target = format!("/api/v1/reorgs{query}");
        let response = request(node.address, "GET", &target, &[], &[]).unwrap();
        response.expect_error(400, "bad_request");
    }
}

#[test]
fn an_unknown_last_event_id_is_a_reset() {
    let (node, builder, _) = chain_of(3);
    let hash = builder.tip().hash;
    let other = BlockHash::of(&builder.blocks[1]);
    for id in [
        "x".to_owned(),
        format!("4-{hash}-0-0"),
        format!("4-{other}-0-0"),
        format!("5-{hash}-0-0"),
        format!("18446744073709551615-{hash}-0-0"),
        format!("4-{hash}-1-0"),
        format!("4-{hash}-0-1"),
    ] {
        let mut events = Events::open(node.address, Some(&id));
        if id.ends_with("0-0") && id.starts_with(&format!("4-{hash}")) {
            // This is the position of the tip, so there are no events after it.
            continue;
        }
        let told = events.expect("reset");
        assert_eq!(told.id.unwrap(), format!("4-{hash}-0-0"), "{id}");
    }
    // A position before the genesis block yields every block.
    let mut events = Events::open(node.address, Some("0--0-0"));
    expect_blocks(&mut events, &builder.blocks);
}

#[test]
fn a_client_too_far_behind_is_reset() {
    let (node, mut builder, mut rng) = chain_of(1);
    extend(&mut builder, &mut rng, CATCH_UP);
    node.append(&builder.above(2));
    let id = |index: usize| {
        format!(
            "{}-{}-0-0",
            index + 1,
            BlockHash::of(&builder.blocks[index])
        )
    };
    Events::open(node.address, Some(&id(0))).expect("reset");
    let mut events = Events::open(node.address, Some(&id(1)));
    expect_blocks(&mut events, &builder.above(2));
}

#[test]
fn the_forty_ninth_local_stream_is_rejected_until_one_ends() {
    let node = TestNode::start(&["--threads", "0"]);
    let mut open: Vec<_> = (0..STREAMS)
        .map(|_| Events::from_now(node.address()))
        .collect();
    node.get("/api/v1/events").expect_error(503, "unavailable");
    node.add("the others go on");
    for (events, _) in &mut open {
        events.expect("message");
    }
    open.pop();
    crate::support::wait_for("a free stream", || {
        let mut stream = connect(node.address()).unwrap();
        let request = b"GET /api/v1/events HTTP/1.0\r\n\r\n";
        std::io::Write::write_all(&mut stream, request).unwrap();
        let mut start = [0; 12];
        std::io::Read::read_exact(&mut stream, &mut start).unwrap();
        (&start == b"HTTP/1.0 200").then_some(())
    });
}

#[test]
fn a_silent_stream_is_kept_alive() {
    let node = TestNode::start(&["--threads", "0"]);
    let (mut events, _) = Events::from_now(node.address());
    // This is shorter than the timeout of the test: without the comment the read would fail.
    let begin = std::time::Instant::now();
    assert!(events.next().is_some());
    assert!(begin.elapsed() > Duration::from_secs(10));
}
