//! `miner.log`, rotated by size; `miner.log.1` is the newest old file.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::cli::error::Error;
use crate::fs::{append_to_own, check_own};

/// Size at which the file is rotated, in bytes.
const FILE_BYTES: u64 = 1024 * 1024;

/// Number of old files kept.
const OLD_FILES: u32 = 3;

/// An open log file.
pub(super) struct RotatedFile {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl RotatedFile {
    /// Opens the file to append to it.
    ///
    /// # Errors
    /// If it or an old file is not a regular file, or if it cannot be opened.
    pub(super) fn open(path: PathBuf) -> Result<Self, Error> {
        for number in 1..=OLD_FILES {
            let old = numbered(&path, number);
            check_own(&old).map_err(|source| Error::file(&old, source))?;
        }
        let opened = append_to_own(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
        match opened {
            Ok((bytes, file)) => Ok(Self { path, file, bytes }),
            Err(source) => Err(Error::file(&path, source)),
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        // If opening failed the last time, the old files are renamed already.
        let is_renamed = !fs::exists(&self.path)?;
        for number in (0..OLD_FILES).rev().filter(|_| !is_renamed) {
            let renamed = fs::rename(
                numbered(&self.path, number),
                numbered(&self.path, number + 1),
            );
            match renamed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.file = append_to_own(&self.path)?;
        self.bytes = 0;
        Ok(())
    }
}

impl Write for RotatedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes >= FILE_BYTES {
            // A failure drops the line, which the log reports, but the file stays bounded.
            self.rotate()?;
        }
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    if number > 0 {
        name.push(format!(".{number}"));
    }
    name.into()
}
