//! The file with the SHA-256 of another: `NAME.hash` beside `NAME.chain`, as reference miners keep
//! it, and `FILE.sha256` as `sha256sum` writes it beside every other file. So no two files share
//! one.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::fs::read_regular;

/// Longest file that is looked at.
const MAX_BYTES: u64 = 16 * 1024;

/// Where the SHA-256 of a file stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestFile {
    path: PathBuf,
    /// Name of the file that it belongs to; none where only the digest is kept.
    name: Option<OsString>,
}

impl DigestFile {
    /// The digest file that belongs to a file. None if that is itself named as one.
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

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds for a digest in hexadecimal digits.
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

    /// The digest that is written there, in lower case; none if there is no such file.
    ///
    /// # Errors
    /// If there is something that cannot be read.
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
        // A file that was renamed has only the entry of its old name.
        let (digest, _) = named.unwrap_or(first);
        String::from_utf8_lossy(digest).to_ascii_lowercase()
    }
}

/// A name as `sha256sum` writes it.
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
    fn what_is_written_is_read_back() {
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
