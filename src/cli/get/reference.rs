//! Finds blocks and messages of a reference miner by reading its whole chain.

use crate::chain::{Block, BlockHash, History, MessageId};
use crate::cli::error::Error;
use crate::cli::source::ChainSource;
use crate::wire::{BlockRenderer, Lookup, MessageState, MessageStatus, Position, SingleBlock};

/// Returns the block with this index or hash, or the tip.
pub(super) async fn block(source: &ChainSource, name: &str) -> Result<Option<SingleBlock>, Error> {
    let wanted = Lookup::parse(name);
    let mut found = 0;
    let block = find(source, |block| {
        let hash = BlockHash::of(block);
        let is_it = match (wanted.index, wanted.hashes) {
            (Some(index), _) => index == block.index,
            (None, Some((first, last))) => (first..=last).contains(&hash),
            (None, None) => return name == "tip",
        };
        found += usize::from(is_it);
        is_it
    });
    let block = block.await?;
    if found > 1 {
        return Err(
            Error::rejected(format!("the hash prefix {name} is that of {found} blocks"))
                .hint("give more digits of the hash"),
        );
    }
    Ok(block)
}

/// Returns the state of the message with this id.
pub(super) async fn message(
    source: &ChainSource,
    id: MessageId,
) -> Result<Option<MessageStatus>, Error> {
    // Read before the chain, so that a message mined in between is found in the chain.
    let pending = source.pending().await?;
    let mut is_found = false;
    let found = find(source, |block| {
        let is_it = !is_found && block.message.id() == id;
        is_found |= is_it;
        is_it
    });
    if let Some(found) = found.await? {
        return Ok(Some(MessageStatus {
            id: id.to_string(),
            renamed_from: None,
            message: found.block.data.message,
            state: MessageState::Mined,
            waiting: None,
            block: Some(Position {
                index: found.block.index,
                hash: found.block.hash,
            }),
            confirmations: found.confirmations,
        }));
    }
    let pending = pending.into_iter().find(|message| message.id() == id);
    Ok(pending.map(|message| MessageStatus {
        id: id.to_string(),
        renamed_from: None,
        message: message.text().to_owned(),
        state: MessageState::Pending,
        waiting: None,
        block: None,
        confirmations: 0,
    }))
}

/// Returns the last block that `is_it` accepts, with its confirmations.
async fn find(
    source: &ChainSource,
    mut is_it: impl FnMut(&Block) -> bool,
) -> Result<Option<SingleBlock>, Error> {
    let mut renderer = BlockRenderer::above(History::default(), None);
    let mut found: Option<SingleBlock> = None;
    source
        .for_each_page(|page, _| {
            for block in &page {
                let described = renderer.render(block);
                if is_it(block) {
                    found = Some(SingleBlock {
                        block: described,
                        confirmations: 1,
                    });
                } else if let Some(found) = &mut found {
                    found.confirmations += 1;
                }
            }
            Ok(true)
        })
        .await?;
    Ok(found)
}
