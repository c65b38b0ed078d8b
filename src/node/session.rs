//! One conversation with one peer: what it is, what is new on either side, and when to ask again.
//!
//! A session asks at its intervals and whenever the peer announces something, and announces what
//! is new here. One thing at a time: a peer that is slow, silent or hostile holds up nothing but
//! its own session.

mod trouble;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tracing::{debug, info, warn};

pub(super) use trouble::Trouble;

use super::peers::{News, Session as Handle};
use super::settings::ANNOUNCE_PAUSE;
use super::{Node, PROTOCOL, chain_sync, mempool_sync, reference_sync};
use crate::chain::BlockHash;
use crate::client::peer::Identity;
use crate::client::{NodeAddress, PeerClient};
use crate::store::StoreError;
use crate::wire::{Announcement, NetworkStatus, PeerKind, PeerOrigin, Position, Status};

/// So many rounds one after the other may come to nothing because the chain moved, each with a
/// longer pause after it.
const MOVED: u32 = 8;
const MOVED_PAUSE: Duration = Duration::from_millis(20);

/// How long a peer waits while another sends the same blocks.
const LATER: Duration = Duration::from_millis(500);

/// What a peer says of its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// Hash of its tip.
    pub(super) tip: BlockHash,
    /// Number of its blocks.
    pub(super) length: u64,
    /// Number of its sealed blocks, if it said so.
    pub(super) sealed: Option<u64>,
    /// Hash of its genesis block, if it said so.
    pub(super) genesis: Option<BlockHash>,
}

/// What the parts of a conversation share.
pub(super) struct Conversation {
    pub(super) node: Arc<Node>,
    pub(super) client: PeerClient,
    pub(super) peer: NodeAddress,
}

struct Session {
    with: Conversation,
    kind: PeerKind,
    /// Tip and next sequence number that the peer was told of last.
    announced: Option<(BlockHash, u64)>,
    announce_at: Option<Instant>,
    last_announced: Option<Instant>,
    chain_due: Instant,
    data_due: Instant,
    /// Tip of a chain that was refused, so that it is not fetched again.
    refused_tip: Option<BlockHash>,
    /// Rounds one after the other in which the chain moved.
    moved: u32,
    mempool: mempool_sync::Cursor,
    reference: reference_sync::Progress,
}

/// Talks with a peer until its session is ended.
pub(super) async fn run(
    node: Arc<Node>,
    client: PeerClient,
    peer: NodeAddress,
    handle: Handle,
) -> Result<(), StoreError> {
    let now = Instant::now();
    let mut session = Session {
        with: Conversation { node, client, peer },
        kind: PeerKind::Unknown,
        announced: None,
        announce_at: None,
        last_announced: None,
        chain_due: now,
        data_due: now,
        refused_tip: None,
        moved: 0,
        mempool: mempool_sync::Cursor::default(),
        reference: reference_sync::Progress::default(),
    };
    tokio::select! {
        biased;
        () = handle.end.cancelled() => Ok(()),
        ended = session.talk(&handle) => ended,
    }
}

impl Session {
    async fn talk(&mut self, handle: &Handle) -> Result<(), StoreError> {
        loop {
            let retry_at = self.with.node.peers.retry_at(&self.with.peer);
            let round_at = retry_at.unwrap_or(self.chain_due.min(self.data_due));
            let announce_at = self.announce_at.filter(|_| retry_at.is_none());
            tokio::select! {
                biased;
                () = handle.wake.notified() => self.round().await?,
                () = sleep_until(announce_at.unwrap_or(round_at)), if announce_at.is_some() => {
                    self.announce().await?;
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

    fn settle(&mut self, outcome: Result<(), Trouble>) -> Result<(), StoreError> {
        let (peers, peer) = (&self.with.node.peers, &self.with.peer);
        let now = Instant::now();
        let settings = &self.with.node.settings.peers;
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
        }
        match outcome {
            Ok(()) => peers.answered(peer),
            Err(Trouble::Differs(why)) => {
                peers.answered(peer);
                let is_new = peers.with(peer, |peer| {
                    let is_new = peer.refused.as_ref() != Some(&why);
                    peer.refused = Some(why.clone());
                    is_new
                });
                if is_new == Some(true) {
                    warn!(%peer, "this peer {why}");
                }
            }
            Err(Trouble::Moved) if self.moved < MOVED => {
                peers.answered(peer);
                self.moved += 1;
                self.chain_due = now + MOVED_PAUSE * self.moved;
                return Ok(());
            }
            Err(Trouble::Later) => {
                peers.answered(peer);
                self.chain_due = now + LATER;
            }
            Err(Trouble::Store(StoreError::Refused(refusal))) => {
                debug!(%peer, %refusal, "not taken");
            }
            Err(Trouble::Store(StoreError::Overloaded)) => {}
            Err(Trouble::Store(error)) => return Err(error),
            Err(trouble @ (Trouble::Peer(_) | Trouble::Misbehaved(_) | Trouble::Moved)) => {
                let misbehaved = trouble.is_misbehaviour();
                let why = trouble.in_one_line();
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

    async fn try_round(&mut self) -> Result<(), Trouble> {
        let peers = &self.with.node.peers;
        let news = peers
            .with(&self.with.peer, |peer| peer.news.take())
            .flatten();
        let is_due = self.chain_due.min(self.data_due) <= Instant::now();
        match (self.kind, news) {
            (PeerKind::Reference, _) => self.reference_round().await,
            (PeerKind::Ours, Some(news)) if !is_due => self.follow_news(&news).await,
            _ => match self.with.client.identify(&self.with.peer).await? {
                Identity::Ours(status) => self.follow_status(&status).await,
                Identity::Reference => {
                    self.kind = PeerKind::Reference;
                    peers.with(&self.with.peer, |peer| peer.kind = PeerKind::Reference);
                    self.reference_round().await
                }
            },
        }
    }

    /// What an announcement says is enough to fetch what is new, unless the chains are equally
    /// long: then more must be known of the other.
    async fn follow_news(&mut self, news: &News) -> Result<(), Trouble> {
        let state = self.with.node.state();
        let Ok(tip) = news.tip.parse::<BlockHash>() else {
            return Err(Trouble::Misbehaved(
                "announces a tip that is no hash".to_owned(),
            ));
        };
        let peer = &self.with.peer;
        if news.length == state.length() && tip != state.tip.hash {
            let Identity::Ours(status) = self.with.client.identify(peer).await? else {
                return Err(Trouble::Moved);
            };
            return self.follow_status(&status).await;
        }
        let claim = Claim {
            tip,
            length: news.length,
            sealed: None,
            genesis: None,
        };
        let position = Position {
            index: news.length.saturating_sub(1),
            hash: news.tip.clone(),
        };
        let network = self.with.node.peers.with(peer, |peer| {
            peer.tip = Some(position);
            peer.network.clone()
        });
        self.follow(claim, network.flatten(), news.mempool_seq)
            .await
    }

    async fn follow_status(&mut self, status: &Status) -> Result<(), Trouble> {
        let (node, peer) = (&self.with.node, &self.with.peer);
        if !node.peers.identified(peer, &node.id, &status.node_id) {
            // The session is being ended.
            return Ok(());
        }
        self.kind = PeerKind::Ours;
        let parse = |hash: &str| {
            let hash: Result<BlockHash, _> = hash.parse();
            hash.map_err(|_| Trouble::Misbehaved("names a block by what is no hash".to_owned()))
        };
        let network = NetworkStatus {
            genesis: status.genesis.clone(),
            difficulty: status.difficulty,
            sealed_from: status.sealed_from,
        };
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
            peer.version = Some(status.version.chars().take(40).collect());
        });
        if status.protocol != PROTOCOL {
            let theirs = status.protocol;
            return Err(Trouble::Differs(format!(
                "speaks protocol {theirs}, this node {PROTOCOL}: run the same version on both"
            )));
        }
        self.follow(claim, Some(network), status.mempool.next_sequence)
            .await
    }

    /// Fetches the blocks and messages that a node of this program has and we do not.
    async fn follow(
        &mut self,
        claim: Claim,
        network: Option<NetworkStatus>,
        mempool_seq: u64,
    ) -> Result<(), Trouble> {
        let difference = network.and_then(|theirs| self.with.node.difference(&theirs));
        if self.refused_tip != Some(claim.tip) {
            let followed = chain_sync::follow(&self.with, &claim).await;
            if let Err(Trouble::Differs(_) | Trouble::Misbehaved(_)) = &followed {
                self.refused_tip = Some(claim.tip);
            }
            match (followed, &difference) {
                // What its network allows and ours does not is no misbehaviour.
                (Err(Trouble::Misbehaved(why)), Some(difference)) => {
                    return Err(Trouble::Differs(format!("{difference} ({why})")));
                }
                (followed, _) => followed?,
            }
        }
        if let Some(difference) = difference {
            return Err(Trouble::Differs(difference));
        }
        self.mempool.fetch(&self.with, mempool_seq).await?;
        let (peers, peer) = (&self.with.node.peers, &self.with.peer);
        if self.refused_tip != Some(claim.tip) {
            peers.with(peer, |peer| peer.refused = None);
        }
        Ok(())
    }

    async fn reference_round(&mut self) -> Result<(), Trouble> {
        let now = Instant::now();
        if self.with.node.state().network.sealed_from.is_some() {
            let why = "is a reference miner, whose blocks are open, and this node requires \
                       sealed ones: share a network with it from a new folder with --accept-open";
            // It need not be asked more often than it may have changed into another program.
            self.kind = PeerKind::Unknown;
            return Err(Trouble::Differs(why.to_owned()));
        }
        let is_chain_due = self.chain_due <= now;
        let is_data_due = self.data_due <= now;
        if is_chain_due {
            self.reference.fetch_chain(&self.with).await?;
        }
        if is_data_due {
            mempool_sync::fetch_documented(&self.with).await?;
        }
        let (peers, peer) = (&self.with.node.peers, &self.with.peer);
        peers.with(peer, |peer| peer.refused = None);
        Ok(())
    }

    /// Whether there is something to tell the peer, and when.
    fn plan_announcement(&mut self) {
        let state = self.with.node.state();
        let news = (state.tip.hash, state.next_sequence());
        let is_news = self.kind == PeerKind::Ours && self.announced != Some(news);
        self.announce_at = is_news.then(|| {
            let now = Instant::now();
            self.last_announced
                .map_or(now, |last| now.max(last + ANNOUNCE_PAUSE))
        });
    }

    async fn announce(&mut self) -> Result<(), StoreError> {
        let (node, peer) = (&self.with.node, &self.with.peer);
        let state = node.state();
        let news = (state.tip.hash, state.next_sequence());
        let told = self.announced.replace(news);
        (self.announce_at, self.last_announced) = (None, Some(Instant::now()));
        let tip = news.0.to_string();
        let knows_tip = node.peers.with(peer, |peer| {
            peer.tip.as_ref().is_some_and(|known| known.hash == tip)
        });
        let has_messages = told.is_none_or(|(_, sequence)| sequence != news.1);
        if knows_tip == Some(true) && !(has_messages && state.mempool_count() > 0) {
            return Ok(());
        }
        let announcement = Announcement {
            protocol: PROTOCOL,
            address: self.with.client.address().to_owned(),
            tip,
            length: state.length(),
            mempool_seq: news.1,
        };
        match self.with.client.announce(peer, &announcement).await {
            Ok(()) => Ok(()),
            Err(error) => self.settle(Err(error.into())),
        }
    }
}
