//! Commands that ask another program than a node: a reference miner answers where it can, and no
//! other response is taken for a negative answer.

use serde_json::{Value, json};

use blockchain::chain::{Block, BlockHash, History, Message, MessageId};
use blockchain::wire::BlockRenderer;

use crate::peers::{chain_above, genesis};
use crate::support::chain::ProofKind;
use crate::support::command::{Blockchain, Finished};
use crate::support::explorer::Explorer;
use crate::support::fake_nodes::{FakeNode, FakeReferenceMiner};
use crate::support::fake_peer::{FakePeer, ReceivedRequest, Reply, json as json_reply, response};

/// Every command that asks a node.
const COMMANDS: [&str; 8] = [
    "get chain",
    "get block 0",
    "get message 00000000000000000000000000000000",
    "get data",
    "get neighbours",
    "get status",
    "export --format json",
    "add hello",
];

fn ask(peer: &FakePeer, command: &str) -> Blockchain {
    let address = peer.address().to_string();
    Blockchain::new(command.split(' ')).args(["--host", &address])
}

fn verify(peer: &FakePeer) -> Blockchain {
    Blockchain::new(["verify", "--node", &peer.address().to_string()])
}

#[test]
fn a_response_of_another_server_is_not_a_negative_answer() {
    let html = "<html>Sign in</html>";
    for status in [301, 302, 401, 403, 404, 429, 500, 502] {
        let headers = [
            ("Content-Type", "text/html"),
            ("Location", "http://127.0.0.1:1/"),
        ];
        let proxy = FakePeer::start(move |_| response(status, &headers, html));
        let check = |finished: Finished| {
            let said = format!("answered {status} with an HTML page: this is not a node");
            assert!(
                finished.stderr.contains(&said) || finished.stderr.contains("may have been added"),
                "{finished:?}"
            );
        };
        for command in COMMANDS {
            check(ask(&proxy, command).exits(3));
        }
        check(verify(&proxy).exits(3));
    }
}

#[test]
fn a_json_error_of_a_gateway_is_not_a_negative_answer() {
    for (status, body) in [
        (401, json!({"message": "No API key found in request"})),
        (403, json!({"kind": "Status", "message": "forbidden"})),
        (
            404,
            json!({"message": "no Route matched with those values"}),
        ),
        (404, json!({"message": "No static resource api/v1/status."})),
    ] {
        let gateway = FakePeer::start(move |_| {
            response(
                status,
                &[("Content-Type", "application/json")],
                body.to_string(),
            )
        });
        for finished in [ask(&gateway, "get status"), verify(&gateway)] {
            finished.exits(3).complains(&["this is not a node"]);
        }
    }
}

#[test]
fn the_explorer_port_is_not_a_node() {
    let explorer = Explorer::of(([127, 0, 0, 1], 1).into(), &[]);
    let address = explorer.address().to_string();
    for command in [
        "get status",
        "get chain",
        "get block 0",
        "export --format csv",
    ] {
        Blockchain::new(command.split(' '))
            .args(["--host", &address])
            .exits(3)
            .complains(&["this is not a node"]);
    }
}

#[test]
fn a_negative_answer_of_a_node_is_exit_code_1() {
    let error = json!({"error": {"code": "not_found", "message": "there is no such block"}});
    let node = FakePeer::start(move |_| response(404, &[], error.to_string()));
    ask(&node, "get block 7")
        .exits(1)
        .complains(&["there is no such block"]);
    let error = json!({"error": {"code": "too_many_requests", "message": "slow down"}});
    let node = FakePeer::start(move |_| response(429, &[], error.to_string()));
    ask(&node, "get block 7").exits(3).complains(&["slow down"]);
}

fn reference_miner() -> (FakePeer, Vec<Block>, Message) {
    let blocks = chain_above(&genesis(), 3, ProofKind::Open).blocks;
    let pending = Message::new(MessageId::random(), "pending \u{1b}[31m".to_owned()).unwrap();
    let mut miner = FakeReferenceMiner::new(&blocks);
    miner.pending.push(pending.clone());
    miner.neighbours.push(("10.0.0.1".to_owned(), 23456));
    (
        FakePeer::start(move |request| miner.response(request)),
        blocks,
        pending,
    )
}

#[test]
fn a_reference_miner_is_read_through_its_documented_endpoints() {
    let (miner, blocks, pending) = reference_miner();
    let hashes: Vec<_> = blocks
        .iter()
        .map(|block| BlockHash::of(block).to_string())
        .collect();
    let chain: Value = ask(&miner, "get chain --json").succeeds().json();
    let listed: Vec<_> = chain
        .as_array()
        .unwrap()
        .iter()
        .map(|block| &block["hash"])
        .collect();
    assert_eq!(listed, hashes.iter().collect::<Vec<_>>());
    let newest: Value = ask(&miner, "get chain --json --newest 2").succeeds().json();
    assert_eq!(newest[0]["hash"], hashes[2]);
    assert_eq!(newest.as_array().unwrap().len(), 2);

    let data = ask(&miner, "get data").succeeds();
    let id = pending.id();
    assert_eq!(
        data.stdout,
        format!("1 pending\n{id}  pending \\u{{1b}}[31m\n")
    );
    ask(&miner, "get neighbours")
        .succeeds()
        .prints(&["10.0.0.1:23456"]);

    for which in ["1", &hashes[1]] {
        let block: Value = ask(&miner, &format!("get block {which} --json"))
            .succeeds()
            .json();
        assert_eq!(
            (&block["hash"], &block["confirmations"]),
            (&json!(hashes[1]), &json!(3))
        );
    }
    ask(&miner, "get block tip")
        .succeeds()
        .prints(&[&hashes[3]]);
    ask(&miner, "get block 4")
        .exits(1)
        .complains(&["no such block"]);
    let mined = blocks[2].message.id();
    let mined = ask(&miner, &format!("get message {mined}")).succeeds();
    mined.prints(&["mined in block 2", "confirmations  2"]);
    ask(&miner, &format!("get message {id}"))
        .succeeds()
        .prints(&["pending"]);
    ask(&miner, "get status")
        .exits(3)
        .complains(&["is a reference miner"]);

    verify(&miner)
        .succeeds()
        .prints(&["valid", "4 blocks checked: 0 sealed, 3 open", &hashes[3]]);
    let exported: Value = ask(&miner, "export --format json").succeeds().json();
    assert_eq!(exported, chain);
    let file = ask(&miner, "export --format chain").succeeds();
    assert_eq!(file.stdout, FakeReferenceMiner::new(&blocks).chain);
}

#[test]
fn an_invalid_reference_chain_is_exit_code_1_and_a_broken_response_3() {
    let (mut invalid, blocks) = (FakeReferenceMiner::default(), reference_miner().1);
    let first = BlockHash::of(&blocks[1]).to_string();
    invalid.chain = FakeReferenceMiner::new(&blocks)
        .chain
        .replace(&first, &"0".repeat(64));
    let miner = FakePeer::start(move |request| invalid.response(request));
    verify(&miner).exits(1);
    let whole = FakeReferenceMiner::new(&blocks);
    let broken = FakePeer::start(move |request: &ReceivedRequest| -> Reply {
        let mut reply = whole.response(request);
        if request.path() == "/chain" {
            let length = reply.len();
            reply.truncate(length - 1);
        }
        reply
    });
    verify(&broken).exits(3);
}

#[test]
fn an_endless_chain_of_a_node_is_abandoned() {
    let blocks = chain_above(&genesis(), 3, ProofKind::Sealed).blocks;
    let page = |blocks: &[Block]| {
        let mut renderer = BlockRenderer::above(History::default(), None);
        let blocks: Vec<_> = blocks.iter().map(|block| renderer.render(block)).collect();
        serde_json::to_value(blocks).unwrap()
    };
    let described = page(&blocks);
    let endless = FakePeer::start(move |request| match request.path() {
        "/api/v1/status" => json_reply(&FakeNode::new(&blocks).with("/length", 1_u64 << 60).status),
        "/api/v1/blocks/tip" => {
            let mut tip = described[3].clone();
            tip["index"] = (1_u64 << 60).into();
            tip["confirmations"] = 1.into();
            json_reply(&tip)
        }
        "/api/v1/mempool" => {
            let next = request.number("after").map_or(0, |after| after + 1);
            let message = json!({"sequence": next, "id": "0".repeat(32), "age": 0.0,
                                 "message": "x".repeat(4 << 20)});
            json_reply(&json!({"messages": [message], "next": next, "count": 1}))
        }
        _ => response(404, &[], "{}"),
    });
    for command in ["get chain", "export --format json"] {
        ask(&endless, command)
            .exits(3)
            .complains(&["blocks, more than the maximum"]);
    }
    verify(&endless)
        .exits(3)
        .complains(&["blocks, more than the maximum"]);
    ask(&endless, "get data")
        .exits(3)
        .complains(&["more pending messages than the maximum"]);

    let circling = FakeNode::new(&chain_above(&genesis(), 3, ProofKind::Sealed).blocks);
    let circling = FakePeer::start(move |request| match request.path() {
        "/api/v1/status" => json_reply(&circling.clone().with("/length", 1000).status),
        "/api/v1/blocks" => json_reply(&json!({"blocks": [page(&circling.blocks)[0]], "next": 1})),
        _ => response(404, &[], "{}"),
    });
    let left = ask(&circling, "get chain").exits(3);
    assert!(
        left.stderr.contains("switched to another branch"),
        "{left:?}"
    );
}
