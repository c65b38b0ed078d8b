//! While the disk is nearly full: measures how much the database can take without growing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Node;
use crate::store::StoreError;

/// Pause between two looks at the disk.
const PAUSE: Duration = Duration::from_secs(1);

/// The pause is at least this many times the duration of the last measurement.
const SHARE: u32 = 20;

/// Looks at the disk again and again.
pub async fn run(node: Arc<Node>, shutdown: CancellationToken) -> Result<(), StoreError> {
    loop {
        let begin = Instant::now();
        let stop = shutdown.clone();
        node.blocking(move |node| node.measure_space(&|| stop.is_cancelled()))
            .await?;
        let took = begin.elapsed();
        if took > PAUSE {
            debug!(?took, "free space within the database measured");
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE.max(took * SHARE)) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
    }
}
