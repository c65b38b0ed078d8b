//! Watches the free space: measures the reusable space within the database while the disk is nearly
//! full, and logs when that begins and ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::Node;
use crate::store::StoreError;

/// Minimum interval between two checks of the disk.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Minimum interval as a multiple of the duration of the last measurement.
const INTERVAL_FACTOR: u32 = 20;

/// Checks the disk until the node shuts down.
pub(crate) async fn run(node: Arc<Node>, shutdown: CancellationToken) -> Result<(), StoreError> {
    // A shortage at the start is among the warnings of the node, which are logged then.
    let mut was_short = node.space_shortage().is_some();
    loop {
        let begin = Instant::now();
        let stop = shutdown.clone();
        node.blocking(move |node| node.measure_space(&|| stop.is_cancelled()))
            .await?;
        let took = begin.elapsed();
        let shortage = node.space_shortage();
        let is_short = shortage.is_some();
        match shortage {
            Some(reason) if !was_short => {
                warn!(%reason, "the disk is nearly full; no messages are accepted or mined");
            }
            None if was_short => info!("the disk has space again"),
            _ => {}
        }
        was_short = is_short;
        if took > CHECK_INTERVAL {
            debug!(?took, "measured the free space within the database");
        }
        tokio::select! {
            () = tokio::time::sleep(CHECK_INTERVAL.max(took * INTERVAL_FACTOR)) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
    }
}
