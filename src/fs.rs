//! Safe file operations: opening regular files only, replacing files atomically, and syncing.

use std::ffi::OsString;
use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use tempfile::NamedTempFile;

/// Maximum number of files and folders that are synced one by one. A sync takes milliseconds, and
/// that of a whole file system about as long as some of them.
#[cfg(target_os = "linux")]
const MAX_SINGLE_SYNCS: usize = 16;

/// Returns the folder that contains `path`; `.` if the path has a name only.
pub fn folder_of(path: &Path) -> &Path {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Syncs the entries of a folder to the disk.
///
/// # Errors
/// If the folder cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Syncs the content of files and the entries of folders to the disk.
///
/// # Errors
/// If one cannot be opened or synced.
pub fn sync_all(paths: &[&Path]) -> io::Result<()> {
    // Only Linux can sync a file system and report its errors.
    #[cfg(target_os = "linux")]
    if paths.len() > MAX_SINGLE_SYNCS {
        return sync_file_systems(paths);
    }
    paths
        .iter()
        .try_for_each(|path| File::open(path)?.sync_all())
}

/// Syncs each file system that contains one of the paths, once.
#[cfg(target_os = "linux")]
fn sync_file_systems(paths: &[&Path]) -> io::Result<()> {
    use std::collections::HashSet;
    use std::os::unix::fs::MetadataExt;

    let mut synced = HashSet::new();
    for path in paths {
        let file = File::open(path)?;
        if synced.insert(file.metadata()?.dev()) {
            rustix::fs::syncfs(file)?;
        }
    }
    Ok(())
}

/// Creates a hard link `to` a file, or a copy on a file system without hard links.
///
/// # Errors
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if `to` exists; otherwise those of the operating
/// system.
pub fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            let mut source = File::open(from)?;
            let mut copy = File::create_new(to)?;
            let copied = io::copy(&mut source, &mut copy).and_then(|_| copy.sync_all());
            if copied.is_err() {
                // An incomplete copy must not remain under the final name.
                let _ = fs::remove_file(to);
            }
            copied
        }
        linked => linked,
    }
}

/// Syncs a temporary file to the disk and renames it to `path`. The folder is not synced.
///
/// # Errors
/// Those of the operating system.
pub fn persist(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Returns the prefix of the names of temporary files for `file`. Files that a killed process leaves
/// behind are removed at the next start.
pub fn temporary_prefix(file: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(file.file_stem().unwrap_or_default());
    prefix.push(".tmp-");
    prefix
}

/// Opens a regular file for reading. Symbolic links are followed. Other types, such as a FIFO that
/// would block or an endless device, are rejected.
///
/// # Errors
/// If the file is of another type, or cannot be opened.
pub fn open_regular(path: &Path) -> io::Result<File> {
    check(fs::metadata(path)?.file_type())?;
    open(OpenOptions::new().read(true), OFlags::NONBLOCK, path)
}

/// Reads a small regular file.
///
/// # Errors
/// Those of [`open_regular`], or if the file has more than `limit` bytes.
pub fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let file = open_regular(path)?;
    file.take(limit + 1).read_to_end(&mut content)?;
    if content.len() as u64 > limit {
        return Err(io::Error::other(format!(
            "the file has more than {limit} bytes"
        )));
    }
    Ok(content)
}

/// Opens a file for appending, and creates it if it does not exist. Symbolic links are not followed.
///
/// # Errors
/// If the file is not a regular file, or cannot be opened.
pub fn append_to_own(path: &Path) -> io::Result<File> {
    check_own(path)?;
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    open(OpenOptions::new().append(true).create(true), flags, path)
}

/// Checks that `path` does not exist or is a regular file and not a symbolic link, so that a file
/// written by this program is not redirected elsewhere.
///
/// # Errors
/// If `path` is of another type, which the error names.
pub fn check_own(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) => check(found.file_type()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Opens a file and checks its type again, because the name may have been replaced since the first
/// check.
fn open(options: &mut OpenOptions, flags: OFlags, path: &Path) -> io::Result<File> {
    let file = options
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    check(file.metadata()?.file_type())?;
    Ok(file)
}

fn check(found: FileType) -> io::Result<()> {
    if found.is_file() {
        return Ok(());
    }
    let kind = if found.is_symlink() {
        "a symbolic link"
    } else if found.is_dir() {
        "a folder"
    } else if found.is_fifo() {
        "a FIFO"
    } else if found.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(io::Error::other(format!("not a regular file but {kind}")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_regular_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "text").unwrap();
        symlink(path("file"), path("link")).unwrap();
        symlink(path("nowhere"), path("dangling")).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();

        assert!(open_regular(&path("file")).is_ok());
        assert!(open_regular(&path("link")).is_ok());
        assert!(append_to_own(&path("file")).is_ok());
        assert!(append_to_own(&path("new")).is_ok());
        for (name, kind) in [
            ("link", "a symbolic link"),
            ("dangling", "a symbolic link"),
            ("socket", "a socket"),
            ("", "a folder"),
        ] {
            let error = append_to_own(&path(name)).unwrap_err().to_string();
            assert!(error.contains(kind), "{name}: {error}");
        }
        let device = open_regular(Path::new("/dev/zero")).unwrap_err();
        assert!(device.to_string().contains("a device"), "{device}");
        assert!(!path("nowhere").exists());
    }
}
