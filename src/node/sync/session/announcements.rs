//! Announcements: what is new here is told to the peer, and what the peer announces is followed.

use tokio::time::Instant;

use super::PeerSession;
use crate::chain::BlockHash;
use crate::client::peer::Identity;
use crate::node::PROTOCOL;
use crate::node::peers::PeerAnnouncement;
use crate::node::settings::ANNOUNCE_PAUSE;
use crate::node::sync::context::Claim;
use crate::node::sync::error::SyncError;
use crate::store::StoreError;
use crate::wire::{Announcement, PeerKind, Position};

impl PeerSession {
    async fn ask_status(&mut self) -> Result<(), SyncError> {
        let Identity::Ours(status) = self.identify().await? else {
            return Err(SyncError::ChainMoved);
        };
        self.follow_status(&status).await
    }

    /// What an announcement says is enough to fetch what is new, unless the chains are equally
    /// long: then more must be known of the other. Anyone can announce in the name of another, so
    /// what does not come true is not held against the peer: it is asked.
    pub(super) async fn follow_news(&mut self, news: &PeerAnnouncement) -> Result<(), SyncError> {
        let state = self.context.node.state();
        let Ok(tip) = news.tip.parse::<BlockHash>() else {
            return Ok(());
        };
        let peer = &self.context.peer;
        let network = self
            .context
            .node
            .peers
            .with(peer, |peer| peer.network.clone());
        let network = network.flatten();
        let differs = |theirs| self.context.node.difference(theirs).is_some();
        if news.length == state.length() && tip != state.tip.hash
            || network.as_ref().is_none_or(differs)
        {
            return self.ask_status().await;
        }
        let claim = Claim {
            tip,
            length: news.length,
            sealed: None,
            genesis: None,
        };
        match self.follow(claim, network, news.mempool_seq, false).await {
            Ok(()) => {}
            Err(error @ (SyncError::Store(_) | SyncError::Paced(_))) => return Err(error),
            Err(_) => return self.ask_status().await,
        }
        if self.context.node.view()?.index_of(&tip)? == news.length.checked_sub(1) {
            let position = Position {
                index: news.length.saturating_sub(1),
                hash: news.tip.clone(),
            };
            let (peers, peer) = (&self.context.node.peers, &self.context.peer);
            peers.with(peer, |peer| peer.tip = Some(position));
        }
        Ok(())
    }

    /// Whether there is something to tell the peer, and when.
    pub(super) fn plan_announcement(&mut self) {
        let state = self.context.node.state();
        let news = (state.tip.hash, state.next_sequence());
        let is_news = self.kind == PeerKind::Ours && self.announced != Some(news);
        self.announce_at = is_news.then(|| {
            let now = Instant::now();
            self.last_announced
                .map_or(now, |last| now.max(last + ANNOUNCE_PAUSE))
        });
    }

    pub(super) async fn announce(&mut self) -> Result<(), StoreError> {
        let (node, peer) = (&self.context.node, &self.context.peer);
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
            protocol: u64::from(PROTOCOL),
            address: self.context.client.address().to_owned(),
            tip,
            length: state.length(),
            mempool_seq: news.1,
        };
        match self.context.client.announce(peer, &announcement).await {
            Ok(()) => Ok(()),
            Err(error) => self.settle(Err(error.into())),
        }
    }
}
