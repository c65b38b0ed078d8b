//! The session with one peer: identifies it, syncs with it at intervals and whenever it announces
//! something, and announces new blocks and messages to it.
//!
//! A session does one thing at a time. A slow, silent or hostile peer delays its own session only.

mod announcements;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tracing::{debug, info, warn};

use super::context::PeerContext;
use super::error::{self, Misbehaviour, SyncError};
use super::{chain, mempool, reference};
use crate::chain::BlockHash;
use crate::client::peer::Identity;
use crate::client::{NodeAddress, PeerClient};
use crate::node::peers::SessionHandle;
use crate::node::peers::lookup::drop_if_removed;
use crate::node::policy::{ClaimedChain, Incompatibility};
use crate::node::profile::{MAX_NAME, is_label};
use crate::node::settings::ANNOUNCE_INTERVAL;
use crate::node::{Node, PROTOCOL, clocks};
use crate::store::StoreError;
use crate::wire::{NetworkStatus, PeerKind, PeerOrigin, Position, Status};

/// Maximum number of consecutive rounds that fail because the peer's chain moved. Another such round
/// is misbehaviour. The delay before the next round grows with each round that fails because the
/// peer's chain or our own moved.
const MAX_STALE_TIP_RETRIES: u32 = 8;
const STALE_TIP_RETRY_DELAY: Duration = Duration::from_millis(20);

/// Minimum interval between two warnings about one peer, which may differ in a new way each time.
/// Delay before the next round with a guest, which is asked only when it announces something.
const GUEST_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

const WARN_INTERVAL: Duration = Duration::from_secs(10);

/// Delay before the next round while another peer sends the same blocks.
const DEFERRED_RETRY_DELAY: Duration = Duration::from_millis(500);

struct PeerSession {
    context: PeerContext,
    kind: PeerKind,
    /// Tip and next sequence number of the last announcement.
    announced: Option<(BlockHash, u64)>,
    announce_at: Option<Instant>,
    last_announced: Option<Instant>,
    last_warned: Option<Instant>,
    /// Earliest time at which the peer may wake the session again.
    wake_at: Instant,
    chain_due: Instant,
    data_due: Instant,
    /// Tip of a rejected chain, which is not fetched again.
    rejected_tip: Option<BlockHash>,
    /// Tip of a valid chain that was not better than ours.
    not_better_tip: Option<BlockHash>,
    /// Number of consecutive rounds in which our own chain moved.
    local_moves: u32,
    /// Number of consecutive rounds in which the peer's chain moved.
    peer_moves: u32,
    mempool: mempool::MempoolPosition,
    reference: reference::FetchHistory,
}

/// Runs the session of a peer until it is ended.
pub(in crate::node) async fn run(
    node: Arc<Node>,
    client: PeerClient,
    peer: NodeAddress,
    handle: SessionHandle,
) -> Result<(), StoreError> {
    let now = Instant::now();
    let mut session = PeerSession {
        context: PeerContext { node, client, peer },
        kind: PeerKind::Unknown,
        announced: None,
        announce_at: None,
        last_announced: None,
        last_warned: None,
        wake_at: now,
        chain_due: now,
        data_due: now,
        rejected_tip: None,
        not_better_tip: None,
        local_moves: 0,
        peer_moves: 0,
        mempool: mempool::MempoolPosition::default(),
        reference: reference::FetchHistory::default(),
    };
    tokio::select! {
        biased;
        () = handle.end.cancelled() => Ok(()),
        ended = session.run(&handle) => ended,
    }
}

impl PeerSession {
    async fn run(&mut self, handle: &SessionHandle) -> Result<(), StoreError> {
        loop {
            let retry_at = self.context.node.peers.retry_at(&self.context.peer);
            let round_at = retry_at.unwrap_or(self.chain_due.min(self.data_due));
            let announce_at = self.announce_at.filter(|_| retry_at.is_none());
            let wake_at = self.wake_at;
            let woken = async {
                sleep_until(wake_at).await;
                handle.wake.notified().await;
            };
            tokio::select! {
                biased;
                () = sleep_until(announce_at.unwrap_or(round_at)), if announce_at.is_some() => {
                    self.announce().await?;
                }
                () = woken => {
                    self.round().await?;
                    // Anyone can wake a session by announcing in the name of its peer.
                    self.wake_at = Instant::now() + ANNOUNCE_INTERVAL;
                }
                () = sleep_until(round_at) => self.round().await?,
                () = handle.committed.notified() => self.plan_announcement(),
            }
        }
    }

    /// Runs one round and records its result.
    async fn round(&mut self) -> Result<(), StoreError> {
        let outcome = self.try_round().await;
        self.settle(outcome)?;
        self.plan_announcement();
        Ok(())
    }

    /// Schedules the next round by the result of this one, and records it with the peer.
    fn settle(&mut self, outcome: Result<(), SyncError>) -> Result<(), StoreError> {
        let (peers, peer) = (&self.context.node.peers, &self.context.peer);
        let now = Instant::now();
        let settings = &self.context.node.settings.peers;
        // Guests are asked only when they announce something.
        let is_guest = peers.with(peer, |peer| peer.origin == PeerOrigin::Guest);
        let far = now + GUEST_INTERVAL;
        if self.data_due <= now {
            self.data_due = now + settings.data_interval;
        }
        if self.chain_due <= now {
            self.chain_due = now + settings.chain_interval;
        }
        if is_guest == Some(true) {
            (self.data_due, self.chain_due) = (far, far);
        } else {
            // The peer may have been a guest until now.
            self.data_due = self.data_due.min(now + settings.data_interval);
            self.chain_due = self.chain_due.min(now + settings.chain_interval);
        }
        match outcome {
            Ok(()) => peers.responded(peer),
            Err(error @ (SyncError::Incompatible(_) | SyncError::InvalidHere { .. })) => {
                let why = error::shown(&error.to_string());
                peers.responded(peer);
                let is_new = peers.with(peer, |peer| {
                    let is_new = peer.not_followed.as_ref() != Some(&why);
                    peer.not_followed = Some(why.clone());
                    is_new
                });
                let was_warned = self.last_warned.is_some_and(|at| now < at + WARN_INTERVAL);
                if is_new == Some(true) && !was_warned {
                    warn!(%peer, reason = %why, "peer is incompatible");
                    self.last_warned = Some(now);
                }
            }
            Err(SyncError::LocalTipMoved) => {
                peers.responded(peer);
                self.local_moves = self.local_moves.saturating_add(1);
                let delay = STALE_TIP_RETRY_DELAY.saturating_mul(self.local_moves);
                self.chain_due = self.chain_due.min(now + delay);
                return Ok(());
            }
            Err(SyncError::PeerChainMoved) if self.peer_moves < MAX_STALE_TIP_RETRIES => {
                peers.responded(peer);
                self.peer_moves += 1;
                self.chain_due = now + STALE_TIP_RETRY_DELAY * self.peer_moves;
                return Ok(());
            }
            Err(SyncError::Deferred) => {
                peers.responded(peer);
                self.chain_due = now + DEFERRED_RETRY_DELAY;
            }
            Err(SyncError::RateLimited { retry_after }) => {
                peers.responded(peer);
                self.data_due = now + retry_after;
            }
            Err(SyncError::Store(StoreError::Rejected(rejection))) => {
                peers.responded(peer);
                debug!(%peer, reason = %rejection, "data of the peer rejected by the store");
            }
            Err(SyncError::Store(StoreError::Overloaded) | SyncError::NotBetter) => {
                peers.responded(peer);
            }
            Err(SyncError::Store(error)) => return Err(error),
            Err(
                error @ (SyncError::Peer(_) | SyncError::Misbehaved(_) | SyncError::PeerChainMoved),
            ) => {
                let misbehaved = error.is_misbehaviour();
                let why = error.in_one_line();
                if misbehaved {
                    info!(%peer, reason = %why, "peer misbehaved");
                } else {
                    debug!(%peer, reason = %why, "peer did not respond");
                }
                // Another program may respond at this address next time.
                self.kind = PeerKind::Unknown;
                self.announced = None;
                peers.failed(peer, why, misbehaved);
            }
        }
        (self.local_moves, self.peer_moves) = (0, 0);
        Ok(())
    }

    async fn try_round(&mut self) -> Result<(), SyncError> {
        let peers = &self.context.node.peers;
        let announcement = peers
            .with(&self.context.peer, |peer| peer.announcement.take())
            .flatten();
        let is_due = self.chain_due.min(self.data_due) <= Instant::now();
        match (self.kind, announcement) {
            (PeerKind::Reference, _) => self.reference_round().await,
            (PeerKind::Ours, Some(announcement)) if !is_due => {
                self.follow_announcement(&announcement).await
            }
            (PeerKind::Unknown, _)
                if drop_if_removed(&self.context.node, &self.context.peer).await =>
            {
                // The session is being ended.
                Ok(())
            }
            _ => match self.identify().await? {
                Identity::Ours(status) => self.follow_status(&status).await,
                Identity::Reference => {
                    self.kind = PeerKind::Reference;
                    peers.with(&self.context.peer, |peer| peer.kind = PeerKind::Reference);
                    self.reference_round().await
                }
            },
        }
    }

    /// Asks the peer what it runs, and compares its clock.
    async fn identify(&self) -> Result<Identity, SyncError> {
        let (node, peer) = (&self.context.node, &self.context.peer);
        let before = node.clock().seconds();
        let identity = self.context.client.identify(peer).await?;
        let offset = match &identity {
            Identity::Ours(status) => status
                .time
                .and_then(|theirs| clocks::offset(theirs, before, node.clock().seconds())),
            Identity::Reference => None,
        };
        node.peers.with(peer, |peer| peer.clock_offset = offset);
        Ok(identity)
    }

    async fn follow_status(&mut self, status: &Status) -> Result<(), SyncError> {
        let (node, peer) = (&self.context.node, &self.context.peer);
        if !node.peers.identified(peer, &node.id, &status.node_id) {
            // The session is being ended.
            return Ok(());
        }
        self.kind = PeerKind::Ours;
        let parse = |hash: &str| {
            let hash: Result<BlockHash, _> = hash.parse();
            hash.map_err(|_| Misbehaviour::InvalidHash)
        };
        let network = status.network();
        let claim = ClaimedChain {
            tip: parse(&status.tip.hash)?,
            length: status.length,
            sealed: Some(status.sealed),
            genesis: Some(parse(&status.genesis)?),
        };
        let position = Position {
            index: status.tip.index,
            hash: status.tip.hash.clone(),
        };
        self.mempool.set_node_id(&status.node_id);
        node.peers.with(peer, |peer| {
            (peer.tip, peer.network) = (Some(position), Some(network.clone()));
            let version = status.version.chars().filter(char::is_ascii_graphic);
            peer.version = Some(version.take(40).collect());
            let is_name = |name: &&String| is_label(name, MAX_NAME);
            peer.name = status.name.as_ref().filter(is_name).cloned();
        });
        if status.protocol != PROTOCOL {
            let theirs = status.protocol;
            return Err(Incompatibility::Protocol { theirs }.into());
        }
        let next = status.mempool.next_sequence;
        self.sync(claim, Some(network), next, true).await
    }

    /// Fetches the blocks and messages of a node of this program that are missing here. If
    /// `is_from_peer` is `false`, anyone could have made the claim, and a rejected chain is not
    /// remembered.
    async fn sync(
        &mut self,
        claim: ClaimedChain,
        network: Option<NetworkStatus>,
        mempool_seq: u64,
        is_from_peer: bool,
    ) -> Result<(), SyncError> {
        let difference = network.and_then(|theirs| self.context.node.network_difference(&theirs));
        if ![self.rejected_tip, self.not_better_tip].contains(&Some(claim.tip)) {
            let synced = chain::sync_blocks(&self.context, &claim).await;
            match &synced {
                Err(SyncError::Misbehaved(_)) if is_from_peer => {
                    self.rejected_tip = Some(claim.tip);
                }
                Err(SyncError::Incompatible(_))
                    if is_from_peer && self.context.node.is_genesis_rejection_final() =>
                {
                    self.rejected_tip = Some(claim.tip);
                }
                Err(SyncError::NotBetter) => self.not_better_tip = Some(claim.tip),
                _ => {}
            }
            match (synced, &difference) {
                (Err(SyncError::NotBetter), _) => {}
                // A block that is valid on the peer's network is not misbehaviour.
                (Err(SyncError::Misbehaved(misbehaviour)), Some(difference)) => {
                    return Err(SyncError::InvalidHere {
                        misbehaviour,
                        difference: Box::new(difference.clone()),
                    });
                }
                (Err(SyncError::Incompatible(_)), Some(difference)) => {
                    return Err(Incompatibility::from(difference.clone()).into());
                }
                (followed, _) => followed?,
            }
        }
        if let Some(difference) = difference {
            return Err(Incompatibility::from(difference).into());
        }
        let fetched = self
            .mempool
            .fetch(&self.context, mempool_seq, is_from_peer)
            .await;
        if !matches!(fetched, Ok(()) | Err(SyncError::RateLimited { .. })) {
            return fetched;
        }
        if is_from_peer && self.rejected_tip != Some(claim.tip) {
            let (peers, peer) = (&self.context.node.peers, &self.context.peer);
            peers.with(peer, |peer| peer.not_followed = None);
        }
        fetched
    }

    async fn reference_round(&mut self) -> Result<(), SyncError> {
        let now = Instant::now();
        if self.context.node.state().network.sealed_from.is_some() {
            // Identify the peer again next time: another program may run there by then.
            self.kind = PeerKind::Unknown;
            return Err(Incompatibility::RequiresSealed.into());
        }
        let is_chain_due = self.chain_due <= now;
        let is_data_due = self.data_due <= now;
        if is_chain_due {
            self.reference.fetch_chain(&self.context).await?;
        }
        if is_data_due {
            mempool::fetch_from_reference(&self.context).await?;
        }
        let (peers, peer) = (&self.context.node.peers, &self.context.peer);
        peers.with(peer, |peer| peer.not_followed = None);
        Ok(())
    }
}
