//! Supervises the sessions, one per peer, and stores the peers to keep in the database.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{Node, sync};
use crate::client::PeerClient;
use crate::store::{NeighbourRecord, StoreError};

/// Starts a session for each peer until the node shuts down.
pub(super) async fn run(
    node: Arc<Node>,
    client: PeerClient,
    shutdown: CancellationToken,
) -> Result<(), StoreError> {
    let mut sessions = JoinSet::new();
    let mut kept = node.view()?.neighbours()?;
    let mut signal = node.subscribe();
    loop {
        for (peer, handle) in node.peers.without_session() {
            debug!(%peer, "session started");
            let (node, client) = (Arc::clone(&node), client.clone());
            sessions.spawn(sync::run(node, client, peer, handle));
        }
        keep(&node, &mut kept).await?;
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            () = node.peers.changed.notified() => {}
            changed = signal.changed() => {
                if changed.is_err() {
                    break;
                }
                node.peers.note_commit();
            }
            Some(ended) = sessions.join_next() => match ended {
                Ok(outcome) => outcome?,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            },
        }
    }
    sessions.shutdown().await;
    Ok(())
}

/// Stores the learned, added and removed neighbours if they have changed.
async fn keep(node: &Node, kept: &mut Vec<NeighbourRecord>) -> Result<(), StoreError> {
    let records = node.peers.records();
    if records != *kept {
        node.keep_neighbours(records.clone()).await?;
        *kept = records;
    }
    Ok(())
}
