//! A peer in a list, compared with the node's own chain and network.

use std::cmp::Ordering;

use super::hash_link::HashLink;
use super::relative_time::{RelativeTime, now};
use super::remedy::{Remedy, shorten_hashes};
use super::text::Line;
use crate::ui::format;
use crate::wire::{Neighbour, NetworkStatus, PeerKind, PeerOrigin, Position, Status};

/// A peer in a list.
#[derive(Debug)]
pub(in crate::ui) struct PeerRow {
    pub(in crate::ui) address: Line,
    pub(in crate::ui) name: Option<Line>,
    pub(in crate::ui) kind: &'static str,
    pub(in crate::ui) origin: &'static str,
    pub(in crate::ui) version: Option<Line>,
    pub(in crate::ui) tip: Option<(u64, HashLink)>,
    /// The peer's state and, if it is on the same network, its tip compared with the node's own.
    pub(in crate::ui) state: String,
    pub(in crate::ui) is_responding: bool,
    pub(in crate::ui) last_response: Option<RelativeTime>,
    pub(in crate::ui) failures: u32,
    /// Time until the next attempt.
    pub(in crate::ui) retry: Option<String>,
    /// Reason why the node ignores the peer.
    pub(in crate::ui) refused: Option<Line>,
    pub(in crate::ui) clock: Option<String>,
    /// Reason why the node does not follow the chain of the peer.
    pub(in crate::ui) held_back: Option<Line>,
    pub(in crate::ui) checks: Vec<NetworkCheck>,
}

/// A network parameter that must be the same on both nodes.
#[derive(Debug)]
pub(in crate::ui) struct NetworkCheck {
    pub(in crate::ui) name: &'static str,
    pub(in crate::ui) is_same: bool,
    /// The peer's value.
    pub(in crate::ui) value: String,
    /// The command that makes the networks the same, and the node to start with it.
    pub(in crate::ui) remedy: Option<Remedy>,
}

impl PeerRow {
    pub(in crate::ui) fn new(base: &str, peer: &Neighbour, own: &Status) -> Self {
        // Network and clock of an unresponsive peer may have changed since its last response.
        let is_responding = is_responding(peer);
        let network = peer.network.as_ref().filter(|_| is_responding);
        Self {
            address: Line::new(&peer.address, 80),
            name: peer.name.as_ref().map(|name| Line::new(name, 24)),
            kind: match peer.kind {
                PeerKind::Unknown => "unknown program",
                PeerKind::Ours => "this program",
                PeerKind::Reference => "reference miner",
            },
            origin: match peer.origin {
                PeerOrigin::Configured => "manual",
                PeerOrigin::Learned => "learned",
                PeerOrigin::Guest => "guest",
            },
            version: peer
                .version
                .as_deref()
                .map(|version| Line::new(version, 40)),
            tip: peer
                .tip
                .as_ref()
                .map(|tip| (tip.index, HashLink::new(base, &tip.hash))),
            state: state(peer, own),
            is_responding,
            last_response: peer.last_answer.map(|age| RelativeTime::at(now() - age)),
            failures: peer.failures,
            retry: peer.retry_in.map(format::coarse_duration),
            refused: peer
                .refused
                .as_deref()
                .map(|reason| Line::new(&shorten_hashes(reason), 400)),
            clock: peer
                .clock_offset
                .filter(|_| is_responding)
                .map(format::clock_offset),
            held_back: peer
                .held_back
                .as_deref()
                .map(|reason| Line::new(reason, 400)),
            checks: network.map_or_else(Vec::new, |network| {
                NetworkCheck::all(&peer.address, network, own)
            }),
        }
    }
}

impl NetworkCheck {
    fn all(address: &str, network: &NetworkStatus, own: &Status) -> Vec<Self> {
        let genesis = network.genesis.get(..10).unwrap_or_default();
        let seal_rule = network.sealed_from.map_or_else(
            || "open proofs allowed".to_owned(),
            |from| format!("sealed from block {from} on"),
        );
        let check = |name, is_same, value| Self {
            name,
            is_same,
            value,
            remedy: None,
        };
        let mut checks = vec![
            check(
                "genesis",
                network.genesis == own.genesis,
                format!("{genesis}…"),
            ),
            check(
                "difficulty",
                network.difficulty == own.difficulty,
                network.difficulty.to_string(),
            ),
            check(
                "seal rule",
                network.sealed_from == own.sealed_from,
                seal_rule,
            ),
        ];
        let own = own.network();
        if let [genesis, difficulty, seal_rule] = &mut checks[..] {
            // Another genesis block is another network, where the other parameters follow.
            if genesis.is_same {
                difficulty.remedy = Remedy::of_difficulty(address, network, &own);
                seal_rule.remedy = Remedy::of_seal_rule(address, network, &own);
            } else {
                genesis.remedy = Remedy::of_genesis(address, network);
            }
        }
        checks
    }
}

/// Returns `true` if a peer responds and has the genesis block of this node, as far as is known.
pub(in crate::ui) fn is_companion(peer: &Neighbour, own: &Status) -> bool {
    is_responding(peer) && !is_foreign(peer, own)
}

fn is_foreign(peer: &Neighbour, own: &Status) -> bool {
    let network = peer.network.as_ref();
    network.is_some_and(|network| network.genesis != own.genesis)
}

fn is_responding(peer: &Neighbour) -> bool {
    peer.failures == 0 && peer.last_answer.is_some()
}

fn state(peer: &Neighbour, own: &Status) -> String {
    if !is_responding(peer) {
        return "does not respond".to_owned();
    }
    if is_foreign(peer, own) {
        return "on another network".to_owned();
    }
    match &peer.tip {
        Some(tip) => compare_tips(tip, own),
        None => "tip unknown".to_owned(),
    }
}

fn compare_tips(tip: &Position, own: &Status) -> String {
    let distance = tip.index.abs_diff(own.tip.index);
    let (distance, ending) = (format::number(distance), format::plural(distance));
    match tip.index.cmp(&own.tip.index) {
        Ordering::Equal if tip.hash == own.tip.hash => "same tip".to_owned(),
        Ordering::Equal => "different tip".to_owned(),
        Ordering::Less => format!("{distance} block{ending} behind"),
        Ordering::Greater => format!("{distance} block{ending} ahead"),
    }
}
