//! Mempool sync: messages that wait at peers wait here, too, so that none depends on one node.

use super::session::{Conversation, Trouble};
use crate::chain::Message;
use crate::store::{Operation, StoreError};

/// Most pages taken in one round.
const PAGES: usize = 50;

/// How far the mempool of one run of a peer was read.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    node_id: String,
    after: Option<u64>,
}

impl Cursor {
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
        with: &Conversation,
        next: u64,
        certain: bool,
    ) -> Result<(), Trouble> {
        for _ in 0..PAGES {
            if self.after.map_or(0, |after| after.saturating_add(1)) >= next {
                break;
            }
            let (messages, cursor) = with.client.mempool(&with.peer, self.after).await?;
            learn(with, messages).await?;
            match cursor.last {
                Some(last) if self.after.is_none_or(|after| last > after) => {
                    self.after = Some(last);
                }
                Some(_) => {
                    let why = "numbers its messages backwards".to_owned();
                    return Err(Trouble::Misbehaved(why));
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
pub(super) async fn fetch_documented(with: &Conversation) -> Result<(), Trouble> {
    let messages = with.client.data(&with.peer).await?;
    learn(with, messages).await
}

/// Hands messages of a peer to the store, which knows whether they are new.
pub(super) async fn learn(with: &Conversation, messages: Vec<Message>) -> Result<(), Trouble> {
    let messages: Vec<_> = messages
        .into_iter()
        .filter(|message| !message.text().is_empty())
        .collect();
    if messages.is_empty() {
        return Ok(());
    }
    let looking = with.node.blocking(move |node| {
        let is_known = node.knows_all(&messages)?;
        Ok((messages, is_known))
    });
    let (messages, is_known) = looking.await?;
    if is_known {
        return Ok(());
    }
    let now = with.node.clock().millis();
    let answer = with
        .node
        .submit(|reply| Operation::Learn(messages, now, reply))?;
    answer.await.unwrap_or(Err(StoreError::Closed))?;
    Ok(())
}
