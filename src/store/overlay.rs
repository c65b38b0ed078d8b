//! Copy-on-write access to the file of a stopped node.
//!
//! The engine writes when it opens a file, and even more when it repairs one that was not closed.
//! This backend keeps those writes in memory, over the content of the file, so that the file does
//! not change and read-only media can be read.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};

/// Unit of the overlay in bytes: a page of the engine.
const ENGINE_PAGE: usize = 4096;
const ENGINE_PAGE_BYTES: u64 = ENGINE_PAGE as u64;

/// A file whose writes are kept in memory.
#[derive(Debug)]
pub(crate) struct Overlay {
    file: FileBackend,
    lock: Lock,
    state: RwLock<OverlayState>,
}

/// Lock that a reader holds on the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Excludes nodes, but not other readers.
    Shared,
    /// Excludes all other processes; the file must be open for writing.
    Exclusive,
}

#[derive(Debug)]
struct OverlayState {
    /// Changed pages, by page number.
    pages: BTreeMap<u64, Box<[u8]>>,
    /// Length as seen by the engine, in bytes.
    length: u64,
    /// Length of the part of the file that is still visible; bytes beyond it read as zero.
    visible_file_bytes: u64,
}

impl Overlay {
    pub(crate) fn new(file: File, lock: Lock) -> Result<Self, DatabaseError> {
        let file = FileBackend::new(file)?;
        let length = file.len()?;
        Ok(Self {
            file,
            lock,
            state: RwLock::new(OverlayState {
                pages: BTreeMap::new(),
                length,
                visible_file_bytes: length,
            }),
        })
    }

    // No panic can leave a page half written, so a poisoned lock holds valid data.
    fn state(&self) -> RwLockReadGuard<'_, OverlayState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, OverlayState> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the visible part of the file, and zeros beyond it.
    fn read_file(&self, visible_file_bytes: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (held, beyond) = out.split_at_mut(length_within(offset, out.len(), visible_file_bytes));
        beyond.fill(0);
        if held.is_empty() {
            return Ok(());
        }
        self.file.read(offset, held)
    }
}

/// Returns the number of bytes below `end` in the range of `length` bytes at `offset`.
fn length_within(offset: u64, length: usize, end: u64) -> usize {
    usize::try_from(end.saturating_sub(offset)).map_or(length, |below| below.min(length))
}

/// Returns the offset within its page.
fn within_page(offset: u64) -> usize {
    usize::try_from(offset % ENGINE_PAGE_BYTES).expect("a page is small")
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let end = offset.saturating_add(out.len() as u64);
        if end > state.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read_file(state.visible_file_bytes, offset, out)?;
        for (number, page) in state
            .pages
            .range(offset / ENGINE_PAGE_BYTES..end.div_ceil(ENGINE_PAGE_BYTES))
        {
            let begin = number * ENGINE_PAGE_BYTES;
            let (from, to) = (begin.max(offset), (begin + ENGINE_PAGE_BYTES).min(end));
            let length = usize::try_from(to - from).expect("a page is small");
            let into = usize::try_from(from - offset).expect("it is within the buffer");
            let page = &page[within_page(from)..][..length];
            out[into..][..length].copy_from_slice(page);
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let state = &mut *self.state_mut();
        state.pages.split_off(&length.div_ceil(ENGINE_PAGE_BYTES));
        if let Some(last) = state.pages.get_mut(&(length / ENGINE_PAGE_BYTES)) {
            last[within_page(length)..].fill(0);
        }
        state.length = length;
        state.visible_file_bytes = state.visible_file_bytes.min(length);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, mut data: &[u8]) -> io::Result<()> {
        let state = &mut *self.state_mut();
        let mut at = offset;
        while !data.is_empty() {
            let number = at / ENGINE_PAGE_BYTES;
            let begin = within_page(at);
            let (now, later) = data.split_at(data.len().min(ENGINE_PAGE - begin));
            let page = match state.pages.entry(number) {
                Entry::Occupied(page) => page.into_mut(),
                Entry::Vacant(entry) => {
                    let mut page = vec![0; ENGINE_PAGE].into_boxed_slice();
                    self.read_file(
                        state.visible_file_bytes,
                        number * ENGINE_PAGE_BYTES,
                        &mut page,
                    )?;
                    entry.insert(page)
                }
            };
            page[begin..][..now.len()].copy_from_slice(now);
            at += now.len() as u64;
            data = later;
        }
        state.length = state.length.max(at);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        match self.lock {
            Lock::Shared => self.file.try_lock_shared_range(start, end),
            Lock::Exclusive => self.file.try_lock_range(start, end),
        }
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Returns an overlay over a file with this content.
    fn over(content: &[u8]) -> Overlay {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        Overlay::new(file, Lock::Exclusive).unwrap()
    }

    fn read(overlay: &Overlay, offset: u64, length: usize) -> Vec<u8> {
        let mut out = vec![9; length];
        overlay.read(offset, &mut out).unwrap();
        out
    }

    #[test]
    fn writes_are_visible_and_do_not_change_the_file() {
        let content: Vec<u8> = (0..3 * 4096_u32).map(|n| n.to_le_bytes()[1]).collect();
        let overlay = over(&content);
        let mut expected = content.clone();
        for (offset, length) in [(0, 9), (4090, 20), (4096, 4096), (5000, 6000)] {
            overlay.write(offset as u64, &vec![0xA5; length]).unwrap();
            expected[offset..][..length].fill(0xA5);
            for (from, count) in [(0, expected.len()), (4000, 200), (11_000, 1), (8192, 4096)] {
                assert_eq!(
                    read(&overlay, from as u64, count),
                    expected[from..][..count]
                );
            }
        }
        let mut file = vec![0; content.len()];
        overlay.file.read(0, &mut file).unwrap();
        assert_eq!(file, content);
        assert!(overlay.read(1, &mut file).is_err(), "it has no more bytes");
    }

    #[test]
    fn a_truncated_range_reads_as_zero_when_the_file_grows_again() {
        let overlay = over(&[1; 8192]);
        overlay.write(4096, &[2; 4096]).unwrap();
        overlay.set_len(5000).unwrap();
        overlay.set_len(12_000).unwrap();
        assert_eq!(overlay.len().unwrap(), 12_000);
        let expected = [vec![1; 4096], vec![2; 904], vec![0; 7000]].concat();
        assert_eq!(read(&overlay, 0, 12_000), expected);
        overlay.set_len(100).unwrap();
        overlay.set_len(4096).unwrap();
        assert_eq!(
            read(&overlay, 0, 4096),
            [vec![1; 100], vec![0; 3996]].concat()
        );
    }
}
