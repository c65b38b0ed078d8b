//! Chains that commands read: from the database of a stopped node, a running node or a reference
//! miner.

mod reference;
pub(super) mod running;

use std::sync::mpsc::SyncSender;

use self::reference::ReferenceMiner;
use super::error::Error;
use super::files::Files;
use super::read_ahead::read_ahead;
use crate::chain::{Block, BlockHash, Message};
use crate::client::HttpClient;
use crate::store::{PageLimit, StoppedStore, StoreError, View};
use crate::wire::PendingMessage;

/// A chain to read as one consistent view.
pub(super) enum ChainSource {
    Stopped { _store: StoppedStore, view: View },
    Running(HttpClient),
    Reference(ReferenceMiner),
}

impl ChainSource {
    /// Opens the chain of a node's files, through the node if it is running.
    pub(super) async fn in_folder(files: &Files) -> Result<Self, Error> {
        match StoppedStore::open(&files.database) {
            Ok(store) => Ok(Self::Stopped {
                view: store.view()?,
                _store: store,
            }),
            Err(StoreError::Busy { path }) => {
                Ok(Self::Running(files.client_of_running(&path).await?))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the chain of a node of this program or of a reference miner.
    pub(super) async fn of_node(client: HttpClient) -> Result<Self, Error> {
        match client.status().await {
            Ok(_) => Ok(Self::Running(client)),
            Err(error) if error.is_reference() => {
                let address = client.address().clone();
                Ok(Self::Reference(ReferenceMiner::new(address)?))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns all pending messages in order of arrival. Read them before the blocks, so that one
    /// mined in between is not missed.
    pub(super) async fn pending(&self) -> Result<Vec<Message>, Error> {
        match self {
            Self::Stopped { view, .. } => {
                let (mut pending, mut next) = (Vec::new(), 0);
                loop {
                    let page = view.pending_from(next, PageLimit::SCAN)?;
                    let Some(last) = page.last() else { break };
                    next = last.sequence + 1;
                    pending.extend(page.into_iter().map(|pending| pending.message));
                }
                Ok(pending)
            }
            Self::Running(client) => {
                let page = running::mempool(client).await?;
                let messages = page.messages.into_iter().map(message_from);
                messages
                    .collect::<Result<_, _>>()
                    .map_err(|error| Error::rejected(format!("malformed pending message: {error}")))
            }
            Self::Reference(miner) => miner.pending().await,
        }
    }

    /// Passes all blocks to `each` in pages, oldest first, until that returns `false`. The second
    /// argument is the length of the chain, or of the part read so far from a reference miner.
    pub(super) async fn for_each_page(
        &self,
        each: impl FnMut(Vec<Block>, u64) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        match self {
            Self::Stopped { view, .. } => from_view(view, each),
            Self::Running(client) => from_node(client, each).await,
            Self::Reference(miner) => miner.for_each_page(each).await,
        }
    }
}

/// Reads the chain of a view in pages.
pub(super) fn from_view(
    view: &View,
    mut each: impl FnMut(Vec<Block>, u64) -> Result<bool, Error>,
) -> Result<(), Error> {
    let length = view.tip_block()?.index + 1;
    let read = |sender: &SyncSender<Vec<Block>>| -> Result<(), StoreError> {
        let mut next = 0;
        while next < length {
            let page = view.blocks(next, PageLimit::SCAN)?;
            next += page.len() as u64;
            if sender.send(page).is_err() {
                break;
            }
        }
        Ok(())
    };
    Ok(read_ahead(read, |page| each(page, length))??)
}

/// Reads a node's chain up to its current tip. A reorg meanwhile is detected, because the last hash
/// differs.
async fn from_node(
    client: &HttpClient,
    mut each: impl FnMut(Vec<Block>, u64) -> Result<bool, Error>,
) -> Result<(), Error> {
    let tip = client.block("tip").await?.block;
    let length = tip.index.saturating_add(1);
    let mut last = None;
    let mut is_stopped = false;
    running::for_each_page(client, 0..length, |page| {
        let mut blocks = Vec::with_capacity(page.len());
        for block in page {
            let index = block.index;
            let block = Block::try_from(block)
                .map_err(|error| Error::rejected(format!("malformed block {index}: {error}")))?;
            blocks.push(block);
        }
        last = blocks.last().map(BlockHash::of);
        is_stopped = !each(blocks, length)?;
        Ok(!is_stopped)
    })
    .await?;
    if !is_stopped && last.map(|hash| hash.to_string()) != Some(tip.hash) {
        return Err(running::reorganised());
    }
    Ok(())
}

fn message_from(
    pending: PendingMessage,
) -> Result<Message, Box<dyn std::error::Error + Send + Sync>> {
    Ok(Message::new(pending.id.parse()?, pending.message)?)
}
