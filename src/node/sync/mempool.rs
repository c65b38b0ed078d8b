//! Mempool sync: fetches the pending messages of peers, so that no message depends on one node.

use std::time::Duration;

use super::context::PeerContext;
use super::error::{Misbehaviour, SyncError};
use crate::chain::Message;
use crate::store::{Operation, StoreError};

/// Maximum number of pages fetched in one round.
const MAX_PAGES: usize = 50;

/// Position up to which the mempool of one run of a peer was read.
#[derive(Debug, Default)]
pub(super) struct MempoolPosition {
    node_id: String,
    after: Option<u64>,
}

impl MempoolPosition {
    /// Starts over if the peer was restarted.
    pub(super) fn set_node_id(&mut self, node_id: &str) {
        if self.node_id != node_id {
            node_id.clone_into(&mut self.node_id);
            self.after = None;
        }
    }

    /// Fetches the pending messages of a node of this program that were not read yet. `next` is the
    /// sequence number of its next message; `is_from_peer` is `false` if anyone could have stated it.
    pub(super) async fn fetch(
        &mut self,
        context: &PeerContext,
        next: u64,
        is_from_peer: bool,
    ) -> Result<(), SyncError> {
        for _ in 0..MAX_PAGES {
            if self.after.map_or(0, |after| after.saturating_add(1)) >= next {
                break;
            }
            let source = context.node.peers.message_source(&context.peer);
            let limit = context.node.learnable(source);
            if limit == 0 {
                return Err(SyncError::RateLimited {
                    retry_after: context.node.add_rate.retry_after(),
                });
            }
            let page = context.client.mempool(&context.peer, self.after, limit);
            let (messages, cursor) = page.await?;
            if let Some(retry_after) = learn(context, messages).await? {
                // The page is fetched again: messages that are held by then are not counted.
                return Err(SyncError::RateLimited { retry_after });
            }
            match cursor.last {
                Some(last) if self.after.is_none_or(|after| last > after) => {
                    self.after = Some(last);
                }
                Some(_) => return Err(Misbehaviour::SequenceNotIncreasing.into()),
                None => {}
            }
            if !cursor.more {
                // Missing lower numbers belong to messages that were mined.
                self.after = self.after.max(next.checked_sub(1).filter(|_| is_from_peer));
                break;
            }
        }
        Ok(())
    }
}

/// Fetches the pending messages of a reference miner.
pub(super) async fn fetch_from_reference(context: &PeerContext) -> Result<(), SyncError> {
    let messages = context.client.data(&context.peer).await?;
    // Messages that are not learned now are fetched again in the next round.
    learn(context, messages).await.map(drop)
}

/// Hands new messages of a peer to the store, as many as may be learned from it now. Returns when
/// to retry the others, if there are any.
pub(super) async fn learn(
    context: &PeerContext,
    messages: Vec<Message>,
) -> Result<Option<Duration>, SyncError> {
    let messages: Vec<_> = messages
        .into_iter()
        .filter(|message| !message.text().is_empty())
        .collect();
    let source = context.node.peers.message_source(&context.peer);
    let admitted = context.node.blocking(move |node| {
        let mut unknown = node.unknown(messages)?;
        let retry_after = match source {
            Some(source) if !unknown.is_empty() => node.admit_learned(source, &mut unknown)?,
            _ => None,
        };
        Ok((unknown, retry_after))
    });
    let (messages, retry_after) = admitted.await?;
    if messages.is_empty() {
        return Ok(retry_after);
    }
    let now = context.node.clock().millis();
    let answer = context
        .node
        .submit(|reply| Operation::Learn(messages, now, reply))?;
    answer.await.unwrap_or(Err(StoreError::Closed))?;
    Ok(retry_after)
}
