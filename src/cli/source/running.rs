//! Pages of a running node, which may be hostile: each must bring the reader forward, and all
//! together have a limit.

use std::ops::Range;

use super::PAGE;
use crate::cli::error::Error;
use crate::client::HttpClient;
use crate::wire::{Block, MempoolPage};

/// Maximum number of blocks that a node is believed to have.
const MAX_BLOCKS: u64 = 1_000_000_000;

/// Maximum number of pending messages read from a node, and of bytes of their texts. A node holds
/// 100,000 and 64 MiB, beside those that a reorg returned.
const MAX_PENDING: usize = 1_000_000;
const MAX_PENDING_BYTES: usize = 256 * 1024 * 1024;

/// Hands the blocks in a range of indexes to `each` in pages, oldest first, until that says no.
///
/// # Errors
/// The node's, that of `each`, or [`Error::Failed`] if a page does not go on where the one before
/// ended.
pub(in crate::cli) async fn for_each_page(
    client: &HttpClient,
    range: Range<u64>,
    mut each: impl FnMut(Vec<Block>) -> Result<bool, Error>,
) -> Result<(), Error> {
    if range.end > MAX_BLOCKS {
        return Err(Error::failed(format!(
            "{} claims {} blocks, more than the {MAX_BLOCKS} that are read",
            client.address(),
            range.end
        )));
    }
    let mut next = range.start;
    while next < range.end {
        let mut blocks = client.blocks(next, PAGE.count).await?.blocks;
        let is_page = (next..)
            .zip(&blocks)
            .all(|(index, block)| index == block.index);
        if blocks.is_empty() || !is_page {
            return Err(moved());
        }
        blocks.truncate(usize::try_from(range.end - next).unwrap_or(usize::MAX));
        next += blocks.len() as u64;
        if !each(blocks)? {
            break;
        }
    }
    Ok(())
}

/// Returns all pending messages of a node as one page.
pub(in crate::cli) async fn mempool(client: &HttpClient) -> Result<MempoolPage, Error> {
    let mut all = client.mempool(None, PAGE.count).await?;
    let mut bytes = 0;
    let mut counted = 0;
    loop {
        bytes += all.messages[counted..]
            .iter()
            .map(|pending| pending.message.len())
            .sum::<usize>();
        counted = all.messages.len();
        if counted > MAX_PENDING || bytes > MAX_PENDING_BYTES {
            return Err(Error::failed(format!(
                "{} has more than {MAX_PENDING} pending messages or {MAX_PENDING_BYTES} bytes of \
                 them, which is all that is read",
                client.address()
            )));
        }
        let Some(after) = all.next else {
            return Ok(all);
        };
        let page = client.mempool(Some(after), PAGE.count).await?;
        // The pages of an honest node go up, and each holds something.
        all.next = page
            .next
            .filter(|next| *next > after && !page.messages.is_empty());
        all.messages.extend(page.messages);
    }
}

/// The node no longer holds the chain that was begun.
pub(super) fn moved() -> Error {
    Error::failed("the node switched to another branch meanwhile; try again".to_owned())
}
