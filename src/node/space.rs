//! Measures the reusable space within the database while the disk is nearly full.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Node;
use crate::store::StoreError;

/// Minimum interval between two checks of the disk.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Minimum interval as a multiple of the duration of the last measurement.
const INTERVAL_FACTOR: u32 = 20;

/// Checks the disk until the node shuts down.
pub(crate) async fn run(node: Arc<Node>, shutdown: CancellationToken) -> Result<(), StoreError> {
    loop {
        let begin = Instant::now();
        let stop = shutdown.clone();
        node.blocking(move |node| node.measure_space(&|| stop.is_cancelled()))
            .await?;
        let took = begin.elapsed();
        if took > CHECK_INTERVAL {
            debug!(?took, "measured the free space within the database");
        }
        tokio::select! {
            () = tokio::time::sleep(CHECK_INTERVAL.max(took * INTERVAL_FACTOR)) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
    }
}
