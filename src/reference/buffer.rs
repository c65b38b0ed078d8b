//! A window on the bytes of a source.

use std::io::{self, Read};

/// Minimum size of a read.
const STEP: usize = 64 * 1024;

/// A window on the bytes of a source. It grows on demand and moves forward.
#[derive(Debug)]
pub(super) struct Buffer<R> {
    source: R,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
    ended: bool,
}

impl<R: Read> Buffer<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            bytes: Vec::new(),
            start: 0,
            end: 0,
            offset: 0,
            ended: false,
        }
    }

    /// Returns the bytes fetched and not yet consumed.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Returns the offset in the source of the first byte of the window.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Moves the start of the window forward.
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Reads until the window has `count` bytes. Returns `false` if the source ends before. Memory
    /// grows with the bytes that arrive, not with `count`.
    pub(super) fn fetch(&mut self, count: usize) -> io::Result<bool> {
        while self.end - self.start < count && !self.ended {
            if self.start > 0 {
                self.bytes.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            if self.bytes.len() < self.end + STEP {
                self.bytes.resize(self.end * 2 + STEP, 0);
            }
            match self.source.read(&mut self.bytes[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end = self.bytes.len().min(self.end + read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.end - self.start >= count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_moves_over_the_whole_source() {
        let source: Vec<u8> = (0..=255).cycle().take(300_000).collect();
        let mut buffer = Buffer::new(&source[..]);
        let mut seen = Vec::new();
        while buffer.fetch(70_001).unwrap() {
            assert_eq!(buffer.offset(), seen.len() as u64);
            seen.extend_from_slice(&buffer.bytes()[..70_000]);
            buffer.consume(70_000);
        }
        seen.extend_from_slice(buffer.bytes());
        assert_eq!(seen, source);
        assert!(buffer.bytes.len() <= 4 * 70_000);
    }

    #[test]
    fn a_huge_count_on_a_short_source_allocates_no_memory() {
        let mut buffer = Buffer::new(&b"abc"[..]);
        assert!(!buffer.fetch(usize::MAX).unwrap());
        assert_eq!(buffer.bytes(), b"abc");
        assert!(buffer.bytes.len() <= 2 * STEP);
    }
}
