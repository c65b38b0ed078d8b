//! Starts the tasks of a node, supervises them and stops them in order.

use std::future::Future;
use std::sync::Arc;

use thiserror::Error;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::{Node, backup, clocks, discovery, miner, scrub, sessions, space};
use crate::client::PeerClient;
use crate::store::StoreError;

/// Error of [`run`].
#[derive(Debug, Error)]
pub enum RunError {
    /// A task failed because the store did.
    #[error("the task \"{task}\" failed")]
    Task {
        /// Name of the task.
        task: &'static str,
        /// The cause.
        #[source]
        source: StoreError,
    },
    /// A task panicked; the panic is in the log.
    #[error("a task panicked; see the log")]
    Panic,
}

/// Runs sessions and discovery until `shutdown`.
pub async fn run_peers(
    node: Arc<Node>,
    client: PeerClient,
    shutdown: CancellationToken,
) -> Result<(), StoreError> {
    let sessions = sessions::run(Arc::clone(&node), client.clone(), shutdown.clone());
    tokio::try_join!(sessions, discovery::run(node, client, shutdown)).map(drop)
}

/// Runs a node and its server until `shutdown` or until a task fails. The server ends first, then
/// the tasks; then the database is closed.
pub async fn run(
    node: Arc<Node>,
    client: PeerClient,
    serve: impl Future<Output = ()> + Send + 'static,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let mut tasks = JoinSet::new();
    let server = shutdown.clone();
    tasks.spawn(async move {
        serve.await;
        // If the server ends early, the node stops as well.
        server.cancel();
        ("server", Ok(()))
    });
    let work = (Arc::clone(&node), shutdown.clone());
    tasks.spawn(async move { ("miner", miner::run(work.0, work.1).await) });
    let work = (Arc::clone(&node), shutdown.clone());
    tasks.spawn(async move { ("network", run_peers(work.0, client, work.1).await) });
    let work = (Arc::clone(&node), shutdown.clone());
    tasks.spawn(async move { ("clocks", clocks::run(work.0, work.1).await) });
    // The backup task ends last, so that the last snapshot contains the work of the other tasks.
    let (mut backups, last) = (JoinSet::new(), CancellationToken::new());
    if let Some(settings) = node.settings.snapshot.clone() {
        let work = (Arc::clone(&node), last.clone());
        backups.spawn(async move { ("backup", backup::run(work.0, settings, work.1).await) });
    }
    let watched = (Arc::clone(&node), shutdown.clone());
    tasks.spawn(async move { ("store", watch_store(&watched.0, &watched.1).await) });
    let work = (Arc::clone(&node), shutdown.clone());
    tasks.spawn(async move { ("free space", space::run(work.0, work.1).await) });
    if !node.stopped_cleanly() {
        let work = (Arc::clone(&node), shutdown.clone());
        tasks.spawn(async move { ("check of old blocks", scrub::run(work.0, work.1).await) });
    }

    let mut outcome = Ok(());
    let mut note = |ended: Result<(&'static str, Result<(), StoreError>), JoinError>| {
        let failure = match ended {
            Ok((_, Ok(()))) => return,
            Ok((task, Err(source))) => RunError::Task { task, source },
            Err(_) => RunError::Panic,
        };
        error!(
            error = &failure as &dyn std::error::Error,
            "stopping the node after a failure"
        );
        shutdown.cancel();
        if outcome.is_ok() {
            outcome = Err(failure);
        }
    };
    while !tasks.is_empty() {
        tokio::select! {
            Some(ended) = tasks.join_next() => note(ended),
            Some(ended) = backups.join_next() => note(ended),
        }
    }
    last.cancel();
    while let Some(ended) = backups.join_next().await {
        note(ended);
    }
    // The store was no longer watched during the last snapshot.
    if outcome.is_ok()
        && let Some(source) = node.subscribe().borrow().failure.clone()
    {
        let task = "store";
        outcome = Err(RunError::Task { task, source });
    }
    match Arc::try_unwrap(node) {
        Ok(node) if outcome.is_ok() => {
            if let Err(source) = node.close() {
                outcome = Err(RunError::Task {
                    task: "store",
                    source,
                });
            }
        }
        // After a failure, the next start checks the file.
        Ok(_) => {}
        Err(_) => info!("a request is still in flight; the next start checks all blocks"),
    }
    outcome
}

/// Returns the first failure of the store, in a write or in a read.
async fn watch_store(node: &Node, shutdown: &CancellationToken) -> Result<(), StoreError> {
    let mut signal = node.subscribe();
    loop {
        if let Some(failure) = signal.borrow_and_update().failure.clone() {
            return Err(failure);
        }
        tokio::select! {
            changed = signal.changed() => if changed.is_err() { return Ok(()) },
            () = shutdown.cancelled() => return Ok(()),
        }
    }
}
