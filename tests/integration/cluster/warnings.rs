//! Warnings about a replaced history.

use blockchain::wire::ReorgPage;

use crate::support::explorer::Explorer;
use crate::support::http::request;
use crate::support::test_node::TestNode;
use crate::support::wait_for;

#[test]
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
    let explorer = Explorer::of(short.address(), &[]);
    let home = request(explorer.address(), "GET", "/", &[], &[]).unwrap();
    let html = home.expect(200).text().to_owned();
    let notice = "7 blocks from block 1 on (7 sealed) were replaced by 9 (9 sealed)";
    for text in ["Deep reorg", notice, "/reorgs?from=1"] {
        assert!(html.contains(text), "{text} {html}");
    }
}
