//! A disk in memory that outlives the database on it, fails on request and simulates power cuts.
//!
//! Everything written before the last sync survives a power cut. Of each later change, all, nothing
//! or some sectors survive, in any order; a change of the file length can be lost separately.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use redb::StorageBackend;

use super::random::SeededRng;

/// A power cut can tear a write between two sectors, never inside one.
const SECTOR: usize = 512;

/// The error that the system reports.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Errno {
    /// `EIO`.
    InputOutput,
    /// `ENOSPC`.
    NoSpace,
}

/// A failing call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// Number of the call that fails.
    pub(crate) call: u64,
    /// `true` if all later calls fail as well.
    pub(crate) lasting: bool,
    pub(crate) errno: Errno,
}

/// Progress of the work on a disk, in steps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Steps that were acknowledged.
    pub(crate) acknowledged: usize,
    /// Steps that were asked for.
    pub(crate) submitted: usize,
}

/// An event on a disk, in order.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Change(Change),
    Sync,
    Progress(Progress),
}

#[derive(Clone, Debug)]
pub(crate) enum Change {
    Length(usize),
    Write(usize, Vec<u8>),
}

/// The synced content of a disk and the changes since the last sync.
#[derive(Clone, Debug, Default)]
pub(crate) struct Platter {
    safe: Vec<u8>,
    changes: Vec<Change>,
}

impl Platter {
    pub(crate) fn holding(image: Vec<u8>) -> Self {
        Self {
            safe: image,
            changes: Vec::new(),
        }
    }

    pub(crate) fn change(&mut self, change: Change) {
        self.changes.push(change);
    }

    pub(crate) fn sync(&mut self) {
        for change in std::mem::take(&mut self.changes) {
            change.make(&mut self.safe);
        }
    }

    /// Returns the content after a power cut.
    pub(crate) fn cut(&self, rng: &mut SeededRng) -> Vec<u8> {
        let mut image = self.safe.clone();
        // Some cuts lose nearly everything, some nearly nothing, some all but the last change.
        let kept = rng.below(101);
        let last_alone = rng.below(8) == 0;
        for (nth, change) in self.changes.iter().enumerate() {
            if last_alone {
                if nth + 1 == self.changes.len() {
                    change.make(&mut image);
                }
            } else if rng.below(100) < kept {
                change.make(&mut image);
            } else if let Change::Write(at, bytes) = change
                && rng.below(2) == 0
            {
                for (nth, sector) in bytes.chunks(SECTOR).enumerate() {
                    if rng.below(100) < kept {
                        put(&mut image, at + nth * SECTOR, sector);
                    }
                }
            }
        }
        if !self.changes.is_empty() && rng.below(6) == 0 {
            image.resize(self.safe.len(), 0);
        }
        image
    }
}

impl Change {
    fn make(&self, image: &mut Vec<u8>) {
        match self {
            Self::Length(length) => image.resize(*length, 0),
            Self::Write(at, bytes) => put(image, *at, bytes),
        }
    }
}

fn put(image: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[at..end].copy_from_slice(bytes);
}

/// A handle on a disk; all clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    content: Mutex<Content>,
    /// Wakes syncs when the disk no longer stalls.
    resumed: Condvar,
}

#[derive(Debug, Default)]
struct Content {
    /// Content that reads return.
    bytes: Vec<u8>,
    platter: Platter,
    calls: u64,
    fault: Option<Fault>,
    /// `true` while syncs are stalled.
    is_stalled: bool,
    progress: Progress,
    /// Events since recording was requested.
    log: Option<Vec<Event>>,
}

impl Disk {
    /// A disk that holds this image.
    pub(crate) fn holding(image: Vec<u8>) -> Self {
        let content = Content {
            bytes: image.clone(),
            platter: Platter::holding(image),
            ..Content::default()
        };
        Self(Arc::new(Shared {
            content: Mutex::new(content),
            resumed: Condvar::new(),
        }))
    }

    /// A disk that fails; calls are counted from now on.
    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        let mut content = self.content();
        (content.calls, content.fault) = (0, fault);
    }

    /// Lets every sync wait until the disk resumes.
    pub(crate) fn stall(&self) {
        self.content().is_stalled = true;
    }

    /// Ends a stall.
    pub(crate) fn resume(&self) {
        self.content().is_stalled = false;
        self.0.resumed.notify_all();
    }

    /// Calls since the fault was set; each of them could have failed.
    pub(crate) fn calls(&self) -> u64 {
        self.content().calls
    }

    /// Records the events from now on.
    pub(crate) fn record(&self) {
        self.content().log = Some(Vec::new());
    }

    /// Returns the events since [`Disk::record`].
    pub(crate) fn recorded(&self) -> Vec<Event> {
        self.content().log.take().unwrap_or_default()
    }

    /// Records the progress of the work.
    pub(crate) fn note(&self, note: impl FnOnce(&mut Progress)) {
        let mut content = self.content();
        note(&mut content.progress);
        let event = Event::Progress(content.progress);
        content.tell(event);
    }

    pub(crate) fn progress(&self) -> Progress {
        self.content().progress
    }

    /// Returns the content after a kill of the process: everything written.
    pub(crate) fn image(&self) -> Vec<u8> {
        self.content().bytes.clone()
    }

    /// Returns the content after a power cut.
    pub(crate) fn image_after_power_cut(&self, rng: &mut SeededRng) -> Vec<u8> {
        self.content().platter.cut(rng)
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.content.lock().unwrap()
    }
}

impl Content {
    fn call(&mut self) -> io::Result<()> {
        let call = self.calls;
        self.calls += 1;
        match self.fault {
            Some(fault) if call == fault.call || (fault.lasting && call > fault.call) => {
                Err(match fault.errno {
                    Errno::InputOutput => io::Error::from_raw_os_error(5),
                    Errno::NoSpace => io::ErrorKind::StorageFull.into(),
                })
            }
            _ => Ok(()),
        }
    }

    fn tell(&mut self, event: Event) {
        if let Some(log) = &mut self.log {
            log.push(event);
        }
    }

    fn change(&mut self, change: Change) {
        change.make(&mut self.bytes);
        if self.log.is_some() {
            self.tell(Event::Change(change.clone()));
        }
        self.platter.change(change);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        let mut content = self.content();
        content.call()?;
        Ok(content.bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let mut content = self.content();
        content.call()?;
        let bytes = content
            .bytes
            .get(at..)
            .and_then(|from| from.get(..out.len()));
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let length = usize::try_from(len).map_err(io::Error::other)?;
        let mut content = self.content();
        content.call()?;
        content.change(Change::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let stalled = |content: &mut Content| content.is_stalled;
        let content = self.0.resumed.wait_while(self.content(), stalled);
        let mut content = content.unwrap();
        content.call()?;
        content.tell(Event::Sync);
        content.platter.sync();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let mut content = self.content();
        content.call()?;
        content.change(Change::Write(at, data.to_vec()));
        Ok(())
    }
}
