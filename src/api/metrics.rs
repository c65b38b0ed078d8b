//! `/metrics`: the state of the node in the text formats that Prometheus reads.
//!
//! The values are read from the node for each scrape. Only requests
//! ([`RequestMetrics`](super::request_metrics::RequestMetrics)) and the durations of writes are
//! recorded as they happen.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use warp::http;
use warp::reply::Response;

use super::context::Context;
use super::exposition::Exposition;
use super::reject::{ApiError, bytes_response};
use crate::node::Node;
use crate::node::reorgs::ReorgTotals;
use crate::wire::{PeerKind, PeerOrigin};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PeerLabels {
    kind: &'static str,
    origin: &'static str,
}

/// `GET /metrics`.
pub(crate) async fn page(context: &Context, headers: &HeaderMap) -> Result<Response, ApiError> {
    let connections = context.connections.count();
    let metrics = Arc::clone(&context.request_metrics);
    let text = context.node.blocking(move |node| {
        let mut registry = Registry::with_prefix("blockchain");
        chain(&mut registry, node);
        reorgs(&mut registry, &node.reorg_totals()?);
        mempool(&mut registry, node);
        mining(&mut registry, node);
        peers(&mut registry, node);
        program(&mut registry, node);
        gauge(
            &mut registry,
            "http_connections",
            "Number of open connections",
            connections,
        );
        metrics.register(&mut registry);
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = encode(&mut text, &registry);
        Ok(text)
    });
    let format = Exposition::accepted(headers);
    let text = format.render(text.await?);
    let mut response = bytes_response(StatusCode::OK, text.into_bytes());
    for (name, value) in [
        (header::CONTENT_TYPE, format.content_type()),
        (header::VARY, "accept"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

fn chain(registry: &mut Registry, node: &Node) {
    let state = node.state();
    gauge(
        registry,
        "chain_blocks",
        "Number of blocks on the chain",
        state.length(),
    );
    gauge(
        registry,
        "chain_sealed_blocks",
        "Number of sealed blocks on the chain",
        state.sealed(),
    );
    for (name, help, seconds) in [
        (
            "tip_timestamp",
            "Timestamp of the tip since the Unix epoch",
            state.tip.timestamp.seconds(),
        ),
        (
            "tip_age",
            "Time since the tip was connected, by the monotonic clock of this node",
            node.tip_age().as_secs_f64(),
        ),
        (
            "tip_ahead",
            "Time by which the timestamp of the tip is ahead of the clock of this node",
            node.tip_ahead(),
        ),
    ] {
        registry.register_with_unit(name, help, Unit::Seconds, ConstGauge::new(seconds));
    }
    gauge(
        registry,
        "difficulty",
        "Number of trailing zero digits that every proof must have",
        u64::from(state.network.difficulty.get()),
    );
}

fn reorgs(registry: &mut Registry, totals: &ReorgTotals) {
    let blocks = &totals.blocks;
    for (name, help, count) in [
        ("reorgs", "Number of reorgs", totals.count),
        (
            "reorgs_deep",
            "Number of reorgs that disconnected more than 6 blocks",
            totals.deep,
        ),
        (
            "reorgs_trading_sealed",
            "Number of reorgs to a branch with fewer sealed blocks",
            totals.trading_sealed,
        ),
        (
            "reorg_disconnected_blocks",
            "Number of blocks disconnected by reorgs",
            blocks.disconnected,
        ),
        (
            "reorg_disconnected_sealed_blocks",
            "Number of sealed blocks disconnected by reorgs",
            blocks.disconnected_sealed,
        ),
        (
            "reorg_connected_blocks",
            "Number of blocks connected by reorgs",
            blocks.connected,
        ),
        (
            "reorg_connected_sealed_blocks",
            "Number of sealed blocks connected by reorgs",
            blocks.connected_sealed,
        ),
    ] {
        counter(registry, name, help, count);
    }
    gauge(
        registry,
        "reorg_max_depth",
        "Maximum number of blocks that one reorg disconnected",
        totals.max_depth,
    );
}

fn mempool(registry: &mut Registry, node: &Node) {
    let state = node.state();
    gauge(
        registry,
        "mempool_messages",
        "Number of pending messages",
        state.mempool_count(),
    );
    registry.register_with_unit(
        "mempool",
        "Size of the texts of all pending messages",
        Unit::Bytes,
        ConstGauge::new(state.mempool_bytes()),
    );
}

fn mining(registry: &mut Registry, node: &Node) {
    let figures = node.mining.snapshot();
    gauge(
        registry,
        "mining_active",
        "1 while the node searches for a proof, else 0",
        u64::from(figures.active),
    );
    counter(
        registry,
        "mining_tries",
        "Number of proof candidates tried since the node started",
        figures.tries,
    );
    registry.register(
        "mining_hash_rate",
        "Proof candidates per second in the last batch",
        ConstGauge::new(figures.hash_rate),
    );
}

/// Registers every kind and origin, even if no peer has it, so that alerts can rely on the series.
fn peers(registry: &mut Registry, node: &Node) {
    let list = node.peers.list();
    let counts = Family::<PeerLabels, Gauge>::default();
    for (kind, kind_name) in [
        (PeerKind::Unknown, "unknown"),
        (PeerKind::Ours, "ours"),
        (PeerKind::Reference, "reference"),
    ] {
        for (origin, origin_name) in [
            (PeerOrigin::Configured, "configured"),
            (PeerOrigin::Learned, "learned"),
            (PeerOrigin::Guest, "guest"),
        ] {
            let labels = PeerLabels {
                kind: kind_name,
                origin: origin_name,
            };
            let counted = counts.get_or_create(&labels);
            for peer in &list {
                counted.inc_by(i64::from(peer.kind == kind && peer.origin == origin));
            }
        }
    }
    registry.register("peers", "Number of known peers", counts);
    let rejected = node.peers.sync_status().differences.len();
    let held_back = list.iter().filter(|peer| peer.held_back.is_some());
    let answering = node.peers.answering().len();
    for (name, help, count) in [
        (
            "peers_refused",
            "Number of peers that answer but are not followed",
            rejected,
        ),
        (
            "peers_held_back",
            "Number of peers with a block that is held back because it is too far ahead of the clock",
            held_back.count(),
        ),
        (
            "peers_answering",
            "Number of peers that responded within the last 30 s",
            answering,
        ),
    ] {
        gauge(registry, name, help, count as u64);
    }
    if let Some(offset) = node.clock_offset() {
        registry.register_with_unit(
            "clock_offset",
            "Median time by which the clocks of the peers are ahead of this one",
            Unit::Seconds,
            ConstGauge::new(offset),
        );
    }
}

fn program(registry: &mut Registry, node: &Node) {
    counter(
        registry,
        "commits",
        "Number of database commits since the node started",
        node.subscribe().borrow().commits,
    );
    registry.register_with_unit(
        "write_duration",
        "Time from the submission of a write to its commit",
        Unit::Seconds,
        node.writes.clone(),
    );
    gauge(
        registry,
        "ready",
        "1 if the node accepts messages, else 0",
        u64::from(node.health_issues().is_empty()),
    );
    registry.register_with_unit(
        "uptime",
        "Time since the node started",
        Unit::Seconds,
        ConstGauge::new(node.uptime()),
    );
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    registry.register("build", "Version of the program", Info::new(version));
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstGauge::new(value));
}

fn counter(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstCounter::new(value));
}
