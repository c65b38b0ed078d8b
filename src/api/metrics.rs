//! `/metrics`: what a monitor wants to know, in the text formats that Prometheus reads.
//!
//! What the node knows anyway is read when it is asked for; counted here are only requests, and
//! in the node how long writes take.

use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use warp::http;
use warp::reply::Response;

use super::exposition::Exposition;
use super::paths;
use super::reject::{ApiError, bytes_response};
use super::server::Context;
use crate::node::Node;
use crate::node::reorgs::ReorgTotals;
use crate::wire::{PeerKind, PeerOrigin};

/// What is counted while the node runs.
#[derive(Debug)]
pub(crate) struct Metrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    panics: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PeerLabels {
    kind: &'static str,
    origin: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
    method: &'static str,
}

/// A request under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    labels: (&'static str, &'static str),
    at: Instant,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(durations),
            panics: Counter::default(),
        }
    }
}

/// From 0.1 ms to 1.6 s, and beyond.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(1e-4, 4.0, 8))
}

impl Metrics {
    /// Notes that a request has come. What names no path counts under one label, so that nobody
    /// can make up labels.
    pub(crate) fn begin<B>(request: &http::Request<B>) -> Begun {
        let route = paths::find(request.uri().path()).map_or("other", |path| path.template);
        let method = match *request.method() {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::POST => "POST",
            Method::PUT => "PUT",
            Method::DELETE => "DELETE",
            Method::OPTIONS => "OPTIONS",
            _ => "other",
        };
        Begun {
            labels: (route, method),
            at: Instant::now(),
        }
    }

    /// Notes how a request was answered. A streamed answer counts when it begins.
    pub(crate) fn end(&self, begun: Begun, status: StatusCode) {
        let (route, method) = begun.labels;
        let labels = RequestLabels {
            route,
            method,
            status: status.as_u16(),
        };
        self.requests.get_or_create(&labels).inc();
        let duration = begun.at.elapsed().as_secs_f64();
        let labels = RouteLabels { route, method };
        self.durations.get_or_create(&labels).observe(duration);
    }

    /// Notes that a handler panicked.
    pub(crate) fn panicked(&self) {
        self.panics.inc();
    }

    /// Number of handlers that panicked.
    #[cfg(test)]
    pub(crate) fn panics(&self) -> u64 {
        self.panics.get()
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("http_requests", "Requests answered", self.requests.clone());
        registry.register(
            "http_handler_panics",
            "Requests answered with 500 because their handler panicked",
            self.panics.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "Time from the head of a request to the head of its answer",
            Unit::Seconds,
            self.durations.clone(),
        );
    }
}

/// `GET /metrics`.
pub(crate) async fn page(context: Context, headers: HeaderMap) -> Result<Response, ApiError> {
    let connections = context.connections.count();
    let metrics = Arc::clone(&context.metrics);
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
            "Open connections",
            connections,
        );
        metrics.register(&mut registry);
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = encode(&mut text, &registry);
        Ok(text)
    });
    let format = Exposition::accepted(&headers);
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
        "Blocks of the chain",
        state.length(),
    );
    gauge(
        registry,
        "chain_sealed_blocks",
        "Sealed blocks of the chain",
        state.sealed(),
    );
    for (name, help, seconds) in [
        (
            "tip_timestamp",
            "Time of the last block since the epoch",
            state.tip.timestamp.seconds(),
        ),
        (
            "tip_age",
            "Time since the last block was put on the chain, whatever the clocks say",
            node.tip_age().as_secs_f64(),
        ),
        (
            "tip_ahead",
            "How far the last block is dated ahead of the clock",
            node.tip_ahead(),
        ),
    ] {
        registry.register_with_unit(name, help, Unit::Seconds, ConstGauge::new(seconds));
    }
    gauge(
        registry,
        "difficulty",
        "Zeros that every proof must have",
        u64::from(state.network.difficulty.get()),
    );
}

fn reorgs(registry: &mut Registry, totals: &ReorgTotals) {
    let blocks = &totals.blocks;
    for (name, help, count) in [
        ("reorgs", "Switches to another branch", totals.count),
        (
            "reorgs_deep",
            "Switches to another branch that took off more than 6 blocks",
            totals.deep,
        ),
        (
            "reorgs_trading_sealed",
            "Switches to another branch with fewer sealed blocks",
            totals.trading_sealed,
        ),
        (
            "reorg_disconnected_blocks",
            "Blocks taken off by reorgs",
            blocks.disconnected,
        ),
        (
            "reorg_disconnected_sealed_blocks",
            "Sealed blocks taken off by reorgs",
            blocks.disconnected_sealed,
        ),
        (
            "reorg_connected_blocks",
            "Blocks put on by reorgs",
            blocks.connected,
        ),
        (
            "reorg_connected_sealed_blocks",
            "Sealed blocks put on by reorgs",
            blocks.connected_sealed,
        ),
    ] {
        counter(registry, name, help, count);
    }
    gauge(
        registry,
        "reorg_max_depth",
        "Most blocks that one switch to another branch took off",
        totals.max_depth,
    );
}

fn mempool(registry: &mut Registry, node: &Node) {
    let state = node.state();
    gauge(
        registry,
        "mempool_messages",
        "Messages that wait to be mined",
        state.mempool_count(),
    );
    registry.register_with_unit(
        "mempool",
        "Bytes of the texts that wait to be mined",
        Unit::Bytes,
        ConstGauge::new(state.mempool_bytes()),
    );
}

fn mining(registry: &mut Registry, node: &Node) {
    let (active, tries, rate) = node.mining.now();
    gauge(
        registry,
        "mining_active",
        "Whether a proof is being searched",
        u64::from(active),
    );
    counter(
        registry,
        "mining_tries",
        "Candidates tried since the start",
        tries,
    );
    registry.register(
        "mining_hash_rate",
        "Candidates a second over the last piece of work",
        ConstGauge::new(rate),
    );
}

/// Every kind and origin is there, also without peers, so that a monitor need not guess.
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
    registry.register("peers", "Other nodes that are known", counts);
    let refused = list.iter().filter(|peer| peer.refused.is_some()).count();
    let held_back = list.iter().filter(|peer| peer.held_back.is_some());
    let answering = node.peers.answering().len();
    for (name, help, count) in [
        (
            "peers_refused",
            "Other nodes that are not followed",
            refused,
        ),
        (
            "peers_held_back",
            "Other nodes with a block too far ahead of the clock",
            held_back.count(),
        ),
        (
            "peers_answering",
            "Neighbours that answered within the last 30 s",
            answering,
        ),
    ] {
        gauge(registry, name, help, count as u64);
    }
    if let Some(offset) = node.clock_offset() {
        registry.register_with_unit(
            "clock_offset",
            "How far the clocks of the neighbours are ahead of this one, by their median",
            Unit::Seconds,
            ConstGauge::new(offset),
        );
    }
}

fn program(registry: &mut Registry, node: &Node) {
    counter(
        registry,
        "commits",
        "Commits of the database since the start",
        node.subscribe().borrow().commits,
    );
    registry.register_with_unit(
        "write_duration",
        "Time from handing something to the database to its commit",
        Unit::Seconds,
        node.writes.clone(),
    );
    gauge(
        registry,
        "ready",
        "Whether messages are taken",
        u64::from(node.health_issues().is_empty()),
    );
    registry.register_with_unit(
        "uptime",
        "Time since the start",
        Unit::Seconds,
        ConstGauge::new(node.uptime()),
    );
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    registry.register("build", "The program", Info::new(version));
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstGauge::new(value));
}

fn counter(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstCounter::new(value));
}
