//! Lines that a thread of their own writes, so that who logs never waits for who reads.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::warn;
use tracing_subscriber::fmt::MakeWriter;

/// Maximum number of bytes that wait to be written.
const MAX_BYTES: usize = 1024 * 1024;

/// How long to wait for a reader that reads nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// When the queue is full: maximum time until a line is written.
    pub(super) full: Duration,
    /// At the end: maximum time until a line is written.
    pub(super) stall: Duration,
    /// At the end: maximum time until all lines are written.
    pub(super) end: Duration,
}

/// A queue of lines, and the thread that writes them. When the queue is full, lines are dropped and
/// counted; the count is logged when there is room again.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

struct Shared {
    /// As messages name where the lines go.
    name: &'static str,
    queue: Mutex<Queue>,
    changed: Condvar,
}

struct Queue {
    lines: VecDeque<Vec<u8>>,
    /// Bytes of all lines that are not written yet, with the one that is being written.
    bytes: usize,
    /// Lines that were written or dropped by the thread: it still moves.
    handled: u64,
    /// Lines dropped since that was logged last.
    dropped: u64,
    /// Whether waiting was in vain and nothing was written since.
    is_stalled: bool,
    patience: Patience,
}

impl Lines {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub(super) fn to(
        writer: impl Write + Send + 'static,
        name: &'static str,
        patience: Patience,
    ) -> io::Result<Self> {
        let lines = Self(Arc::new(Shared {
            name,
            queue: Mutex::new(Queue {
                lines: VecDeque::new(),
                bytes: 0,
                handled: 0,
                dropped: 0,
                is_stalled: false,
                patience,
            }),
            changed: Condvar::new(),
        }));
        let shared = Arc::clone(&lines.0);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || shared.write_to(writer))?;
        Ok(lines)
    }

    /// Sets how long readers are waited for from now on.
    pub(super) fn set_patience(&self, patience: Patience) {
        self.0.lock().patience = patience;
    }

    /// Queues a line.
    pub(super) fn push(&self, line: Vec<u8>) {
        let shared = &self.0;
        let mut queue = shared.lock();
        while queue.bytes > 0 && queue.bytes + line.len() > MAX_BYTES {
            let patience = queue.patience.full;
            queue = shared.wait_for_progress(queue, patience);
            if queue.is_stalled {
                queue.dropped += 1;
                return;
            }
        }
        queue.bytes += line.len();
        queue.lines.push_back(line);
        shared.changed.notify_all();
    }

    /// Waits until everything is written, within the patience. Returns how many lines were not.
    pub(super) fn flush(&self) -> u64 {
        let shared = &self.0;
        let begin = Instant::now();
        let mut queue = shared.lock();
        // One more chance: the reader may be there again.
        queue.is_stalled = false;
        while queue.bytes > 0 && !queue.is_stalled {
            let left = queue.patience.end.saturating_sub(begin.elapsed());
            let stall = queue.patience.stall.min(left);
            queue = shared.wait_for_progress(queue, stall);
        }
        queue.dropped + queue.lines.len() as u64
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing that could panic happens under the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the thread has written one more line. Notes a stall if that takes longer.
    fn wait_for_progress<'a>(
        &self,
        mut queue: MutexGuard<'a, Queue>,
        patience: Duration,
    ) -> MutexGuard<'a, Queue> {
        let before = queue.handled;
        let begin = Instant::now();
        while queue.handled == before && !queue.is_stalled {
            let left = patience.saturating_sub(begin.elapsed());
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
            // Half a queue of room, so that this line finds a place, and there are few of them.
            if written.is_ok() && queue.dropped > 0 && queue.bytes < MAX_BYTES / 2 {
                let dropped = std::mem::take(&mut queue.dropped);
                drop(queue);
                warn!(dropped, to = self.name, "log lines were dropped");
                queue = self.lock();
            }
        }
    }
}

/// One event: a line, queued when it is complete.
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
            self.lines.push(text);
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

    const IMPATIENT: Patience = Patience {
        full: Duration::ZERO,
        stall: Duration::ZERO,
        end: Duration::ZERO,
    };
    const PATIENT: Patience = Patience {
        full: Duration::from_secs(60),
        stall: Duration::from_secs(60),
        end: Duration::from_secs(60),
    };

    /// Hands over each line to whoever reads, and waits for that.
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

    fn lines(patience: Patience) -> (Lines, Receiver<Vec<u8>>) {
        let (sender, receiver) = sync_channel(0);
        let lines = Lines::to(Pipe(sender), "a pipe", patience).unwrap();
        (lines, receiver)
    }

    fn line(number: usize) -> Vec<u8> {
        let mut line = vec![b'x'; 1024];
        line[..8].copy_from_slice(format!("{number:08}").as_bytes());
        line
    }

    #[test]
    fn a_full_queue_drops_lines_and_counts_them() {
        let (lines, reader) = lines(IMPATIENT);
        for number in 0..2000 {
            lines.push(line(number));
        }
        // All but what fits are dropped, and what waits is not written, either.
        assert_eq!(lines.0.lock().dropped, 2000 - 1024);
        assert!(lines.flush() >= 2000 - 1024);
        lines.set_patience(PATIENT);
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
    fn a_slow_reader_gets_every_line_of_who_is_patient() {
        let (lines, reader) = lines(PATIENT);
        let reading = thread::spawn(move || reader.iter().take(3000).collect::<Vec<_>>());
        for number in 0..3000 {
            lines.push(line(number));
        }
        assert_eq!(lines.flush(), 0);
        let read = reading.join().unwrap();
        assert!(read.into_iter().eq((0..3000).map(line)));
    }

    #[test]
    fn a_reader_that_has_gone_stops_nobody() {
        let (lines, reader) = lines(PATIENT);
        drop(reader);
        for number in 0..3000 {
            lines.push(line(number));
        }
        assert_eq!(lines.flush(), 3000);
    }
}
