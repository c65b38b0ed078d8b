//! Warnings about a replaced history.

use blockchain::wire::{Block, DisconnectedPage, ReorgPage};

use crate::support::command::Blockchain;
use crate::support::explorer::Explorer;
use crate::support::http::request;
use crate::support::test_node::TestNode;
use crate::support::wait_for;

#[test]
#[expect(clippy::too_many_lines, reason = "one reorg, seen in every place")]
fn a_deep_reorg_is_reported_in_log_status_metrics_and_explorer() {
    let mut short = TestNode::start(&["--difficulty", "1"]);
    let long = TestNode::start(&["--difficulty", "1"]);
    short.mine(&["0", "1", "2", "3", "4", "5", "6"]);
    long.mine(&["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
    short.stop();
    let known = long.address().to_string();
    short.start_again(&["--difficulty", "1", "--neighbours", &known]);
    let notable = wait_for("the reorg", || short.status().notable_reorg);
    let counts = [
        notable.disconnected,
        notable.disconnected_sealed,
        notable.connected,
        notable.connected_sealed,
    ];
    assert_eq!((notable.from, counts), (1, [7, 7, 9, 9]));
    assert!(notable.deep && !notable.trades_sealed);
    let page: ReorgPage = short.json("/reorgs");
    let reorg = page.reorgs.last().unwrap();
    assert!(reorg.deep && !reorg.trades_sealed);
    let metrics = short.get("/metrics").expect(200).text().to_owned();
    for line in [
        "blockchain_reorgs_deep_total 1",
        "blockchain_reorgs_trading_sealed_total 0",
        "blockchain_reorg_max_depth 7",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{metrics}");
    }
    let log = short.stderr();
    let line = log.lines().find(|line| line.contains("deep reorg"));
    let line = line.unwrap_or_else(|| panic!("no deep reorg in {log}"));
    for text in ["WARN", "from=1", "disconnected=7", "connected=9"] {
        assert!(line.contains(text), "{text} {line}");
    }
    // The content of the disconnected blocks, and what became of their messages.
    wait_for("the returned messages", || {
        (short.status().mempool.count == 0).then_some(())
    });
    let kept: DisconnectedPage = short.json("/disconnected?reorg=1");
    let texts: Vec<_> = kept
        .blocks
        .iter()
        .map(|found| &*found.block.data.message)
        .collect();
    assert_eq!(texts, ["0", "1", "2", "3", "4", "5", "6"]);
    for (found, listed) in kept.blocks.iter().zip(&reorg.left) {
        assert_eq!(
            (found.block.index, &found.block.hash),
            (listed.index, &listed.hash)
        );
        assert_eq!(found.block.seal.as_deref(), Some("sealed"));
        assert!(!found.pending);
        let again = format!("/blocks/{}", found.mined_in.unwrap());
        assert_eq!(short.json::<Block>(&again).data.id, listed.message_id);
    }
    let find = |text: &str| short.json::<DisconnectedPage>(&format!("/disconnected?q={text}"));
    assert_eq!(find(&reorg.left[2].hash).blocks, kept.blocks[2..3]);
    assert_eq!(find(&reorg.left[3].message_id).blocks, kept.blocks[3..4]);
    assert_eq!(find("4").blocks, kept.blocks[4..5]);
    let page: DisconnectedPage = short.json("/disconnected?reorg=1&from=2&limit=2");
    assert_eq!((&page.blocks[..], page.next), (&kept.blocks[1..3], Some(4)));
    short.get("/api/v1/disconnected?from=2").expect(400);
    let explorer = Explorer::of(short.address(), &[]);
    let home = request(explorer.address(), "GET", "/", &[], &[]).unwrap();
    let html = home.expect(200).text().to_owned();
    let notice = "7 blocks from block 1 on (7 sealed) were replaced by 9 (9 sealed)";
    let banner = "7 blocks were replaced: the chain of this node was rewritten from block 1 on";
    assert!(html.contains(banner), "{html}");
    assert!(!html.contains("Deep reorg"), "said twice: {html}");
    // Every page warns, until the administrator has acknowledged the reorg.
    let page = |path: &str| {
        let page = request(explorer.address(), "GET", path, &[], &[]).unwrap();
        page.text().to_owned()
    };
    for path in [
        "/", "/blocks", "/block/1", "/mempool", "/peers", "/lab", "/add", "/nowhere",
    ] {
        assert!(page(path).contains("id=\"reorg-banner\""), "{path}");
    }
    let reorgs = page("/reorgs?reorg=1");
    assert_eq!(
        reorgs.matches("mined again in block").count(),
        7,
        "{reorgs}"
    );
    assert!(reorgs.contains("blockchain acknowledge 1"), "{reorgs}");
    let found = page("/reorgs?q=4");
    assert!(found.contains("Disconnected blocks found: 1"), "{found}");
    short
        .request("POST", "/api/v1/reorgs/acknowledge", &[], b"{\"number\":1}")
        .expect(401);
    let acknowledge = || Blockchain::new(["acknowledge", "--db"]).args([short.folder()]);
    acknowledge()
        .args(["2"])
        .exits(1)
        .complains(&["there is no reorg 2"]);
    acknowledge().succeeds().prints(&["1 reorg acknowledged"]);
    assert_eq!(short.status().acknowledged_reorg, 1);
    wait_for("the end of the warning", || {
        (!page("/blocks").contains("id=\"reorg-banner\"")).then_some(())
    });
    // Without the banner, the home page still tells it.
    let home = page("/");
    for text in ["Deep reorg", notice, "/reorgs?from=1"] {
        assert!(home.contains(text), "{text} {home}");
    }
    short.stop();
    short.start_again(&["--difficulty", "1"]);
    assert_eq!(short.status().acknowledged_reorg, 1);
}

#[test]
fn a_browser_on_the_machine_of_the_node_acknowledges_a_reorg() {
    let mut short = TestNode::start(&["--difficulty", "1"]);
    let long = TestNode::start(&["--difficulty", "1"]);
    short.mine(&["0", "1", "2", "3", "4", "5", "6"]);
    long.mine(&["a", "b", "c", "d", "e", "f", "g", "h"]);
    short.stop();
    let known = long.address().to_string();
    short.start_again(&["--difficulty", "1", "--neighbours", &known, "--ui=0"]);
    wait_for("the reorg", || short.status().notable_reorg);
    let explorer = wait_for("the explorer", || {
        let log = short.stderr();
        let address = log.split("explorer=http://").nth(1)?.split('/').next()?;
        address.parse().ok()
    });
    let page = request(explorer, "GET", "/reorgs", &[], &[])
        .unwrap()
        .expect(200);
    let cookie = page
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let html = page.text().to_owned();
    let token = html.split("name=\"token\" value=\"").nth(1).unwrap();
    let token = token.split('"').next().unwrap();
    let form = format!("number=1&token={token}");
    let post = |headers: &[(&str, &str)], form: &str| {
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        let headers = [headers, &[kind]].concat();
        let response = request(
            explorer,
            "POST",
            "/reorgs/acknowledge",
            &headers,
            form.as_bytes(),
        );
        response.unwrap().status
    };
    let cookie = ("Cookie", &*cookie);
    assert_eq!(post(&[], &form), 403);
    assert_eq!(
        post(&[cookie, ("X-Forwarded-For", "192.0.2.1")], &form),
        403
    );
    assert_eq!(post(&[cookie], "number=x"), 400);
    assert_eq!(short.status().acknowledged_reorg, 0);
    assert_eq!(post(&[cookie], &form), 303);
    assert_eq!(short.status().acknowledged_reorg, 1);
    let html = request(explorer, "GET", "/reorgs", &[], &[]).unwrap();
    assert!(!html.text().contains("reorg-banner"));
}
