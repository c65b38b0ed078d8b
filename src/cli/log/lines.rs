//! A queue of lines that a separate thread writes, so that logging does not block on the reader.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::warn;
use tracing_subscriber::fmt::MakeWriter;

use crate::text::escape_json;

/// Maximum number of queued bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// Timeouts for a reader that does not read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    /// Maximum time until the next line is written, when the queue is full.
    pub(super) full: Duration,
    /// Maximum time until the next line is written, in a flush.
    pub(super) stall: Duration,
    /// Maximum time of a flush.
    pub(super) end: Duration,
}

/// A queue of lines and the thread that writes them. When the queue is full, lines are dropped and
/// counted; the count is logged when there is room again.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

struct Shared {
    /// Name of the destination in messages.
    name: &'static str,
    queue: Mutex<Queue>,
    changed: Condvar,
}

struct Queue {
    lines: VecDeque<Vec<u8>>,
    /// Bytes of all lines that are not written yet, including the one in flight.
    bytes: usize,
    /// Number of lines that the thread has written or failed to write.
    handled: u64,
    /// Lines dropped since the last log of their count.
    dropped: u64,
    /// A timeout has passed, and no line was written since.
    is_stalled: bool,
    timeouts: Timeouts,
}

impl Lines {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(super) fn to(
        writer: impl Write + Send + 'static,
        name: &'static str,
        timeouts: Timeouts,
    ) -> io::Result<Self> {
        let lines = Self(Arc::new(Shared {
            name,
            queue: Mutex::new(Queue {
                lines: VecDeque::new(),
                bytes: 0,
                handled: 0,
                dropped: 0,
                is_stalled: false,
                timeouts,
            }),
            changed: Condvar::new(),
        }));
        let shared = Arc::clone(&lines.0);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || shared.write_to(writer))?;
        Ok(lines)
    }

    /// Replaces the timeouts.
    pub(super) fn set_timeouts(&self, timeouts: Timeouts) {
        self.0.lock().timeouts = timeouts;
    }

    /// Queues a line.
    pub(super) fn push(&self, line: Vec<u8>) {
        let shared = &self.0;
        let mut queue = shared.lock();
        while queue.bytes > 0 && queue.bytes + line.len() > MAX_BYTES {
            let timeout = queue.timeouts.full;
            queue = shared.wait_for_progress(queue, timeout);
            if queue.is_stalled {
                queue.dropped += 1;
                return;
            }
        }
        queue.bytes += line.len();
        queue.lines.push_back(line);
        shared.changed.notify_all();
    }

    /// Waits until everything is written, within the timeouts. Returns the number of lines lost.
    pub(super) fn flush(&self) -> u64 {
        let shared = &self.0;
        let begin = Instant::now();
        let mut queue = shared.lock();
        // The reader may be reading again.
        queue.is_stalled = false;
        while queue.bytes > 0 && !queue.is_stalled {
            let left = queue.timeouts.end.saturating_sub(begin.elapsed());
            let stall = queue.timeouts.stall.min(left);
            queue = shared.wait_for_progress(queue, stall);
        }
        queue.dropped + queue.lines.len() as u64
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No code under the lock panics.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the thread has handled a line. Sets `is_stalled` after `timeout`.
    fn wait_for_progress<'a>(
        &self,
        mut queue: MutexGuard<'a, Queue>,
        timeout: Duration,
    ) -> MutexGuard<'a, Queue> {
        let before = queue.handled;
        let begin = Instant::now();
        while queue.handled == before && !queue.is_stalled {
            let left = timeout.saturating_sub(begin.elapsed());
            if left.is_zero() {
                queue.is_stalled = true;
                break;
            }
            let waited = self.changed.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        queue
    }

    fn write_to(&self, mut writer: impl Write) {
        let mut queue = self.lock();
        loop {
            let Some(line) = queue.lines.pop_front() else {
                let changed = self.changed.wait(queue);
                queue = changed.unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(queue);
            let written = writer.write_all(&line).and_then(|()| writer.flush());
            queue = self.lock();
            queue.bytes -= line.len();
            queue.handled += 1;
            queue.is_stalled = false;
            if written.is_err() {
                queue.dropped += 1;
            }
            self.changed.notify_all();
            // Waiting for half a queue of room keeps these lines few and ensures that they fit.
            if written.is_ok() && queue.dropped > 0 && queue.bytes < MAX_BYTES / 2 {
                let dropped = std::mem::take(&mut queue.dropped);
                drop(queue);
                warn!(dropped, to = self.name, "log lines were dropped");
                queue = self.lock();
            }
        }
    }
}

/// The line of one event, queued when it is dropped.
pub(super) struct Line {
    lines: Lines,
    text: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() {
            // Texts are escaped before, but JSON only as far as JSON demands it.
            let text = escape_json(&String::from_utf8_lossy(&text)).into_owned();
            self.lines.push(text.into_bytes());
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            lines: self.clone(),
            text: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    const NO_WAIT: Timeouts = Timeouts {
        full: Duration::ZERO,
        stall: Duration::ZERO,
        end: Duration::ZERO,
    };
    const ONE_MINUTE: Timeouts = Timeouts {
        full: Duration::from_secs(60),
        stall: Duration::from_secs(60),
        end: Duration::from_secs(60),
    };

    /// A writer that waits until each line is received.
    struct Pipe(SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let sent = self.0.send(bytes.to_owned());
            sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(timeouts: Timeouts) -> (Lines, Receiver<Vec<u8>>) {
        let (sender, receiver) = sync_channel(0);
        let lines = Lines::to(Pipe(sender), "a pipe", timeouts).unwrap();
        (lines, receiver)
    }

    fn line(number: usize) -> Vec<u8> {
        let mut line = vec![b'x'; 1024];
        line[..8].copy_from_slice(format!("{number:08}").as_bytes());
        line
    }

    #[test]
    fn a_full_queue_drops_lines_and_counts_them() {
        let (lines, reader) = lines(NO_WAIT);
        for number in 0..2000 {
            lines.push(line(number));
        }
        // The lines that do not fit are dropped, and the queued ones are not written.
        assert_eq!(lines.0.lock().dropped, 2000 - 1024);
        assert!(lines.flush() >= 2000 - 1024);
        lines.set_timeouts(ONE_MINUTE);
        let reading = thread::spawn(move || {
            let first: Vec<_> = reader.iter().take(1024).collect();
            (first, reader)
        });
        lines.flush();
        let (read, _reader) = reading.join().unwrap();
        assert!(read.into_iter().eq((0..1024).map(line)));
        assert_eq!(lines.0.lock().dropped, 0, "it is logged");
    }

    #[test]
    fn a_slow_reader_gets_every_line_within_the_timeouts() {
        let (lines, reader) = lines(ONE_MINUTE);
        let reading = thread::spawn(move || reader.iter().take(3000).collect::<Vec<_>>());
        for number in 0..3000 {
            lines.push(line(number));
        }
        assert_eq!(lines.flush(), 0);
        let read = reading.join().unwrap();
        assert!(read.into_iter().eq((0..3000).map(line)));
    }

    #[test]
    fn a_closed_reader_does_not_block_the_queue() {
        let (lines, reader) = lines(ONE_MINUTE);
        drop(reader);
        for number in 0..3000 {
            lines.push(line(number));
        }
        assert_eq!(lines.flush(), 3000);
    }
}
