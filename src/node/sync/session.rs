//! One conversation with one peer: what it is, what is new on either side, and when to ask again.
//!
//! A session asks at its intervals and whenever the peer announces something, and announces what
//! is new here. One thing at a time: a peer that is slow, silent or hostile holds up nothing but
//! its own session.

mod announcements;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tracing::{debug, info, warn};

use super::context::{Claim, PeerContext};
use super::error::{self, SyncError};
use super::{chain, mempool, reference};
use crate::chain::BlockHash;
use crate::client::peer::Identity;
use crate::client::{NodeAddress, PeerClient};
use crate::node::lookup::leads_to_removed;
use crate::node::peers::SessionHandle;
use crate::node::settings::ANNOUNCE_PAUSE;
use crate::node::{Node, PROTOCOL, clocks};
use crate::store::StoreError;
use crate::wire::{NetworkStatus, PeerKind, PeerOrigin, Position, Status};

/// So many rounds one after the other may come to nothing because the chain moved, each with a
/// longer pause after it.
const MAX_STALE_TIP_RETRIES: u32 = 8;
const STALE_TIP_RETRY_DELAY: Duration = Duration::from_millis(20);

/// Least pause between two warnings that a peer differs: it may differ in a new way each time.
const WARN_PAUSE: Duration = Duration::from_secs(10);

/// How long a peer waits while another sends the same blocks.
const LATER: Duration = Duration::from_millis(500);

struct PeerSession {
    context: PeerContext,
    kind: PeerKind,
    /// Tip and next sequence number that the peer was told of last.
    announced: Option<(BlockHash, u64)>,
    announce_at: Option<Instant>,
    last_announced: Option<Instant>,
    last_warned: Option<Instant>,
    /// When it may be woken again.
    wake_at: Instant,
    chain_due: Instant,
    data_due: Instant,
    /// Tip of a chain that was refused, so that it is not fetched again.
    refused_tip: Option<BlockHash>,
    /// Tip of a chain that turned out to be no better than ours.
    passed_tip: Option<BlockHash>,
    /// Rounds one after the other in which the chain moved.
    moved: u32,
    mempool: mempool::MempoolPosition,
    reference: reference::Progress,
}

/// Talks with a peer until its session is ended.
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
        refused_tip: None,
        passed_tip: None,
        moved: 0,
        mempool: mempool::MempoolPosition::default(),
        reference: reference::Progress::default(),
    };
    tokio::select! {
        biased;
        () = handle.end.cancelled() => Ok(()),
        ended = session.talk(&handle) => ended,
    }
}

impl PeerSession {
    async fn talk(&mut self, handle: &SessionHandle) -> Result<(), StoreError> {
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
                    // Anyone can wake it, so that must not keep it and the peer busy.
                    self.wake_at = Instant::now() + ANNOUNCE_PAUSE;
                }
                () = sleep_until(round_at) => self.round().await?,
                () = handle.committed.notified() => self.plan_announcement(),
            }
        }
    }

    /// One round: asks for what is due, and notes what came of it.
    async fn round(&mut self) -> Result<(), StoreError> {
        let outcome = self.try_round().await;
        self.settle(outcome)?;
        self.plan_announcement();
        Ok(())
    }

    fn settle(&mut self, outcome: Result<(), SyncError>) -> Result<(), StoreError> {
        let (peers, peer) = (&self.context.node.peers, &self.context.peer);
        let now = Instant::now();
        let settings = &self.context.node.settings.peers;
        // A peer that asks us beyond our neighbours is asked only when it announces something.
        let is_guest = peers.with(peer, |peer| peer.origin == PeerOrigin::Guest);
        let far = now + Duration::from_secs(24 * 60 * 60);
        if self.data_due <= now {
            self.data_due = now + settings.data_interval;
        }
        if self.chain_due <= now {
            self.chain_due = now + settings.chain_interval;
        }
        if is_guest == Some(true) {
            (self.data_due, self.chain_due) = (far, far);
        } else {
            // It may have been a guest.
            self.data_due = self.data_due.min(now + settings.data_interval);
            self.chain_due = self.chain_due.min(now + settings.chain_interval);
        }
        match outcome {
            Ok(()) => peers.answered(peer),
            Err(SyncError::Incompatible(why)) => {
                let why = error::shown(&why);
                peers.answered(peer);
                let is_new = peers.with(peer, |peer| {
                    let is_new = peer.refused.as_ref() != Some(&why);
                    peer.refused = Some(why.clone());
                    is_new
                });
                let was_warned = self.last_warned.is_some_and(|at| now < at + WARN_PAUSE);
                if is_new == Some(true) && !was_warned {
                    warn!(%peer, "this peer {why}");
                    self.last_warned = Some(now);
                }
            }
            Err(SyncError::ChainMoved) if self.moved < MAX_STALE_TIP_RETRIES => {
                peers.answered(peer);
                self.moved += 1;
                self.chain_due = now + STALE_TIP_RETRY_DELAY * self.moved;
                return Ok(());
            }
            Err(SyncError::Deferred) => {
                peers.answered(peer);
                self.chain_due = now + LATER;
            }
            Err(SyncError::Paced(pause)) => {
                peers.answered(peer);
                self.data_due = now + pause;
            }
            Err(SyncError::Store(StoreError::Rejected(rejection))) => {
                peers.answered(peer);
                debug!(%peer, %rejection, "not taken");
            }
            Err(SyncError::Store(StoreError::Overloaded) | SyncError::NotBetter) => {
                peers.answered(peer);
            }
            Err(SyncError::Store(error)) => return Err(error),
            Err(
                error @ (SyncError::Peer(_) | SyncError::Misbehaved(_) | SyncError::ChainMoved),
            ) => {
                let misbehaved = error.is_misbehaviour();
                let why = error.in_one_line();
                if misbehaved {
                    info!(%peer, "this peer {why}");
                } else {
                    debug!(%peer, "this peer {why}");
                }
                // Whatever answers there next may be another program.
                self.kind = PeerKind::Unknown;
                self.announced = None;
                peers.failed(peer, why, misbehaved);
            }
        }
        self.moved = 0;
        Ok(())
    }

    async fn try_round(&mut self) -> Result<(), SyncError> {
        let peers = &self.context.node.peers;
        let news = peers
            .with(&self.context.peer, |peer| peer.announcement.take())
            .flatten();
        let is_due = self.chain_due.min(self.data_due) <= Instant::now();
        match (self.kind, news) {
            (PeerKind::Reference, _) => self.reference_round().await,
            (PeerKind::Ours, Some(news)) if !is_due => self.follow_news(&news).await,
            (PeerKind::Unknown, _)
                if leads_to_removed(&self.context.node, &self.context.peer).await =>
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

    /// Asks what the peer is, and what time it has.
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
            hash.map_err(|_| SyncError::Misbehaved("names a block by what is no hash".to_owned()))
        };
        let network = status.network();
        let claim = Claim {
            tip: parse(&status.tip.hash)?,
            length: status.length,
            sealed: Some(status.sealed),
            genesis: Some(parse(&status.genesis)?),
        };
        let position = Position {
            index: status.tip.index,
            hash: status.tip.hash.clone(),
        };
        self.mempool.belongs_to(&status.node_id);
        node.peers.with(peer, |peer| {
            (peer.tip, peer.network) = (Some(position), Some(network.clone()));
            let version = status.version.chars().filter(char::is_ascii_graphic);
            peer.version = Some(version.take(40).collect());
        });
        if status.protocol != PROTOCOL {
            let theirs = status.protocol;
            return Err(SyncError::Incompatible(format!(
                "speaks protocol {theirs}, this node {PROTOCOL}: run the same version on both"
            )));
        }
        let next = status.mempool.next_sequence;
        self.follow(claim, Some(network), next, true).await
    }

    /// Fetches the blocks and messages that a node of this program has and we do not. What is
    /// wrong is remembered only if it is `certain` that the peer itself made the claim.
    async fn follow(
        &mut self,
        claim: Claim,
        network: Option<NetworkStatus>,
        mempool_seq: u64,
        certain: bool,
    ) -> Result<(), SyncError> {
        let difference = network.and_then(|theirs| self.context.node.difference(&theirs));
        if ![self.refused_tip, self.passed_tip].contains(&Some(claim.tip)) {
            let followed = chain::follow(&self.context, &claim).await;
            match &followed {
                Err(SyncError::Misbehaved(_)) if certain => self.refused_tip = Some(claim.tip),
                Err(SyncError::Incompatible(_))
                    if certain && self.context.node.is_past_first_round() =>
                {
                    self.refused_tip = Some(claim.tip);
                }
                Err(SyncError::NotBetter) => self.passed_tip = Some(claim.tip),
                _ => {}
            }
            match (followed, &difference) {
                (Err(SyncError::NotBetter), _) => {}
                // What its network allows and ours does not is no misbehaviour.
                (Err(SyncError::Misbehaved(why)), Some(difference)) => {
                    return Err(SyncError::Incompatible(format!("{why}; it {difference}")));
                }
                (Err(SyncError::Incompatible(_)), Some(difference)) => {
                    return Err(SyncError::Incompatible(difference.clone()));
                }
                (followed, _) => followed?,
            }
        }
        if let Some(difference) = difference {
            return Err(SyncError::Incompatible(difference));
        }
        let fetched = self
            .mempool
            .fetch(&self.context, mempool_seq, certain)
            .await;
        if !matches!(fetched, Ok(()) | Err(SyncError::Paced(_))) {
            return fetched;
        }
        if certain && self.refused_tip != Some(claim.tip) {
            let (peers, peer) = (&self.context.node.peers, &self.context.peer);
            peers.with(peer, |peer| peer.refused = None);
        }
        fetched
    }

    async fn reference_round(&mut self) -> Result<(), SyncError> {
        let now = Instant::now();
        if self.context.node.state().network.sealed_from.is_some() {
            let why = "is a reference miner, whose blocks are open, and this node requires \
                       sealed ones: share a network with it from a new folder with --accept-open";
            // It need not be asked more often than it may have changed into another program.
            self.kind = PeerKind::Unknown;
            return Err(SyncError::Incompatible(why.to_owned()));
        }
        let is_chain_due = self.chain_due <= now;
        let is_data_due = self.data_due <= now;
        if is_chain_due {
            self.reference.fetch_chain(&self.context).await?;
        }
        if is_data_due {
            mempool::fetch_documented(&self.context).await?;
        }
        let (peers, peer) = (&self.context.node.peers, &self.context.peer);
        peers.with(peer, |peer| peer.refused = None);
        Ok(())
    }
}
