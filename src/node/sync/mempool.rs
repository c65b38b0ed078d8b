//! Mempool sync: messages that wait at peers wait here, too, so that none depends on one node.

use std::time::Duration;

use super::context::PeerContext;
use super::error::SyncError;
use crate::chain::Message;
use crate::store::{Operation, StoreError};

/// Most pages taken in one round.
const PAGES: usize = 50;

/// How far the mempool of one run of a peer was read.
#[derive(Debug, Default)]
pub(super) struct MempoolPosition {
    node_id: String,
    after: Option<u64>,
}

impl MempoolPosition {
    /// Starts anew if the peer was started anew.
    pub(super) fn belongs_to(&mut self, node_id: &str) {
        if self.node_id != node_id {
            node_id.clone_into(&mut self.node_id);
            self.after = None;
        }
    }

    /// Takes in what waits at a node of this program and was not read yet; `next` is the sequence
    /// number of its next message, if it is `certain` that the peer itself says so.
    pub(super) async fn fetch(
        &mut self,
        context: &PeerContext,
        next: u64,
        certain: bool,
    ) -> Result<(), SyncError> {
        for _ in 0..PAGES {
            if self.after.map_or(0, |after| after.saturating_add(1)) >= next {
                break;
            }
            let limit = context
                .node
                .may_teach(context.node.peers.teacher(&context.peer));
            if limit == 0 {
                return Err(SyncError::Paced(context.node.add_rate.retry_after()));
            }
            let asking = context.client.mempool(&context.peer, self.after, limit);
            let (messages, cursor) = asking.await?;
            if let Some(later) = learn(context, messages).await? {
                // The page is asked for again: what was taken in costs nothing by then.
                return Err(SyncError::Paced(later));
            }
            match cursor.last {
                Some(last) if self.after.is_none_or(|after| last > after) => {
                    self.after = Some(last);
                }
                Some(_) => {
                    let why = "numbers its messages backwards".to_owned();
                    return Err(SyncError::Misbehaved(why));
                }
                None => {}
            }
            if !cursor.more {
                // What had a number below and is gone by now is mined.
                self.after = self.after.max(next.checked_sub(1).filter(|_| certain));
                break;
            }
        }
        Ok(())
    }
}

/// Takes in what waits at a reference miner.
pub(super) async fn fetch_documented(context: &PeerContext) -> Result<(), SyncError> {
    let messages = context.client.data(&context.peer).await?;
    // What was left is there in the next round, too.
    learn(context, messages).await.map(drop)
}

/// Hands new messages of a peer to the store, as many as it may teach now. Returns when to try the
/// others again, if there are any.
pub(super) async fn learn(
    context: &PeerContext,
    messages: Vec<Message>,
) -> Result<Option<Duration>, SyncError> {
    let messages: Vec<_> = messages
        .into_iter()
        .filter(|message| !message.text().is_empty())
        .collect();
    let teacher = context.node.peers.teacher(&context.peer);
    let looking = context.node.blocking(move |node| {
        let mut unknown = node.unknown(messages)?;
        let later = match teacher {
            Some(teacher) if !unknown.is_empty() => node.admit_taught(teacher, &mut unknown)?,
            _ => None,
        };
        Ok((unknown, later))
    });
    let (messages, later) = looking.await?;
    if messages.is_empty() {
        return Ok(later);
    }
    let now = context.node.clock().millis();
    let answer = context
        .node
        .submit(|reply| Operation::Learn(messages, now, reply))?;
    answer.await.unwrap_or(Err(StoreError::Closed))?;
    Ok(later)
}
