//! Sorts rows of a fixed size, on disk if there are many.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rayon::slice::ParallelSliceMut;

/// Memory for rows that are not yet in a run, in bytes.
const BUFFER_BYTES: usize = 16 * 1024 * 1024;

/// Size of the piece of a run that is read at once, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// Collects rows of `N` bytes and returns them in ascending order. Rows beyond a fixed amount of
/// memory are kept in an unnamed file as sorted runs.
pub(super) struct Sorter<const N: usize> {
    folder: PathBuf,
    rows: Vec<[u8; N]>,
    /// Number of rows of a run.
    run_length: usize,
    spilled: Option<BufWriter<File>>,
    /// Number of runs in the file, all of the same length.
    runs: u64,
}

impl<const N: usize> Sorter<N> {
    /// Creates a sorter whose file is made in `folder` when it is needed.
    pub(super) fn new(folder: &Path) -> Self {
        Self::with_run_length(folder, BUFFER_BYTES / N)
    }

    fn with_run_length(folder: &Path, run_length: usize) -> Self {
        Self {
            folder: folder.to_owned(),
            rows: Vec::new(),
            run_length,
            spilled: None,
            runs: 0,
        }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, row: [u8; N]) -> io::Result<()> {
        if self.rows.len() == self.run_length {
            self.spill()?;
        }
        self.rows.push(row);
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        self.rows.par_sort_unstable();
        let file = if let Some(file) = &mut self.spilled {
            file
        } else {
            let file = tempfile::tempfile_in(&self.folder)?;
            self.spilled.insert(BufWriter::new(file))
        };
        file.write_all(self.rows.as_flattened())?;
        self.rows.clear();
        self.runs += 1;
        Ok(())
    }

    /// Passes all rows to `each`, in ascending order.
    pub(super) fn drain<E: From<io::Error>>(
        mut self,
        mut each: impl FnMut(&[u8; N]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.rows.par_sort_unstable();
        let file = match self.spilled {
            Some(file) => file.into_inner().map_err(io::IntoInnerError::into_error)?,
            None => return self.rows.iter().try_for_each(each),
        };
        let run_bytes = (self.run_length * N) as u64;
        let mut runs: Vec<Run<'_, N>> = (0..self.runs)
            .map(|nth| Run::of_file(&file, nth * run_bytes..(nth + 1) * run_bytes))
            .collect();
        runs.push(Run::of_rows(&self.rows));
        let mut next = BinaryHeap::with_capacity(runs.len());
        for (nth, run) in runs.iter_mut().enumerate() {
            next.extend(run.next()?.map(|row| Reverse((row, nth))));
        }
        while let Some(mut smallest) = next.peek_mut() {
            let Reverse((row, nth)) = *smallest;
            match runs[nth].next()? {
                Some(row) => *smallest = Reverse((row, nth)),
                None => drop(PeekMut::pop(smallest)),
            }
            each(&row)?;
        }
        Ok(())
    }
}

/// A sorted sequence of rows.
struct Run<'a, const N: usize> {
    /// The rows in memory, and the index of the next one.
    rows: Cow<'a, [[u8; N]]>,
    at: usize,
    /// The part of a file that is not in memory yet.
    rest: Option<(&'a File, Range<u64>)>,
}

impl<'a, const N: usize> Run<'a, N> {
    fn of_rows(rows: &'a [[u8; N]]) -> Self {
        Self {
            rows: rows.into(),
            at: 0,
            rest: None,
        }
    }

    fn of_file(file: &'a File, bytes: Range<u64>) -> Self {
        Self {
            rows: Vec::new().into(),
            at: 0,
            rest: Some((file, bytes)),
        }
    }

    fn next(&mut self) -> io::Result<Option<[u8; N]>> {
        if self.at == self.rows.len() {
            self.read()?;
        }
        let row = self.rows.get(self.at).copied();
        self.at += 1;
        Ok(row)
    }

    fn read(&mut self) -> io::Result<()> {
        let Some((file, bytes)) = &mut self.rest else {
            return Ok(());
        };
        let left = usize::try_from(bytes.end - bytes.start).unwrap_or(usize::MAX) / N;
        let rows = self.rows.to_mut();
        rows.resize(left.min(READ_BYTES / N), [0; N]);
        file.read_exact_at(rows.as_flattened_mut(), bytes.start)?;
        bytes.start += (rows.len() * N) as u64;
        self.at = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_in_order_from_memory_and_from_runs() {
        let folder = tempfile::tempdir().unwrap();
        for count in [0, 1, 99, 100, 101, 20_000_u32] {
            let mut sorter = Sorter::<4>::with_run_length(folder.path(), 100);
            for nth in 0..count {
                let row = nth.wrapping_mul(2_654_435_761) % 5000;
                sorter.push(row.to_be_bytes()).unwrap();
            }
            let mut expected: Vec<u32> = (0..count)
                .map(|nth| nth.wrapping_mul(2_654_435_761) % 5000)
                .collect();
            expected.sort_unstable();
            let mut rows = Vec::new();
            sorter
                .drain(|row| {
                    rows.push(u32::from_be_bytes(*row));
                    Ok::<_, io::Error>(())
                })
                .unwrap();
            assert_eq!(rows, expected);
        }
        assert_eq!(
            folder.path().read_dir().unwrap().count(),
            0,
            "no file has a name"
        );
    }

    #[test]
    fn the_first_error_ends_the_drain() {
        let folder = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::<1>::with_run_length(folder.path(), 2);
        for row in [3, 1, 2, 5, 4] {
            sorter.push([row]).unwrap();
        }
        let mut seen = Vec::new();
        let drained = sorter.drain(|row| {
            seen.push(row[0]);
            if row[0] == 3 {
                Err(io::Error::other("stop"))
            } else {
                Ok(())
            }
        });
        assert_eq!(drained.unwrap_err().to_string(), "stop");
        assert_eq!(seen, [1, 2, 3]);
    }
}
