//! Evidence folders: the old and the new branch, so that anybody can decide later which was first.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;

use super::MonitorError;
use super::checks::Verdict;
use super::event::{Event, Kind};
use super::folder::{EVIDENCE, Folder, TEMPORARY};
use crate::wire::NetworkStatus;

/// Number of folders from which on one of the same kind is replaced.
const MAX_FOLDERS: usize = 100;

/// Size of all folders from which on one of the same kind is replaced, in bytes.
const MAX_BYTES: u64 = 1 << 30;

/// The content of `event.json`.
#[derive(Serialize)]
pub(super) struct EventFile<'a> {
    #[serde(flatten)]
    pub(super) event: &'a Event,
    /// The rules by which the branches were checked.
    pub(super) network: &'a NetworkStatus,
    /// `true` if `new.ndjson` ends below the tip of the node.
    pub(super) truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) old: Option<Verdict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) new: Option<Verdict>,
}

/// Returns the name of a folder: time, kind and node, without characters that file systems refuse.
pub(super) fn name_of(folder: &Folder, time: &str, kind: Kind, node: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let node: String = node
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    let time = time.replace(':', "");
    let name = format!("{time}-{}-{node}", kind.name());
    let is_free = |name: &String| !folder.path(EVIDENCE).join(name).exists();
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    names.find(is_free).unwrap_or(name)
}

/// Writes an evidence folder. Returns its path.
pub(super) fn write(
    folder: &Folder,
    name: &str,
    kind: Kind,
    files: &[(&str, String)],
) -> Result<PathBuf, MonitorError> {
    let replaced = replaced(&folder.path(EVIDENCE), kind);
    folder.create_folder(name, files, replaced.as_deref())?;
    Ok(folder.path(EVIDENCE).join(name))
}

/// Returns the oldest folder of this kind, if there are too many folders.
fn replaced(evidence: &Path, kind: Kind) -> Option<PathBuf> {
    let (mut count, mut bytes, mut oldest) = (0, 0, None::<(SystemTime, PathBuf)>);
    for entry in fs::read_dir(evidence).ok()?.flatten() {
        let path = entry.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if name.starts_with(TEMPORARY) {
            continue;
        }
        count += 1;
        for file in fs::read_dir(&path).into_iter().flatten().flatten() {
            bytes += file.metadata().map_or(0, |metadata| metadata.len());
        }
        let is_same = name.contains(&format!("Z-{}-", kind.name()));
        let written = entry.metadata().and_then(|metadata| metadata.modified());
        let written = written.unwrap_or(SystemTime::UNIX_EPOCH);
        if is_same && oldest.as_ref().is_none_or(|(time, _)| written < *time) {
            oldest = Some((written, path));
        }
    }
    let is_full = count >= MAX_FOLDERS || bytes >= MAX_BYTES;
    oldest.filter(|_| is_full).map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_repeated_alarm_replaces_the_oldest_folder_of_its_kind() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path(), "0").unwrap();
        let write = |kind: Kind, nth: usize| {
            let time = format!("2026-11-28T10:00:{nth:02}Z");
            let name = name_of(&folder, &time, kind, "[::1]:1");
            super::write(&folder, &name, kind, &[("event.json", "{}".to_owned())]).unwrap()
        };
        let count = || fs::read_dir(folder.path(EVIDENCE)).unwrap().count();
        let first = write(Kind::Rewrite, 0);
        assert!(
            first.ends_with("2026-11-28T100000Z-rewrite-___1__1"),
            "{first:?}"
        );
        assert_ne!(
            write(Kind::Rewrite, 0),
            first,
            "a folder is never overwritten"
        );
        for nth in 2..MAX_FOLDERS {
            write(Kind::Rewrite, nth);
        }
        write(Kind::Contradiction, 0);
        assert_eq!(count(), MAX_FOLDERS + 1);
        assert!(first.exists(), "another kind replaces nothing");
        write(Kind::Rewrite, 99);
        assert_eq!(count(), MAX_FOLDERS + 1);
        assert!(!first.exists());
    }
}
