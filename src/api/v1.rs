//! `/api/v1` and `/health`, in plain JSON.
//!
//! * `blocks`, `messages`, `lines`, `reorgs`, `search`: reading and adding
//! * `disconnected`: disconnected blocks with their content
//! * `proofs`: checkpoints, receipts and consistency proofs
//! * `events`: the stream of events
//! * `neighbours`: the peers of the node, and announcements from them

pub(crate) mod blocks;
pub(crate) mod disconnected;
pub(crate) mod events;
pub(crate) mod lines;
pub(crate) mod messages;
pub(crate) mod neighbours;
pub(crate) mod proofs;
pub(crate) mod reorgs;
pub(crate) mod search;

use std::sync::Arc;

use http::StatusCode;
use warp::http;
use warp::reply::Response;

use super::reject::{ApiError, json_response};
use crate::node::{Node, PROTOCOL};
use crate::wire::{Health, MempoolStatus, MiningStatus, Status};

/// `GET /status`.
pub(crate) async fn status(node: &Arc<Node>) -> Result<Response, ApiError> {
    let reorgs = |node: &Node| Ok((node.reorg_totals()?, node.view()?.acknowledged()?));
    let (totals, acknowledged_reorg) = node.blocking(reorgs).await?;
    let state = node.state();
    let mining = node.mining.snapshot();
    Ok(json_response(
        StatusCode::OK,
        &Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            node_id: node.id.clone(),
            name: node.profile.name().map(str::to_owned),
            closed: node.profile.is_closed(),
            addresses: node.addresses().iter().map(ToString::to_string).collect(),
            genesis: state.genesis.to_string(),
            title: node.profile.title().map(str::to_owned),
            tip: (&state.tip).into(),
            length: state.length(),
            sealed: state.sealed(),
            difficulty: state.network.difficulty.get(),
            sealed_from: state.network.sealed_from,
            proof_mode: node.settings.proof.to_string(),
            warnings: node.warnings(),
            mempool: MempoolStatus {
                count: state.mempool_count(),
                bytes: state.mempool_bytes(),
                next_sequence: state.next_sequence(),
            },
            mining: MiningStatus {
                active: mining.active,
                threads: node.settings.threads.map_or(0, std::num::NonZeroUsize::get),
                tries: mining.tries,
                hash_rate: mining.hash_rate,
            },
            sync: node.peers.sync_status(),
            reorgs: state.reorgs(),
            notable_reorg: totals
                .last_notable
                .map(|(number, reorg)| reorgs::summary(number, &reorg)),
            acknowledged_reorg,
            time: Some(node.clock().seconds()),
            uptime: node.uptime(),
        },
    ))
}

/// `GET /health`: 200 if the node accepts messages, else 503 with the reasons.
pub(crate) fn health(node: &Node) -> Response {
    let reasons = node.health_issues();
    let ready = reasons.is_empty();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    json_response(status, &Health { ready, reasons })
}
