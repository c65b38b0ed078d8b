//! Announcements: sends ours to the peer, and follows those of the peer.

use tokio::time::Instant;
use tracing::debug;

use super::PeerSession;
use crate::chain::BlockHash;
use crate::client::PeerError;
use crate::client::peer::Identity;
use crate::node::PROTOCOL;
use crate::node::peers::PeerAnnouncement;
use crate::node::policy::ClaimedChain;
use crate::node::settings::ANNOUNCE_INTERVAL;
use crate::node::sync::error::SyncError;
use crate::store::StoreError;
use crate::wire::{Announcement, PeerKind, Position};

impl PeerSession {
    async fn ask_status(&mut self) -> Result<(), SyncError> {
        let Identity::Ours(status) = self.identify().await? else {
            return Err(SyncError::PeerChainMoved);
        };
        self.follow_status(&status).await
    }

    /// Fetches what the peer announced. If the chains are equally long, the status of the peer is
    /// needed to choose. Anyone can announce in the name of another, so a wrong announcement
    /// has no consequence for the peer.
    pub(super) async fn follow_announcement(
        &mut self,
        announcement: &PeerAnnouncement,
    ) -> Result<(), SyncError> {
        let state = self.context.node.state();
        let Ok(tip) = announcement.tip.parse::<BlockHash>() else {
            return Ok(());
        };
        let peer = &self.context.peer;
        let network = self
            .context
            .node
            .peers
            .with(peer, |peer| peer.network.clone());
        let network = network.flatten();
        let differs = |theirs| self.context.node.network_difference(theirs).is_some();
        if announcement.length == state.length() && tip != state.tip.hash
            || network.as_ref().is_none_or(differs)
        {
            return self.ask_status().await;
        }
        let claim = ClaimedChain {
            tip,
            length: announcement.length,
            sealed: None,
            genesis: None,
        };
        match self
            .sync(claim, network, announcement.mempool_seq, false)
            .await
        {
            Ok(()) => {}
            Err(error @ (SyncError::Store(_) | SyncError::RateLimited { .. })) => {
                return Err(error);
            }
            Err(_) => return self.ask_status().await,
        }
        if self.context.node.view()?.index_of(&tip)? == announcement.length.checked_sub(1) {
            let position = Position {
                index: announcement.length.saturating_sub(1),
                hash: announcement.tip.clone(),
            };
            let (peers, peer) = (&self.context.node.peers, &self.context.peer);
            peers.with(peer, |peer| peer.tip = Some(position));
        }
        Ok(())
    }

    /// Schedules an announcement if the tip or the mempool has changed since the last one.
    pub(super) fn plan_announcement(&mut self) {
        let state = self.context.node.state();
        let latest = (state.tip.hash, state.next_sequence());
        let is_due = self.kind == PeerKind::Ours && self.announced != Some(latest);
        self.announce_at = is_due.then(|| {
            let now = Instant::now();
            self.last_announced
                .map_or(now, |last| now.max(last + ANNOUNCE_INTERVAL))
        });
    }

    pub(super) async fn announce(&mut self) -> Result<(), StoreError> {
        let (node, peer) = (&self.context.node, &self.context.peer);
        let state = node.state();
        let latest = (state.tip.hash, state.next_sequence());
        let previous = self.announced.replace(latest);
        (self.announce_at, self.last_announced) = (None, Some(Instant::now()));
        let tip = latest.0.to_string();
        let knows_tip = node.peers.with(peer, |peer| {
            peer.tip.as_ref().is_some_and(|known| known.hash == tip)
        });
        let has_messages = previous.is_none_or(|(_, sequence)| sequence != latest.1);
        if knows_tip == Some(true) && !(has_messages && state.mempool_count() > 0) {
            return Ok(());
        }
        let announcement = Announcement {
            protocol: u64::from(PROTOCOL),
            address: self.context.client.address().to_owned(),
            tip,
            length: state.length(),
            mempool_seq: latest.1,
        };
        match self.context.client.announce(peer, &announcement).await {
            Ok(()) => Ok(()),
            // A closed node takes no announcements from this address, but may still be read.
            Err(PeerError::Status { status: 403, .. }) => {
                debug!(%peer, "the peer is closed to the announcements of this node");
                Ok(())
            }
            Err(error) => self.settle(Err(error.into())),
        }
    }
}
