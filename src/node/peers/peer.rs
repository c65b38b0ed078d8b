//! What is known of one peer.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::node::clocks::HeldBack;
use crate::node::settings::{
    DROPPED_AFTER, GUEST_FORGOTTEN, MISBEHAVED, RETRY_CONFIGURED, RETRY_LEARNED,
};
use crate::wire::{NetworkStatus, PeerKind, PeerOrigin, Position};

/// What a peer announced last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAnnouncement {
    /// Hash of its tip, in hex.
    pub tip: String,
    /// Number of its blocks.
    pub length: u64,
    /// Sequence number of its next message.
    pub mempool_seq: u64,
}

/// How a candidate was heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// A neighbour named it.
    Suggested,
    /// It asked this node, perhaps with announcement.
    Asked(Option<PeerAnnouncement>),
}

/// What is known of a peer.
#[derive(Debug)]
pub struct Peer {
    /// How it became known.
    pub origin: PeerOrigin,
    /// What it runs.
    pub kind: PeerKind,
    /// The id of its run.
    pub node_id: Option<String>,
    /// Its last block.
    pub tip: Option<Position>,
    /// Genesis, difficulty and seal rule.
    pub network: Option<NetworkStatus>,
    /// Version of its program.
    pub version: Option<String>,
    /// When it answered last.
    pub last_answer: Option<Instant>,
    /// Why it is not followed, with the remedy.
    pub refused: Option<String>,
    /// Seconds that its clock is ahead of the local one, if it told.
    pub clock_offset: Option<f64>,
    /// Its first block that is too far ahead of the local clock.
    pub held_back: Option<HeldBack>,
    /// What it announced and nobody has looked at yet.
    pub announcement: Option<PeerAnnouncement>,
    /// Address under which it is counted.
    pub(super) net_group: IpAddr,
    /// Whether the administrator added it.
    pub(super) is_added: bool,
    pub(super) failures: u32,
    pub(super) misbehaved: bool,
    pub(super) retry_at: Option<Instant>,
    pub(super) known_since: Instant,
    /// Whether a first round with it has ended, well or not.
    pub(super) tried: bool,
    pub(super) session: Option<SessionHandle>,
}

/// How the session of a peer is woken and ended.
#[derive(Clone, Debug, Default)]
pub struct SessionHandle {
    /// Wakes it: the peer has something new.
    pub wake: Arc<Notify>,
    /// Wakes it: there was a commit, so this node may have something new.
    pub committed: Arc<Notify>,
    /// Ends it.
    pub end: CancellationToken,
}

impl Peer {
    pub(super) fn new(origin: PeerOrigin) -> Self {
        Self {
            origin,
            kind: PeerKind::Unknown,
            node_id: None,
            tip: None,
            network: None,
            version: None,
            last_answer: None,
            refused: None,
            clock_offset: None,
            held_back: None,
            announcement: None,
            net_group: Ipv6Addr::UNSPECIFIED.into(),
            is_added: false,
            failures: 0,
            misbehaved: false,
            retry_at: None,
            known_since: Instant::now(),
            tried: false,
            session: None,
        }
    }

    /// One that was learned, counted under this address.
    pub(super) fn learned(net_group: IpAddr) -> Self {
        Self {
            net_group,
            ..Self::new(PeerOrigin::Learned)
        }
    }

    /// One that the administrator added.
    pub(super) fn added() -> Self {
        Self {
            is_added: true,
            ..Self::new(PeerOrigin::Configured)
        }
    }

    pub(super) fn answered(&mut self) {
        self.last_answer = Some(Instant::now());
        self.tried = true;
        (self.failures, self.misbehaved, self.retry_at) = (0, false, None);
    }

    /// It could not be asked, or answered what no honest node answers: it is asked again after a
    /// pause that grows.
    pub(super) fn failed(&mut self, why: String, misbehaved: bool) {
        self.failures = self.failures.saturating_add(1);
        (self.tried, self.misbehaved) = (true, misbehaved);
        self.refused = Some(why);
        let (first, most) = match (misbehaved, self.origin) {
            (true, _) => MISBEHAVED,
            (false, PeerOrigin::Configured) => (Duration::from_secs(1), RETRY_CONFIGURED),
            (false, _) => (Duration::from_secs(1), RETRY_LEARNED),
        };
        let doubled = first.saturating_mul(1 << self.failures.saturating_sub(1).min(16));
        self.retry_at = Some(Instant::now() + doubled.min(most));
    }

    /// It asks this node, so it lives and is asked at once; but one that misbehaved waits for its
    /// time. Says whether its session is to be woken.
    pub(super) fn note_request(&mut self, announcement: Option<PeerAnnouncement>) -> bool {
        let has_announcement = announcement.is_some();
        if has_announcement {
            self.announcement = announcement;
        }
        let is_back = self.retry_at.is_some() && !self.misbehaved;
        if is_back {
            self.retry_at = None;
        }
        (has_announcement || is_back) && self.retry_at.is_none()
    }

    /// Whether it is to be dropped after its failures.
    pub(super) fn is_lost(&self) -> bool {
        match self.origin {
            PeerOrigin::Configured => false,
            PeerOrigin::Learned => {
                self.silence() > DROPPED_AFTER || (self.misbehaved && self.failures > 3)
            }
            PeerOrigin::Guest => self.silence() > GUEST_FORGOTTEN || self.failures > 3,
        }
    }

    /// The block of this peer that is held back, while the peer answers.
    pub(super) fn held_back(&self) -> Option<HeldBack> {
        self.held_back.filter(|_| self.failures == 0)
    }

    /// How long it has not answered.
    pub(super) fn silence(&self) -> Duration {
        self.last_answer.unwrap_or(self.known_since).elapsed()
    }
}
