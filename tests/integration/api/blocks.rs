//! `/api/v1/blocks` and `/api/v1/status`.

use blockchain::wire::{Block, BlockPage, SingleBlock, Status};

use crate::support::test_node::TestNode;

const GENESIS: &str = "c0f0de3647e32b3b129e4ca3c329dd7584fa375366106b4c22c31c55f8c1ab94";

/// A node with blocks 0 to 7.
fn seven() -> TestNode {
    let node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["1", "2", "3", "4", "5", "6", "7"]);
    node
}

fn page(node: &TestNode, query: &str) -> (Vec<u64>, Option<u64>) {
    let page: BlockPage = node.json(&format!("/blocks{query}"));
    (
        page.blocks.iter().map(|block| block.index).collect(),
        page.next,
    )
}

#[test]
fn pages_are_ascending_or_descending_and_name_the_next() {
    let node = seven();
    for (query, indexes, next) in [
        ("", vec![0, 1, 2, 3, 4, 5, 6, 7], None),
        ("?limit=3", vec![0, 1, 2], Some(3)),
        ("?from=3&limit=3", vec![3, 4, 5], Some(6)),
        ("?from=6&limit=3", vec![6, 7], None),
        ("?from=5&limit=3", vec![5, 6, 7], None),
        ("?from=8", vec![], None),
        ("?from=18446744073709551615", vec![], None),
        ("?order=desc&limit=3", vec![7, 6, 5], Some(4)),
        ("?order=desc&from=4&limit=3", vec![4, 3, 2], Some(1)),
        ("?order=desc&from=1&limit=3", vec![1, 0], None),
        ("?order=desc&from=99&limit=1", vec![7], Some(6)),
        ("?order=asc&limit=1000&from=7", vec![7], None),
    ] {
        assert_eq!(page(&node, query), (indexes, next), "{query}");
    }
    for query in [
        "?limit=0",
        "?limit=1001",
        "?limit=x",
        "?limit=1&limit=2",
        "?from=-1",
        "?from=18446744073709551616",
        "?order=up",
        "?form=1",
    ] {
        node.get(&format!("/api/v1/blocks{query}"))
            .expect_error(400, "bad_request");
    }
}

#[test]
fn pages_describe_blocks_like_single_requests() {
    let node = seven();
    let up: BlockPage = node.json("/blocks");
    let mut down: BlockPage = node.json("/blocks?order=desc");
    down.blocks.reverse();
    assert_eq!(up.blocks, down.blocks);
    let mut previous: Option<&Block> = None;
    for block in &up.blocks {
        let single: SingleBlock = node.json(&format!("/blocks/{}", block.index));
        assert_eq!(&single.block, block);
        assert_eq!(single.confirmations, 8 - block.index);
        let by_hash: SingleBlock = node.json(&format!("/blocks/{}", block.hash));
        assert_eq!(by_hash, single);
        assert_eq!(
            block.previous_hash.as_ref(),
            previous.map(|previous| &previous.hash)
        );
        if block.index > 0 {
            assert_eq!(block.seal.as_deref(), Some("sealed"));
            assert!(block.difficulty >= Some(1));
            assert_eq!(block.data.message, block.index.to_string());
            assert!(block.time.as_ref().unwrap().ends_with('Z'));
        }
        previous = Some(block);
    }
    let tip: SingleBlock = node.json("/blocks/tip");
    assert_eq!(Some(&tip.block), up.blocks.last());
    assert_eq!(tip.confirmations, 1);
    assert_eq!(up.blocks[0].hash, GENESIS);
}

#[test]
fn a_single_block_is_found_or_rejected() {
    let node = seven();
    for (name, status, code) in [
        ("8", 404, "not_found"),
        ("18446744073709551616", 404, "not_found"),
        (&"0".repeat(64), 404, "not_found"),
        ("-1", 400, "bad_request"),
        ("+1", 400, "bad_request"),
        ("first", 400, "bad_request"),
        (&GENESIS[..5], 400, "bad_request"),
        ("1,000", 400, "bad_request"),
        ("%31", 400, "bad_request"),
    ] {
        node.get(&format!("/api/v1/blocks/{name}"))
            .expect_error(status, code);
    }
    node.get("/api/v1/blocks/1/2")
        .expect_error(404, "not_found");
}

#[test]
fn an_unchanged_block_is_304_until_it_has_more_confirmations() {
    let node = seven();
    let target = format!("/api/v1/blocks/{GENESIS}");
    let tag = node
        .get(&target)
        .expect(200)
        .header("etag")
        .unwrap()
        .to_owned();
    let again = |tag: &str| node.request("GET", &target, &[("If-None-Match", tag)], &[]);
    let unchanged = again(&tag).expect(304);
    assert_eq!(unchanged.header("etag"), Some(&*tag));
    assert!(unchanged.body.is_empty());
    again("\"something else\"").expect(200);
    node.mine(&["one more"]);
    let changed = again(&tag).expect(200);
    assert_eq!(changed.json::<SingleBlock>().confirmations, 9);
}

#[test]
fn the_status_describes_the_network() {
    let node = seven();
    let status = node.status();
    assert_eq!(status.genesis, GENESIS);
    assert_eq!((status.length, status.tip.index), (8, 7));
    assert_eq!(status.difficulty, 1);
    assert_eq!(status.sealed_from, Some(1));
    assert_eq!(status.proof_mode, "sealed");
    assert_eq!(status.mining.threads, 1);
    assert!(status.mining.tries > 0);
    assert!(status.warnings.is_empty());
    assert_eq!((status.mempool.count, status.mempool.bytes), (0, 0));
    assert_eq!(
        Some(status.node_id),
        node.running().unwrap()["node_id"]
            .as_str()
            .map(str::to_owned)
    );
    let head = node.request("HEAD", "/api/v1/status", &[], &[]).expect(200);
    assert!(head.content_length() > Some(100));

    let open = TestNode::start(&["--accept-open", "--proof", "open", "--difficulty", "1"]);
    let status: Status = open.status();
    assert_eq!(status.sealed_from, None);
    assert_eq!(status.proof_mode, "open");
    assert!(status.warnings[0].contains("rewrite the history"));
}
