//! Every page, over a real node.

use blockchain::wire::SingleBlock;

use crate::support::explorer::Explorer;
use crate::support::test_node::TestNode;

fn with_blocks(count: usize) -> (TestNode, Explorer) {
    let node = TestNode::start(&["--difficulty", "1"]);
    let texts: Vec<String> = (1..=count)
        .map(|number| format!("message {number}"))
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    node.mine(&texts);
    let explorer = Explorer::of(node.address(), &[]);
    (node, explorer)
}

#[test]
fn home_shows_the_tip_and_explains_blocks() {
    let (node, explorer) = with_blocks(8);
    let tip: SingleBlock = node.json("/blocks/tip");
    let home = explorer.get("/").expect(200);
    let html = home.text();
    for text in [
        "Block <a href=\"/block/8\">8</a> is the newest (the tip)",
        "message 8",
        "message 3",
        &tip.block.hash[..10],
        &tip.block.previous_hash.unwrap()[..10],
        "1 zero",
        "about 16 tries",
        "What is a block?",
        "Why does mining take work?",
        "What if a block is changed?",
        "<textarea",
    ] {
        assert!(html.contains(text), "{text}: {html}");
    }
    assert!(!html.contains("message 2<"), "{html}");
}

#[test]
fn blocks_are_paged_and_found_by_index_and_date() {
    let (node, explorer) = with_blocks(60);
    let first = explorer.get("/blocks").expect(200);
    assert_eq!(first.text().matches("<tr id=\"b").count(), 25);
    assert!(
        first.text().contains("href=\"/blocks?from=35\""),
        "{}",
        first.text()
    );
    let last = explorer.get("/blocks?from=10").expect(200);
    assert_eq!(last.text().matches("<tr id=\"b").count(), 11);
    assert!(
        last.text().contains("href=\"/blocks?from=35\""),
        "{}",
        last.text()
    );

    let jump = |at: &str| {
        let response = explorer.get(&format!("/blocks?at={at}")).expect(303);
        response.header("location").unwrap().to_owned()
    };
    assert_eq!(jump("42"), "/blocks?from=42#b42");
    assert_eq!(jump("99999999999"), "/blocks?from=60#b60");
    assert_eq!(jump("2019-01-01"), "/blocks?from=0#b0");
    assert_eq!(jump("2020-02-10"), "/blocks?from=1#b1");
    assert_eq!(jump("2999-01-01%2012:30"), "/blocks?from=60#b60");
    let block: SingleBlock = node.json("/blocks/30");
    let time = block.block.time.unwrap();
    assert_eq!(jump(&time), "/blocks?from=30#b30");
    let html = explorer.get("/blocks?at=soon").expect(400);
    assert!(html.text().contains("Not a block index or date"));
}

#[test]
fn a_block_is_shown_by_index_hash_and_tip_and_passes_every_rule() {
    let (node, explorer) = with_blocks(3);
    for index in 0..=3 {
        let single: SingleBlock = node.json(&format!("/blocks/{index}"));
        let by_index = explorer.get(&format!("/block/{index}")).expect(200);
        let by_hash = explorer
            .get(&format!("/block/{}", single.block.hash))
            .expect(200);
        for html in [by_index.text(), by_hash.text()] {
            for text in [
                &single.block.hash,
                &single.block.data.id,
                &single.block.data.message,
                &single.block.timestamp_text,
            ] {
                assert!(html.contains(text.as_str()), "{text}: {html}");
            }
            let passed = if index == 0 { 2 } else { 5 };
            assert_eq!(html.matches(">passed<").count(), passed, "{html}");
        }
        let raw = explorer.get(&format!("/raw/block/{index}")).expect(200);
        assert_eq!(raw.header("content-type"), Some("application/json"));
        assert_eq!(raw.json::<SingleBlock>(), single);
    }
    let tip = explorer.get("/block/tip").expect(200);
    assert!(
        tip.text().contains("block 4 is not mined yet"),
        "{}",
        tip.text()
    );
    let newest: blockchain::wire::BlockPage = explorer.get("/raw/blocks?newest=2").json();
    let indices: Vec<_> = newest.blocks.iter().map(|block| block.index).collect();
    assert_eq!(indices, [3, 2]);
}

#[test]
fn a_message_is_followed_from_pending_to_mined() {
    let mut node = TestNode::start(&["--difficulty", "1", "--threads", "0"]);
    let id = node.add("on its way");
    {
        let explorer = Explorer::of(node.address(), &[]);
        let html = explorer.get(&format!("/message/{id}")).expect(200);
        assert!(
            html.text().contains("The message is pending"),
            "{}",
            html.text()
        );
        // A live update puts the links here once the message is mined.
        let place = "<p id=\"message-proofs\" class=\"screen-only\" data-live></p>";
        assert!(html.text().contains(place), "{}", html.text());
        let pool = explorer.get("/mempool").expect(200);
        assert!(pool.text().contains("1 pending message") && pool.text().contains("on its way"));
    }
    node.stop();
    node.start_again(&["--threads", "1"]);
    node.mine(&["on top"]);
    let explorer = Explorer::of(node.address(), &[]);
    let html = explorer.get(&format!("/message/{id}")).expect(200);
    for text in [
        "The message is in the chain",
        "href=\"/block/1\"",
        "2 confirmations",
        "<p id=\"message-proofs\" class=\"screen-only\" data-live><a",
    ] {
        assert!(html.text().contains(text), "{text}: {}", html.text());
    }
    let pool = explorer.get("/mempool").expect(200);
    assert!(
        pool.text().contains("No pending messages"),
        "{}",
        pool.text()
    );
}

#[test]
fn a_search_with_one_hit_redirects_to_it() {
    let (node, explorer) = with_blocks(12);
    let hash = node.json::<SingleBlock>("/blocks/7").block.hash;
    let id = node.json::<SingleBlock>("/blocks/7").block.data.id;
    for (query, target) in [
        (hash, "/block/7".to_owned()),
        (id.clone(), format!("/message/{id}")),
        ("2020-02-09".to_owned(), "/block/0".to_owned()),
    ] {
        let response = explorer.get(&format!("/search?q={query}")).expect(303);
        assert_eq!(response.header("location"), Some(&*target), "{query}");
    }
    let none = explorer.get("/search?q=nowhere").expect(200);
    assert!(
        none.text().contains("Nothing found. Searched:"),
        "{}",
        none.text()
    );
    let empty = explorer.get("/search?q=").expect(200);
    assert!(
        empty.text().contains("Enter a block index"),
        "{}",
        empty.text()
    );
}

#[test]
fn the_lab_shows_the_costs_of_this_chain() {
    let (_node, explorer) = with_blocks(12);
    let html = explorer.get("/lab").expect(200);
    for text in [
        "data-difficulty=\"1\"",
        "1,048,576",
        "<noscript>",
        "sealed blocks only",
    ] {
        assert!(html.text().contains(text), "{text}: {}", html.text());
    }
}

#[test]
fn missing_pages_blocks_and_messages_are_404_pages() {
    let (_node, explorer) = with_blocks(1);
    let id = "0".repeat(32);
    for target in [
        "/nope",
        "/block",
        "/block/9",
        "/block/x",
        "/block/..%2fstatus",
        "/block/1/2",
        &format!("/block/{}", "0".repeat(64)),
        &format!("/message/{id}"),
        "/message/x",
        "/assets/nope.js",
        "/assets/..%2fui.rs",
        "/raw/block/9",
    ] {
        let response = explorer.get(target).expect(404);
        assert_eq!(
            response.header("content-type"),
            Some("text/html; charset=utf-8"),
            "{target}"
        );
        assert!(response.text().contains("not found"), "{target}");
    }
    explorer.get("/blocks?from=x").expect(400);
    explorer.get("/raw/blocks?newest=1000").expect(400);
}

#[test]
fn unchanged_assets_are_revalidated_without_a_body() {
    let (_node, explorer) = with_blocks(1);
    for (name, kind) in [
        ("base.css", "text/css; charset=utf-8"),
        ("page.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ] {
        let target = format!("/assets/{name}");
        let response = explorer.get(&target).expect(200);
        assert_eq!(response.header("content-type"), Some(kind));
        let tag = response.header("etag").unwrap();
        let again = explorer.browse("GET", &target, &[("If-None-Match", tag)], "");
        assert!(again.expect(304).body.is_empty());
    }
    explorer.get("/favicon.ico").expect(200);
}
