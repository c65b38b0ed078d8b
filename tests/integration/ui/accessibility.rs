//! Every page is accessible, also over a node with reorgs and peers of other networks.

use serde_json::{Value, json};

use super::deployment::{block, status};
use super::places::{MESSAGES, scene};
use crate::support::axe::Axe;
use crate::support::explorer::{Explorer, StubNode};
use crate::support::skip::skip;
use crate::support::wait_for;

/// A node with a reorg, peers of other networks, and nothing that changes.
fn troubled_node() -> StubNode {
    let peer = |address: &str, network: Value, failures: u32| {
        json!({
            "address": address, "kind": "ours", "origin": "configured",
            "tip": {"index": 5, "hash": "ab".repeat(32)}, "last_answer": 1.0, "failures": failures,
            "retry_in": null, "refused": null, "network": network, "version": "0.2.0"
        })
    };
    let other = json!({"genesis": "dd".repeat(32), "difficulty": 5, "sealed_from": null});
    let same = json!({"genesis": "c0".repeat(32), "difficulty": 6, "sealed_from": 1});
    let peers = [
        peer("10.0.0.7:12345", other, 0),
        peer("10.0.0.8:12345", same.clone(), 0),
        peer("10.0.0.9:12345", same, 3),
    ];
    let reorg = json!({
        "number": 1, "timestamp": 1_700_000_000, "time": null, "source": "10.0.0.7:12345",
        "from": 4, "old_tip": "77".repeat(32), "new_tip": "ab".repeat(32), "disconnected": 1,
        "disconnected_sealed": 1, "connected": 2, "connected_sealed": 0, "returned": 1,
        "left": [{"index": 4, "hash": "77".repeat(32), "message_id": "f".repeat(32)}]
    });
    StubNode::start(&[
        ("/api/v1/status", &status().to_string()),
        (
            "/api/v1/blocks",
            &json!({"blocks": [block(5, "five")], "next": null}).to_string(),
        ),
        (
            "/api/v1/neighbours",
            &json!({"neighbours": peers}).to_string(),
        ),
        (
            "/api/v1/reorgs",
            &json!({"reorgs": [reorg], "next": null}).to_string(),
        ),
        (
            "/api/v1/search",
            &json!({"hits": [], "next": null}).to_string(),
        ),
    ])
}

#[test]
fn peers_are_compared_only_if_they_respond_and_disconnected_blocks_are_found() {
    let node = troubled_node();
    let explorer = Explorer::of(node.address(), &[]);
    let peers = explorer.get("/peers").expect(200);
    let genesis = "dd".repeat(32);
    for text in [
        "<strong>on another network</strong>",
        "<strong>same tip</strong>",
        "<strong>does not respond</strong>",
        &format!(
            "--genesis {genesis} --difficulty 5 --accept-open --neighbours 10.0.0.7:12345</code>"
        ),
        "<code>blockchain node --difficulty 6</code>",
        "<svg",
    ] {
        assert!(peers.text().contains(text), "{text}: {}", peers.text());
    }
    assert_eq!(peers.text().matches("<code>blockchain node").count(), 2);
    let hash = "77".repeat(32);
    for query in [&hash, &hash[..8], &"f".repeat(32)] {
        let page = explorer.get(&format!("/search?q={query}")).expect(200);
        let text = "href=\"/reorgs?from=1\">Block 4, disconnected by reorg 1";
        assert!(page.text().contains(text), "{query}: {}", page.text());
    }
    let moved = explorer.get(&format!("/block/{hash}")).expect(303);
    assert_eq!(
        moved.header("location"),
        Some(&*format!("/search?q={hash}"))
    );
    let reorgs = explorer.get("/reorgs").expect(200);
    let drawing = "Block 3 is the last common block. 1 disconnected, 2 connected.";
    assert!(reorgs.text().contains(drawing), "{}", reorgs.text());
}

#[test]
fn every_page_is_accessible() {
    let Some(scene) = scene("accessibility in a browser", MESSAGES) else {
        return;
    };
    let axe = match Axe::download() {
        Ok(axe) => axe,
        Err(reason) => return skip("accessibility of the pages", &reason),
    };
    let check = |url: &str| {
        scene.browser.open(url);
        axe.assert_accessible(&scene.browser, url);
    };
    let own = format!("http://{}", scene.explorer.address());
    let paths = [
        "/",
        "/blocks",
        "/block/1",
        "/mempool",
        "/peers",
        "/reorgs",
        "/lab",
        "/search?q=hello",
        "/search?q=moon",
        "/search",
        "/add",
        "/nope",
        "/receipt",
        "/checkpoint",
        "/proving",
        "/docs",
    ];
    for path in paths {
        check(&format!("{own}{path}"));
    }
    scene.open("/block/3");
    scene.browser.click("details.exact summary");
    axe.assert_accessible(&scene.browser, "exact bytes");
    scene.open("/block/2");
    wait_for("the inspector", || {
        let shown = scene
            .browser
            .run("return !document.getElementById('editor').hidden");
        (shown == json!(true)).then_some(())
    });
    scene.browser.type_into("#edited-message", "!");
    axe.assert_accessible(&scene.browser, "an edited block");
    check(&format!("http://{}/docs", scene.node.address()));

    let node = troubled_node();
    let explorer = Explorer::of(node.address(), &[]);
    for path in [
        "/",
        "/peers",
        "/reorgs",
        &format!("/search?q={}", "77".repeat(32)),
    ] {
        check(&format!("http://{}{path}", explorer.address()));
    }
    scene.size(390, 844, true);
    for path in ["/", "/blocks", "/block/1", "/search?q=hello"] {
        check(&format!("{own}{path}"));
    }
    scene.size(1920, 1080, false);
    scene.open("/");
    scene.browser.click("#present");
    axe.assert_accessible(&scene.browser, "presentation");
}
