use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Killed, is_installed, path, read};
use crate::support::http::request;
use crate::support::skip::skip;
use crate::support::test_node::TestNode;
use crate::support::wait_for;

/// Files that name metrics of a node.
const USERS: &[&str] = &[
    "docker/README.md",
    "docker/alerts.yaml",
    "docker/grafana.json",
];

/// The names of metrics of a node in a text.
fn named_metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| {
            // A digit follows in the name of the Debian package.
            let name = word.strip_prefix("blockchain_");
            name.is_some_and(|name| name.starts_with(|first: char| first.is_ascii_lowercase()))
        })
        .collect()
}

fn get(address: SocketAddr, path: &str) -> String {
    let response = request(address, "GET", path, &[], &[]).unwrap().expect(200);
    response.text().to_owned()
}

#[test]
fn the_dashboard_and_the_alerts_use_metrics_that_a_node_exports() {
    let first = TestNode::start(&["--difficulty", "1"]);
    let second = TestNode::start(&[
        "--difficulty",
        "1",
        "--neighbours",
        &first.address().to_string(),
    ]);
    // The offset of the clock is known once a neighbour has answered.
    let text = wait_for("the metrics of a neighbour", || {
        let text = get(second.address(), "/metrics");
        text.contains("\nblockchain_clock_offset_seconds")
            .then_some(text)
    });
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let exported: BTreeSet<_> = samples
        .filter_map(|line| line.split(['{', ' ']).next())
        .chain(families.filter_map(|line| line.split(' ').next()))
        .collect();
    for file in USERS {
        let content = read(file);
        let named = named_metrics(&content);
        assert!(named.len() >= 8, "{file} names {named:?}");
        let missing: Vec<_> = named.difference(&exported).collect();
        assert!(missing.is_empty(), "{file}: not exported: {missing:?}");
    }
}

#[test]
fn the_dashboard_has_eight_panels_with_queries_of_their_own() {
    let dashboard: Value = serde_json::from_str(&read("docker/grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert_eq!(panels.len(), 8);
    let mut seen = BTreeSet::new();
    for panel in panels {
        assert!(panel["description"].is_string(), "{panel}");
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            assert!(query.contains("{job=\"$job\"}"), "{query}");
            assert!(seen.insert(query), "twice: {query}");
        }
    }
}

#[test]
fn promtool_accepts_the_alert_rules() {
    if !is_installed("promtool", "--version") {
        return skip("promtool_accepts_the_alert_rules", "promtool is missing");
    }
    let output = Command::new("promtool")
        .args(["check", "rules"])
        .arg(path("docker/alerts.yaml"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(text.contains("SUCCESS: 7 rules found"), "{text}");
}

#[test]
fn prometheus_scrapes_a_node_with_the_rules() {
    if !is_installed("prometheus", "--version") {
        return skip(
            "prometheus_scrapes_a_node_with_the_rules",
            "prometheus is missing",
        );
    }
    let node = TestNode::start(&["--difficulty", "1"]);
    let folder = tempfile::tempdir().unwrap();
    let configuration = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
         scrape_configs: [{{job_name: blockchain, static_configs: [{{targets: ['{}']}}]}}]\n\
         rule_files: ['{}']\n",
        node.address(),
        path("docker/alerts.yaml").display(),
    );
    let file = folder.path().join("prometheus.yml");
    fs::write(&file, configuration).unwrap();
    let log = folder.path().join("log");
    let process = Command::new("prometheus")
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().display()))
        .arg("--web.listen-address=127.0.0.1:0")
        .stdout(Stdio::null())
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let _process = Killed(process);
    let address = wait_for("the address of Prometheus", || {
        let log = fs::read_to_string(&log).unwrap();
        let (_, rest) = log.split_once("\"Listening on\" address=")?;
        rest.lines().next()?.parse().ok()
    });
    let ask = |path: &str| -> Option<Value> {
        let response = request(address, "GET", path, &[], &[]).ok()?;
        serde_json::from_slice(&response.body).ok()
    };
    let target = wait_for("a scrape", || {
        let targets = ask("/api/v1/targets")?;
        let target = targets["data"]["activeTargets"][0].clone();
        (target["health"] != "unknown" && !target.is_null()).then_some(target)
    });
    assert_eq!(target["health"], "up", "{target}");
    let ready = wait_for("a sample", || {
        let response = ask("/api/v1/query?query=blockchain_ready")?;
        response["data"]["result"][0]["value"][1]
            .as_str()
            .map(str::to_owned)
    });
    assert_eq!(ready, "1");
}
