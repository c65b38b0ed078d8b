//! Files opened and replaced with care: only regular files, whole or not at all, and on the disk.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// The folder that a file is in.
pub fn folder_of(path: &Path) -> &Path {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Forces the names in a folder to the disk.
///
/// # Errors
/// If the folder cannot be opened or the disk refuses.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Gives a file a second name, which must be free; a copy where the file system has no links.
///
/// # Errors
/// `AlreadyExists` if the name is taken, or what the system says.
pub fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            let mut source = File::open(from)?;
            let mut copy = File::create_new(to)?;
            let copied = io::copy(&mut source, &mut copy).and_then(|_| copy.sync_all());
            if copied.is_err() {
                // A part of it must not stand under the name of the whole.
                let _ = fs::remove_file(to);
            }
            copied
        }
        linked => linked,
    }
}

/// Opens a regular file to read it. A link is followed; a FIFO is not waited at, and an endless
/// device not read.
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
/// As [`open_regular`], or if the file has more than `most` bytes.
pub fn read_regular(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let file = open_regular(path)?;
    file.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Err(io::Error::other(format!("it has more than {most} bytes")));
    }
    Ok(content)
}

/// Opens a file to append to it, made if it is missing. Links are not followed.
///
/// # Errors
/// If the file is not a regular one, or cannot be opened.
pub fn append_to_own(path: &Path) -> io::Result<File> {
    check_own(path)?;
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    open(OpenOptions::new().append(true).create(true), flags, path)
}

/// Checks that a name is free or that of a regular file, not of a link. What a program keeps in a
/// folder of its own must not lead elsewhere.
///
/// # Errors
/// If there is anything else, which the error names.
pub fn check_own(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) => check(found.file_type()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Opens a file and checks what was opened: the name may have changed hands meanwhile.
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
    Err(io::Error::other(format!(
        "it is {kind}, not a regular file"
    )))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_regular_files_are_opened_and_the_rest_is_named() {
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
