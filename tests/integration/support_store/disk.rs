//! A disk in memory: it outlives the database on it, fails when told to, and knows what a power
//! cut would leave.
//!
//! Whatever was written before the last sync is safe. Of what was written since, a power cut
//! keeps any part: each change whole, not at all, or only some of its sectors.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

use super::Dice;

/// A power cut can tear a write between two sectors, never inside one.
const SECTOR: usize = 512;

/// Which error the system reports.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Errno {
    /// `EIO`.
    InputOutput,
    /// `ENOSPC`.
    NoSpace,
}

/// When the disk fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// Number of the call that fails; writes, syncs and changes of length count.
    pub(crate) call: u64,
    /// Whether all calls after it fail, too.
    pub(crate) lasting: bool,
    pub(crate) errno: Errno,
}

/// A handle on a disk; all clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    /// What reads see.
    bytes: Vec<u8>,
    /// What was there at the last sync.
    safe: Vec<u8>,
    /// What has changed since.
    unsafe_changes: Vec<Change>,
    calls: u64,
    fault: Option<Fault>,
}

#[derive(Debug)]
enum Change {
    Length(usize),
    Write(usize, Vec<u8>),
}

impl Disk {
    /// A disk that holds this image.
    pub(crate) fn holding(image: Vec<u8>) -> Self {
        let content = Content {
            bytes: image.clone(),
            safe: image,
            ..Content::default()
        };
        Self(Arc::new(Mutex::new(content)))
    }

    /// A disk that fails; calls are counted from now on.
    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        let mut content = self.content();
        (content.calls, content.fault) = (0, fault);
    }

    /// Calls that could have failed since the fault was set.
    pub(crate) fn calls(&self) -> u64 {
        self.content().calls
    }

    /// What a kill of the process leaves: everything written.
    pub(crate) fn image(&self) -> Vec<u8> {
        self.content().bytes.clone()
    }

    /// What a power cut leaves.
    pub(crate) fn image_after_power_cut(&self, dice: &mut Dice) -> Vec<u8> {
        let content = self.content();
        let mut image = content.safe.clone();
        // Some cuts lose nearly everything, some nearly nothing.
        let kept = dice.below(101);
        for change in &content.unsafe_changes {
            match change {
                Change::Length(length) if dice.below(100) < kept => image.resize(*length, 0),
                Change::Write(at, bytes) if dice.below(100) < kept => put(&mut image, *at, bytes),
                Change::Write(at, bytes) if dice.below(2) == 0 => {
                    for (nth, sector) in bytes.chunks(SECTOR).enumerate() {
                        if dice.below(100) < kept {
                            put(&mut image, at + nth * SECTOR, sector);
                        }
                    }
                }
                Change::Length(_) | Change::Write(..) => {}
            }
        }
        image
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap()
    }
}

fn put(image: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[at..end].copy_from_slice(bytes);
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
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.content().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let content = self.content();
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
        content.bytes.resize(length, 0);
        content.unsafe_changes.push(Change::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut content = self.content();
        content.call()?;
        let changes = std::mem::take(&mut content.unsafe_changes);
        for change in changes {
            match change {
                Change::Length(length) => content.safe.resize(length, 0),
                Change::Write(at, bytes) => put(&mut content.safe, at, &bytes),
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let mut content = self.content();
        content.call()?;
        put(&mut content.bytes, at, data);
        content
            .unsafe_changes
            .push(Change::Write(at, data.to_vec()));
        Ok(())
    }
}
