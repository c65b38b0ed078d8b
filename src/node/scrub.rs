//! Checks old blocks slowly in the background after an unclean stop.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::Node;
use super::settings::{SCRUB_BLOCKS, SCRUB_INTERVAL};
use crate::store::{StoreError, integrity};

/// Checks all blocks that exist at the start, then ends. Damage is an error that stops the node.
pub(crate) async fn run(node: Arc<Node>, shutdown: CancellationToken) -> Result<(), StoreError> {
    let length = node.state().length();
    let mut next = 0;
    while next < length {
        let (from, to) = (next, length.min(next + SCRUB_BLOCKS));
        node.blocking(move |node| {
            let view = node.view()?;
            // A reorg may have made the chain shorter.
            let to = to.min(view.tip_block()?.index + 1);
            integrity::check_range(&view, from.min(to), to)
        })
        .await?;
        debug!(from, to, "blocks checked");
        next = to;
        if next == length {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(SCRUB_INTERVAL) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
    }
    node.note_scrubbed();
    info!(blocks = length, "all blocks checked after an unclean stop");
    Ok(())
}
