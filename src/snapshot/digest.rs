//! Digest files, which contain the SHA-256 of another file: `NAME.hash` for `NAME.chain`, as
//! reference miners write it, and `FILE.sha256` in the format of `sha256sum` for every other `FILE`.
//! No two files share a digest file.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::fs::read_regular;

/// Maximum length of a digest file.
const MAX_BYTES: u64 = 16 * 1024;

/// The digest file of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestFile {
    path: PathBuf,
    /// Name of the file whose digest it contains; `None` if the format has no name.
    name: Option<OsString>,
}

impl DigestFile {
    /// Returns the digest file of `file`; `None` if `file` is itself named like a digest file.
    pub fn of(file: &Path) -> Option<Self> {
        let ending = file.extension().unwrap_or_default();
        if ending == "hash" || ending == "sha256" {
            return None;
        }
        if ending == "chain" {
            let path = file.with_extension("hash");
            return Some(Self { path, name: None });
        }
        let mut path = file.as_os_str().to_owned();
        path.push(".sha256");
        Some(Self {
            path: path.into(),
            name: Some(file.file_name().unwrap_or_default().to_owned()),
        })
    }

    /// Returns the path of the digest file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the content of the digest file for a digest in hex.
    pub fn content(&self, digest: &str) -> Vec<u8> {
        let Some(name) = &self.name else {
            return digest.as_bytes().to_vec();
        };
        let escaped = escape(name);
        // A line that begins with a backslash has an escaped name.
        let mark = if escaped == name.as_bytes() { "" } else { "\\" };
        let begin = format!("{mark}{digest}  ");
        [begin.as_bytes(), &escaped, b"\n"].concat()
    }

    /// Reads the digest, in lower case; `None` if the digest file does not exist.
    ///
    /// # Errors
    /// If the digest file cannot be read.
    pub fn read(&self) -> io::Result<Option<String>> {
        match read_regular(&self.path, MAX_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            content => Ok(Some(self.digest_in(&content?))),
        }
    }

    fn digest_in(&self, content: &[u8]) -> String {
        let lines = content.split(|byte| *byte == b'\n');
        let mut entries = lines.map(|line| {
            let line = line.strip_prefix(b"\\").unwrap_or(line).trim_ascii_end();
            let end = line.iter().position(|byte| *byte == b' ');
            let (digest, name) = line.split_at(end.unwrap_or(line.len()));
            (digest, name.get(2..).unwrap_or_default())
        });
        let first = entries.clone().next().unwrap_or_default();
        let wanted = self.name.as_deref().map(escape);
        let named = entries.find(|(_, name)| wanted.as_deref() == Some(name));
        // After a file is renamed, only its old name has an entry.
        let (digest, _) = named.unwrap_or(first);
        String::from_utf8_lossy(digest).to_ascii_lowercase()
    }
}

/// Escapes a name like `sha256sum`.
fn escape(name: &OsStr) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(name.len());
    for byte in name.as_bytes() {
        match byte {
            b'\\' => escaped.extend(b"\\\\"),
            b'\n' => escaped.extend(b"\\n"),
            b'\r' => escaped.extend(b"\\r"),
            byte => escaped.push(*byte),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn no_two_files_share_a_digest_file() {
        let path = |file: &str| DigestFile::of(Path::new(file)).map(|of| of.path);
        for (file, digest) in [
            ("x/node.chain", "x/node.hash"),
            ("x/node.json", "x/node.json.sha256"),
            ("b.2026-11-28", "b.2026-11-28.sha256"),
            ("b.2026-11-29", "b.2026-11-29.sha256"),
            ("plain", "plain.sha256"),
        ] {
            assert_eq!(path(file), Some(digest.into()));
        }
        assert_eq!(path("x.hash"), None);
        assert_eq!(path("x.json.sha256"), None);
    }

    #[test]
    fn a_written_digest_reads_back() {
        for file in ["a.chain", "a.json", "a b.json", "a\nb\\c.json", "\r"] {
            let of = DigestFile::of(Path::new(file)).unwrap();
            let content = of.content(DIGEST);
            assert_eq!(of.digest_in(&content), DIGEST, "{file:?}");
            assert_eq!(content.contains(&b'\n'), file != "a.chain");
        }
        let of = DigestFile::of(Path::new("b.bin")).unwrap();
        let other = "0".repeat(64);
        let both = format!("{other} *a.bin\n{} *b.bin\n", DIGEST.to_uppercase());
        assert_eq!(of.digest_in(both.as_bytes()), DIGEST);
        assert_eq!(of.digest_in(&both.as_bytes()[..70]), other);
        assert_eq!(of.digest_in(b""), "");
    }
}
