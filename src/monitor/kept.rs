//! `kept.txt`: a trust file of settled checkpoints.

use std::fmt::Write;

use super::event::rfc3339;
use crate::proofs::Checkpoint;
use crate::proofs::checkpoint::MAX_TRUST_LINES;

/// Minimum time between two lines, in seconds.
const INTERVAL: u64 = 60;

/// Maximum number of lines, well below what readers of a trust file accept.
const MAX_LINES: usize = MAX_TRUST_LINES - 1000;

/// The lines of the file.
#[derive(Debug, Default)]
pub(super) struct Kept {
    lines: Vec<String>,
    /// Time of the last line.
    last: Option<u64>,
}

impl Kept {
    pub(super) fn read(text: &str) -> Self {
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let comment = lines.iter().rev().find_map(|line| line.strip_prefix("# "));
        let last = comment.and_then(|comment| super::event::parse_time(comment.split(' ').next()?));
        Self { lines, last }
    }

    /// Returns `true` if the last line is old enough for another one.
    pub(super) fn is_due(&self, now: u64) -> bool {
        self.last
            .is_none_or(|last| now >= last + INTERVAL || now < last)
    }

    /// Adds a checkpoint, unless it is the last one.
    pub(super) fn push(&mut self, checkpoint: &Checkpoint, node: &str, now: u64) -> bool {
        let line = checkpoint.to_string();
        if self.lines.last() == Some(&line) {
            return false;
        }
        if self.lines.len() + 2 > MAX_LINES {
            self.thin();
        }
        self.lines.push(format!("# {} {node}", rfc3339(now)));
        self.lines.push(line);
        self.last = Some(now);
        true
    }

    /// Returns the checkpoints, lowest first.
    pub(super) fn checkpoints(&self) -> Vec<Checkpoint> {
        self.lines
            .iter()
            .filter_map(|line| line.parse().ok())
            .collect()
    }

    /// Turns the checkpoints from this index on into comments: they contradict an accepted branch.
    pub(super) fn replace_from(&mut self, index: u64, now: u64) {
        let time = rfc3339(now);
        for line in &mut self.lines {
            if line
                .parse()
                .is_ok_and(|kept: Checkpoint| kept.index >= index)
            {
                *line = format!("# replaced {time}: {line}");
            }
        }
    }

    /// Drops every second checkpoint of the older half, but never the first one, so that old times
    /// stay covered ever more thinly.
    fn thin(&mut self) {
        let half = self.lines.len() / 2;
        let (mut kept, mut checkpoints) = (Vec::with_capacity(self.lines.len()), 0);
        let mut comments = Vec::new();
        for (at, line) in std::mem::take(&mut self.lines).into_iter().enumerate() {
            if line.starts_with('#') && at < half {
                comments.push(line);
                continue;
            }
            checkpoints += 1;
            if at >= half || checkpoints % 2 == 1 {
                kept.append(&mut comments);
                kept.push(line);
            }
            comments.clear();
        }
        self.lines = kept;
    }
}

impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.lines.iter().try_for_each(|line| {
            f.write_str(line)?;
            f.write_char('\n')
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::BlockHash;
    use crate::proofs::checkpoint::read_trust_file;

    fn checkpoint(index: u64) -> Checkpoint {
        Checkpoint {
            genesis: BlockHash::from_bytes([1; 32]),
            index,
            hash: BlockHash::from_bytes([2; 32]),
            root: [3; 32],
        }
    }

    #[test]
    fn the_file_stays_a_trust_file_and_keeps_its_first_line() {
        let mut kept = Kept::default();
        for index in 0..20_000 {
            assert!(kept.is_due(index * INTERVAL));
            assert!(kept.push(&checkpoint(index), "a:1", index * INTERVAL));
            assert!(!kept.is_due(index * INTERVAL + 59));
        }
        let text = kept.to_string();
        assert!(text.lines().count() <= MAX_LINES);
        let lines = read_trust_file(&text).unwrap();
        assert_eq!(lines[0].1.index, 0);
        assert_eq!(lines.last().unwrap().1.index, 19_999);
        assert!(lines.len() > MAX_LINES / 4);
        let mut read = Kept::read(&text);
        assert_eq!(read.to_string(), text);
        assert!(!read.is_due(19_999 * INTERVAL + 1));
        assert!(!read.push(&checkpoint(19_999), "a:1", u64::MAX / 2));
    }

    #[test]
    fn replaced_checkpoints_stay_as_comments() {
        let mut kept = Kept::default();
        for index in 0..4 {
            kept.push(&checkpoint(index), "a:1", 0);
        }
        kept.replace_from(2, 60);
        assert_eq!(read_trust_file(&kept.to_string()).unwrap().len(), 2);
        assert_eq!(kept.to_string().lines().count(), 8);
    }
}
