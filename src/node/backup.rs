//! Writes snapshots: the chain as files of the reference miner, for exchange and backup. The node
//! reads only their format back; its data is in the database.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Local;
use thiserror::Error;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Node;
use super::settings::{SNAPSHOT_INTERVAL_FACTOR, SnapshotAtStop, SnapshotSettings};
use crate::chain::{Block, Tip};
use crate::fs::open_regular;
use crate::snapshot::files::{SnapshotError, SnapshotFiles, Written};
use crate::snapshot::format::{ChainReader, ChainWriter, Format};
use crate::store::{Operation, PageLimit, Rejection, StoreError};

/// Maximum duration of a snapshot at a stop, unless the settings always require one.
const MAX_AUTO_DURATION: Duration = Duration::from_secs(1);

/// Error of writing a snapshot.
#[derive(Debug, Error)]
enum BackupError {
    /// The store could not read the chain or record the snapshot.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopped,
    /// The files could not be written.
    #[error(transparent)]
    Files(#[from] SnapshotError),
}

/// Writes a snapshot at each tick if the chain has changed, and at the stop according to the
/// settings. Files that cannot be written are logged and retried, because the chain is safe in the
/// database. A failure of the store or of the task itself is an error.
pub(super) async fn run(
    node: Arc<Node>,
    settings: SnapshotSettings,
    shutdown: CancellationToken,
) -> Result<(), StoreError> {
    let mut ticks = tokio::time::interval(settings.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is immediate, when a node that just started has nothing new to write.
    ticks.tick().await;
    let mut took = Duration::ZERO;
    let mut earliest = Instant::now();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.cancelled() => break,
        }
        if Instant::now() < earliest {
            continue;
        }
        // A stop does not wait for a long snapshot.
        let stop = shutdown.clone();
        let give_up = move || stop.is_cancelled();
        took = snapshot(&node, &settings, give_up).await?.unwrap_or(took);
        earliest = Instant::now() + took * SNAPSHOT_INTERVAL_FACTOR;
    }
    let wanted = match settings.at_stop {
        SnapshotAtStop::Always => true,
        SnapshotAtStop::Auto => took < MAX_AUTO_DURATION,
        SnapshotAtStop::Never => false,
    };
    if !wanted {
        let view = node.view()?;
        if view.snapshot()?.tip != Some(*node.state().tip.hash.as_bytes()) {
            info!(at_stop = ?settings.at_stop, ?took, "no snapshot written at the stop");
        }
        return Ok(());
    }
    // This may be the first snapshot of this run, so its duration is unknown.
    let (begin, is_unlimited) = (Instant::now(), settings.at_stop == SnapshotAtStop::Always);
    snapshot(&node, &settings, move || {
        !is_unlimited && begin.elapsed() > MAX_AUTO_DURATION
    })
    .await
    .map(drop)
}

/// Writes one snapshot and returns its duration; `None` if it could not be written or was not due.
async fn snapshot(
    node: &Arc<Node>,
    settings: &SnapshotSettings,
    give_up: impl Fn() -> bool + Send + 'static,
) -> Result<Option<Duration>, StoreError> {
    let started = Instant::now();
    let (files, format, max_backups) = (
        SnapshotFiles::new(settings.chain.clone()),
        settings.format,
        settings.max_backups,
    );
    let work = {
        let node = Arc::clone(node);
        tokio::task::spawn_blocking(move || write(&node, &files, format, max_backups, give_up))
    };
    let ended = work.await;
    match ended.map_err(|error| StoreError::interrupted("a snapshot", &error))? {
        Ok(None) => Ok(None),
        Ok(Some(path)) => {
            let took = started.elapsed();
            info!(path = %path.display(), ?took, "snapshot written");
            Ok(Some(took))
        }
        Err(error @ (BackupError::Files(_) | BackupError::Store(StoreError::Rejected(_)))) => {
            warn!(
                error = &error as &dyn std::error::Error,
                "cannot write a snapshot"
            );
            Ok(None)
        }
        Err(BackupError::Stopped) => {
            info!("snapshot abandoned because the node is stopping");
            Ok(None)
        }
        Err(BackupError::Store(error)) => Err(error),
    }
}

/// Writes the current chain, unless the files contain it already.
fn write(
    node: &Node,
    files: &SnapshotFiles,
    format: Format,
    max_backups: usize,
    give_up: impl Fn() -> bool,
) -> Result<Option<PathBuf>, BackupError> {
    let view = node.view()?;
    let tip = Tip::of(&view.tip_block()?);
    let mut record = view.snapshot()?;
    drop(view);
    if record.tip == Some(*tip.hash.as_bytes())
        && format_of(files.chain()) == Some(format)
        && files.hash().exists()
    {
        return Ok(None);
    }
    // A commit fails if the database file was replaced. Then the folder may belong to another node,
    // whose snapshots must not be touched.
    let unchanged = record.clone();
    node.write(|reply| Operation::NoteSnapshot(unchanged, reply))?;
    let mut pages = Pages::up_to(node, tip.index);
    let mut interruption = None;
    let outcome = files.write(Local::now(), |out| {
        let mut writer = ChainWriter::new(format, out, false)?;
        loop {
            let page = if give_up() {
                Err(BackupError::Stopped)
            } else {
                pages.next().map_err(BackupError::from)
            };
            let page = page.map_err(|error| {
                let text = error.to_string();
                interruption = Some(error);
                std::io::Error::other(text)
            })?;
            if page.is_empty() {
                break;
            }
            writer.push_all(&page)?;
        }
        writer.finish().map(drop)
    });
    if let Some(error) = interruption {
        return Err(error);
    }
    // A file from before the first snapshot was not written by this program.
    if let Written::Replaced { backup } = outcome?
        && record.tip.is_some()
    {
        record.backups.push(backup);
    }
    record.tip = pages.last.map(|last| *last.hash.as_bytes());
    record.backups = files.prune(record.backups, max_backups);
    node.write(|reply| Operation::NoteSnapshot(record, reply))?;
    Ok(Some(files.chain().to_owned()))
}

/// Reads the chain page by page, each in its own view: a snapshot can take long, and an open view
/// prevents the database from reusing freed pages.
struct Pages<'a> {
    node: &'a Node,
    /// Index of the last block to read.
    until: u64,
    /// Last block that was read.
    last: Option<Tip>,
}

impl<'a> Pages<'a> {
    fn up_to(node: &'a Node, until: u64) -> Self {
        Self {
            node,
            until,
            last: None,
        }
    }

    /// Returns the next blocks; none after the last.
    ///
    /// # Errors
    /// If a reorg has disconnected a block that was read.
    fn next(&mut self) -> Result<Vec<Block>, StoreError> {
        let view = self.node.view()?;
        let next = match &self.last {
            Some(last) if view.index_of(&last.hash)? != Some(last.index) => {
                return Err(Rejection::StaleTip.into());
            }
            Some(last) => last.index + 1,
            None => 0,
        };
        let remaining = (self.until + 1).saturating_sub(next);
        let page = view.blocks(next, PageLimit::SCAN.at_most(remaining))?;
        if let Some(last) = page.last() {
            self.last = Some(Tip::of(last));
        }
        Ok(page)
    }
}

/// Returns the format of a chain file, or `None` if it cannot be read.
fn format_of(chain: &Path) -> Option<Format> {
    let reader = ChainReader::new(open_regular(chain).ok()?);
    reader.ok().map(|reader| reader.format())
}

#[cfg(test)]
pub(super) mod tests;
