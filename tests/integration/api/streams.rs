//! The streams `/chain` and `/data` while the chain and the pending messages change under them.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use blockchain::chain::{Block, Message};
use blockchain::store::Operation;
use serde_json::Value;

use crate::support::chain::{ChainBuilder, OPEN_NETWORK, ProofKind};
use crate::support::http::{connect, read_answer, request, request_bytes};
use crate::support::in_process_node::InProcessNode;
use crate::support::random::SeededRng;

/// Messages that together exceed the buffers between the node and a reader.
const COUNT: usize = 400;
const BYTES: usize = 60_000;

fn long_messages(rng: &mut SeededRng, count: usize) -> Vec<Message> {
    let text = "x".repeat(BYTES);
    let message = |_| Message::new(rng.id(), text.clone()).unwrap();
    (0..count).map(message).collect()
}

/// Returns a node with a chain of that many long blocks, and a random generator.
fn long_chain(count: usize) -> (InProcessNode, ChainBuilder, SeededRng) {
    let node = InProcessNode::start(OPEN_NETWORK);
    let (mut builder, mut rng) = (
        ChainBuilder::new(&[Block::default_genesis()]),
        SeededRng::new(1),
    );
    for message in long_messages(&mut rng, count) {
        builder.mine(message, ProofKind::Open);
    }
    node.append(&builder.above(1));
    (node, builder, rng)
}

/// Opens a stream and reads its first bytes.
struct Begun {
    first: Vec<u8>,
    stream: TcpStream,
}

impl Begun {
    fn get(node: &InProcessNode, target: &str) -> Self {
        let mut stream = connect(node.address).unwrap();
        let request = request_bytes("GET", target, &[], &[]);
        stream.write_all(&request).unwrap();
        let mut first = vec![0; 1000];
        stream.read_exact(&mut first).unwrap();
        Self { first, stream }
    }

    /// Reads the rest of a stream.
    fn rest(self) -> impl Read {
        std::io::Cursor::new(self.first).chain(self.stream)
    }
}

#[test]
fn a_chain_stream_ends_with_the_tip_it_began_with() {
    let (node, mut builder, mut rng) = long_chain(COUNT);
    let begun = Begun::get(&node, "/chain");
    let length = builder.above(0).len();
    builder.mine(rng.message(), ProofKind::Open);
    node.append(&builder.above(length));
    let body: Value = read_answer(begun.rest(), false).unwrap().expect(200).json();
    assert_eq!(body["length"], length);
    let chain: Value = serde_json::from_str(body["chain"].as_str().unwrap()).unwrap();
    assert_eq!(chain.as_array().unwrap().len(), length);
    // A later stream contains the new block.
    let next: Value = request(node.address, "GET", "/chain", &[], &[])
        .unwrap()
        .json();
    assert_eq!(next["length"], length + 1);
}

#[test]
fn a_chain_stream_is_cut_off_when_its_tip_is_disconnected() {
    let (node, builder, mut rng) = long_chain(COUNT);
    let begun = Begun::get(&node, "/chain");
    let blocks = builder.above(0);
    let fork = blocks.len() - 1;
    let mut other = ChainBuilder::new(&blocks[..fork]);
    for _ in 0..2 {
        other.mine(rng.message(), ProofKind::Open);
    }
    node.adopt(&other.above(fork));
    let error = read_answer(begun.rest(), false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    let response = request(node.address, "GET", "/chain", &[], &[]).unwrap();
    assert_eq!(response.expect(200).json::<Value>()["length"], fork + 2);
}

#[test]
fn a_data_stream_omits_messages_mined_meanwhile_and_keeps_its_length() {
    let (node, mut builder, mut rng) = long_chain(0);
    let mut messages = long_messages(&mut rng, COUNT);
    let restore = |messages: &[Message]| {
        let messages = messages
            .iter()
            .map(|message| (message.clone(), 1))
            .collect();
        let restored = |reply| Operation::Restore(messages, reply);
        node.node.write(restored).unwrap();
    };
    restore(&messages);
    let begun = Begun::get(&node, "/data");
    // All but the last, so that what follows the gap is sent, too.
    let last = messages.pop().unwrap();
    for message in &messages {
        builder.mine(message.clone(), ProofKind::Open);
    }
    node.append(&builder.above(1));
    restore(&[rng.message()]);
    let response = read_answer(begun.rest(), false).unwrap().expect(200);
    let set: Value = serde_json::from_str(&response.json::<String>()).unwrap();
    let sent = set["py/set"].as_array().unwrap().iter();
    let ids: Vec<_> = sent.map(|data| data["_id"].as_str().unwrap()).collect();
    let begin = ids.len() - 1;
    assert!(begin > 0 && begin < messages.len(), "{begin}");
    let expected = messages[..begin].iter().chain([&last]);
    let expected: Vec<_> = expected.map(|message| message.id().to_string()).collect();
    assert_eq!(ids, expected);
}
