//! The state of one peer.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::node::peers::held_back::HeldBack;
use crate::node::settings::{
    GUEST_TIMEOUT, LEARNED_TIMEOUT, MAX_CONFIGURED_BACKOFF, MAX_LEARNED_BACKOFF,
    MISBEHAVIOUR_BACKOFF,
};
use crate::wire::{NetworkStatus, PeerKind, PeerOrigin, Position};

/// The last announcement of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAnnouncement {
    /// Hash of its tip, in hex.
    pub tip: String,
    /// Length of its chain in blocks.
    pub length: u64,
    /// Sequence number of its next pending message.
    pub mempool_seq: u64,
}

/// The way in which a candidate became known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PeerCandidate {
    /// A neighbour named it.
    Named,
    /// It sent a request to this node, with its announcement if it sent one.
    Contacted(Option<PeerAnnouncement>),
}

/// State of a peer.
#[derive(Debug)]
pub(crate) struct Peer {
    /// The way in which it became known.
    pub origin: PeerOrigin,
    /// Program that it runs.
    pub kind: PeerKind,
    /// Random id of its run.
    pub node_id: Option<String>,
    /// Its tip.
    pub tip: Option<Position>,
    /// Genesis, difficulty and seal rule.
    pub network: Option<NetworkStatus>,
    /// Name that its operator gave it.
    pub name: Option<String>,
    /// Version of its program.
    pub version: Option<String>,
    /// Time of its last response.
    pub last_response: Option<Instant>,
    /// Reason why its chain is not followed, with the remedy.
    pub not_followed: Option<String>,
    /// Reason why the last request to it failed, until it responds again.
    pub(super) last_error: Option<String>,
    /// Seconds by which its clock is ahead of the local one, if known.
    pub clock_offset: Option<f64>,
    /// Its first block that is held back.
    pub held_back: Option<HeldBack>,
    /// Announcement that its session has not handled yet.
    pub announcement: Option<PeerAnnouncement>,
    /// Its network group.
    pub(super) net_group: IpAddr,
    /// `true` if the administrator added it.
    pub(super) is_added: bool,
    pub(super) failures: u32,
    pub(super) misbehaved: bool,
    pub(super) retry_at: Option<Instant>,
    pub(super) known_since: Instant,
    /// `true` once a first round with it has ended, successfully or not.
    pub(super) is_tried: bool,
    pub(super) session: Option<SessionHandle>,
}

/// Wakes and ends the session of a peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionHandle {
    /// Notified when the peer announced something or was changed.
    pub wake: Arc<Notify>,
    /// Notified after a commit, which may have to be announced.
    pub committed: Arc<Notify>,
    /// Cancelled to end the session.
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
            name: None,
            version: None,
            last_response: None,
            not_followed: None,
            last_error: None,
            clock_offset: None,
            held_back: None,
            announcement: None,
            net_group: Ipv6Addr::UNSPECIFIED.into(),
            is_added: false,
            failures: 0,
            misbehaved: false,
            retry_at: None,
            known_since: Instant::now(),
            is_tried: false,
            session: None,
        }
    }

    /// Creates a learned peer of this network group.
    pub(super) fn learned(net_group: IpAddr) -> Self {
        Self {
            net_group,
            ..Self::new(PeerOrigin::Learned)
        }
    }

    /// Creates a peer added by the administrator.
    pub(super) fn added() -> Self {
        Self {
            is_added: true,
            ..Self::new(PeerOrigin::Configured)
        }
    }

    /// Records a response.
    pub(super) fn responded(&mut self) {
        self.last_response = Some(Instant::now());
        self.is_tried = true;
        (self.failures, self.misbehaved, self.retry_at) = (0, false, None);
        self.last_error = None;
    }

    /// Records a failed round, and schedules a retry with exponential backoff.
    pub(super) fn failed(&mut self, why: String, misbehaved: bool) {
        self.failures = self.failures.saturating_add(1);
        (self.is_tried, self.misbehaved) = (true, misbehaved);
        if misbehaved {
            self.not_followed = Some(why);
        } else {
            self.last_error = Some(why);
        }
        let (initial, max) = match (misbehaved, self.origin) {
            (true, _) => MISBEHAVIOUR_BACKOFF,
            (false, PeerOrigin::Configured) => (Duration::from_secs(1), MAX_CONFIGURED_BACKOFF),
            (false, _) => (Duration::from_secs(1), MAX_LEARNED_BACKOFF),
        };
        let delay = initial.saturating_mul(1 << self.failures.saturating_sub(1).min(16));
        self.retry_at = Some(Instant::now() + delay.min(max));
    }

    /// Records a request of the peer, which shows that it is running: a pending retry is made at
    /// once, unless the peer misbehaved. Returns `true` if its session must be woken.
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

    /// Returns `true` if the peer is to be dropped after its failures.
    pub(super) fn is_lost(&self) -> bool {
        match self.origin {
            PeerOrigin::Configured => false,
            PeerOrigin::Learned => {
                self.silence() > LEARNED_TIMEOUT || (self.misbehaved && self.failures > 3)
            }
            PeerOrigin::Guest => self.silence() > GUEST_TIMEOUT || self.failures > 3,
        }
    }

    /// Returns the reason why this peer is unreachable or not followed.
    pub(super) fn reason_not_followed(&self) -> Option<&String> {
        self.last_error.as_ref().or(self.not_followed.as_ref())
    }

    /// Returns the block of this peer that is held back, if the peer answers.
    pub(super) fn held_back(&self) -> Option<HeldBack> {
        self.held_back.filter(|_| self.failures == 0)
    }

    /// Returns the time since the last response, or since the peer became known.
    pub(super) fn silence(&self) -> Duration {
        self.last_response.unwrap_or(self.known_since).elapsed()
    }
}
