//! Writes snapshots: the chain as the files of the original program, for exchange and safe-keeping.
//! Nothing but their format is read back from them; the database is what the node stands on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Local;
use thiserror::Error;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Node;
use super::settings::{AtStop, SNAPSHOT_SHARE, SnapshotSettings};
use crate::chain::{Block, Tip};
use crate::fs::open_regular;
use crate::snapshot::files::{SnapshotError, SnapshotFiles, Written};
use crate::snapshot::format::{ChainReader, ChainWriter, Format};
use crate::store::{Operation, PageLimit, Rejection, StoreError};

const PAGE: PageLimit = PageLimit {
    count: 1000,
    bytes: 4 * 1024 * 1024,
};

/// A snapshot that takes longer than this is not made at a stop unless asked for.
const QUICK: Duration = Duration::from_secs(1);

/// Why there is no snapshot.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The chain could not be read, or the snapshot not be noted.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The files could not be written.
    #[error(transparent)]
    Files(#[from] SnapshotError),
}

/// Makes a snapshot at each tick if the chain has changed, and at the stop as the settings say.
/// Files that cannot be written are logged and tried again: the chain is safe without. A failure of
/// the store or of the task itself is an error.
pub async fn run(
    node: Arc<Node>,
    settings: SnapshotSettings,
    shutdown: CancellationToken,
) -> Result<(), StoreError> {
    let mut ticks = tokio::time::interval(settings.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once; a node that just started has nothing new to write.
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
        // A stop does not wait for a long chain to be written.
        let stop = shutdown.clone();
        let give_up = move || stop.is_cancelled();
        took = snapshot(&node, &settings, give_up).await?.unwrap_or(took);
        earliest = Instant::now() + took * SNAPSHOT_SHARE;
    }
    let wanted = match settings.at_stop {
        AtStop::Always => true,
        AtStop::Auto => took < QUICK,
        AtStop::Never => false,
    };
    if !wanted {
        info!(took = ?took, "no snapshot at this stop; the last one is older than the chain");
        return Ok(());
    }
    // This may be the first one of this run, of a chain of any length.
    let (begin, patient) = (Instant::now(), settings.at_stop == AtStop::Always);
    snapshot(&node, &settings, move || {
        !patient && begin.elapsed() > QUICK
    })
    .await
    .map(drop)
}

/// Makes one snapshot and returns how long it took; none if it could not be written or was not due.
async fn snapshot(
    node: &Arc<Node>,
    settings: &SnapshotSettings,
    give_up: impl Fn() -> bool + Send + 'static,
) -> Result<Option<Duration>, StoreError> {
    let started = Instant::now();
    let (files, format, most) = (
        SnapshotFiles::new(settings.chain.clone()),
        settings.format,
        settings.max_backups,
    );
    let work = {
        let node = Arc::clone(node);
        tokio::task::spawn_blocking(move || write(&node, &files, format, most, give_up))
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
            warn!(error = &error as &dyn std::error::Error, "no snapshot");
            Ok(None)
        }
        Err(BackupError::Store(error)) => Err(error),
    }
}

/// Writes the chain as it is now, unless the files hold it already.
fn write(
    node: &Node,
    files: &SnapshotFiles,
    format: Format,
    max_backups: usize,
    give_up: impl Fn() -> bool,
) -> Result<Option<PathBuf>, BackupError> {
    let view = node.view()?;
    let tip = Tip::of(&view.last_block()?);
    let mut record = view.snapshot()?;
    drop(view);
    if record.tip == Some(*tip.hash.as_bytes())
        && format_of(files.chain()) == Some(format)
        && files.hash().exists()
    {
        return Ok(None);
    }
    let mut pages = Pages::up_to(node, tip.index);
    let mut unread = None;
    let outcome = files.write(Local::now(), |out| {
        let mut writer = ChainWriter::new(format, out, false)?;
        loop {
            if give_up() {
                return Err(std::io::Error::other(
                    "given up: it takes too long for a stop",
                ));
            }
            let page = pages.next().map_err(|error| {
                let text = error.to_string();
                unread = Some(error);
                std::io::Error::other(text)
            })?;
            if page.is_empty() {
                break;
            }
            for block in &page {
                writer.push(block)?;
            }
        }
        writer.finish().map(drop)
    });
    if let Some(error) = unread {
        return Err(error.into());
    }
    // What was there before the first snapshot is somebody else's.
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

/// The chain page by page, each from a view of its own: a snapshot can take long, and while a view
/// is open the database cannot reuse the space of any page that a commit replaces.
struct Pages<'a> {
    node: &'a Node,
    /// Index of the last block to read, should the chain still be that long.
    until: u64,
    /// The last block that was read.
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

    /// The next blocks; none after the last. A reorg above the last block read changes nothing for
    /// what was read, one below it is an error.
    fn next(&mut self) -> Result<Vec<Block>, StoreError> {
        let view = self.node.view()?;
        let next = match &self.last {
            Some(last) if view.index_of(&last.hash)? != Some(last.index) => {
                return Err(Rejection::StaleTip.into());
            }
            Some(last) => last.index + 1,
            None => 0,
        };
        let left = (self.until + 1).saturating_sub(next);
        let page = view.blocks(next, PAGE.at_most(left))?;
        if let Some(last) = page.last() {
            self.last = Some(Tip::of(last));
        }
        Ok(page)
    }
}

/// The format of a chain file, told by its start; none if it cannot be read.
fn format_of(chain: &Path) -> Option<Format> {
    let reader = ChainReader::new(open_regular(chain).ok()?);
    reader.ok().map(|reader| reader.format())
}

#[cfg(test)]
mod tests;
