//! Reads pages from a running node. The node may be hostile, so each page must make progress, and the
//! total is limited.

use std::ops::Range;

use crate::cli::error::Error;
use crate::client::HttpClient;
use crate::store::PageLimit;
use crate::wire::{Block, MempoolPage};

/// Maximum length of a chain read from a node.
const MAX_BLOCKS: u64 = 1_000_000_000;

/// Maximum number and maximum total size of pending messages read from a node. A node holds at most
/// 100,000 messages with 64 MiB of text, plus those that a reorg returned.
const MAX_PENDING: usize = 1_000_000;
const MAX_PENDING_BYTES: usize = 256 * 1024 * 1024;

/// Passes the blocks in a range of indexes to `each` in pages, oldest first, until that returns
/// `false`.
///
/// # Errors
/// If a request or `each` fails, or if a page does not continue the one before.
pub(in crate::cli) async fn for_each_page(
    client: &HttpClient,
    range: Range<u64>,
    mut each: impl FnMut(Vec<Block>) -> Result<bool, Error>,
) -> Result<(), Error> {
    if range.end > MAX_BLOCKS {
        return Err(Error::failed(format!(
            "{} claims {} blocks, more than the maximum of {MAX_BLOCKS}",
            client.address(),
            range.end
        )));
    }
    let mut next = range.start;
    while next < range.end {
        let mut blocks = client.blocks(next, PageLimit::SCAN.count).await?.blocks;
        let is_page = (next..)
            .zip(&blocks)
            .all(|(index, block)| index == block.index);
        if blocks.is_empty() || !is_page {
            return Err(reorganised());
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
    let mut all = client.mempool(None, PageLimit::SCAN.count).await?;
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
                "{} has more pending messages than the maximum of {MAX_PENDING} messages or \
                 {MAX_PENDING_BYTES} bytes",
                client.address()
            )));
        }
        let Some(after) = all.next else {
            return Ok(all);
        };
        let page = client.mempool(Some(after), PageLimit::SCAN.count).await?;
        // The cursors of an honest node increase, and no page but the last is empty.
        all.next = page
            .next
            .filter(|next| *next > after && !page.messages.is_empty());
        all.messages.extend(page.messages);
    }
}

/// Returns the error for a reorg between two pages.
pub(super) fn reorganised() -> Error {
    Error::failed("the node switched to another branch during the read").hint("try again")
}
