//! The connections of a server: how many may be open, how much memory they may hold together, and
//! which one is closed when a limit is reached.
//!
//! A connection holds a slot of the [`ConnectionPool`]. Its idle timer runs while the server waits
//! for the client: for a request, for the rest of one, or for the client to read its response. When
//! a slot or memory is needed, the connection that has been idle longest is evicted, so that doing
//! nothing never occupies a slot for long. A connection is not idle while the server works for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Maximum number of open connections.
const MAX_CONNECTIONS: usize = 512;

/// Number of open files that a process asks for: enough for the connections of two servers, for
/// connections to other nodes and for the database.
const WANTED_OPEN_FILES: u64 = 4 * MAX_CONNECTIONS as u64;

/// Maximum number of bytes of requests and responses that all connections hold together. Streamed
/// responses do not count.
const MAX_HELD_BYTES: u64 = 20 * 1024 * 1024;

/// Maximum number of bytes that one request can make the server hold: the longest body, which is one
/// of lines, and the longest head. The server discards the rest of a longer body.
const MAX_REQUEST_BYTES: u64 = 8 * 1024 * 1024 + 512 * 1024;

/// Sending this many bytes resets the idle timer.
const IDLE_RESET_BYTES: u64 = 64 * 1024;

/// Maximum number of evicted connections that are not closed yet. They still hold their memory.
const MAX_CLOSING: usize = 32;

/// Minimum number of bytes that a connection must hold to be evicted for its memory.
const MIN_EVICTABLE_BYTES: u64 = 64 * 1024;

/// Time that a connection may be idle before its slot can be given to another one. It gives a new
/// connection the time to send its first byte.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_millis(20);

/// Value of [`Slot::idle_since`] while the server works for the connection.
const SERVER_BUSY: u64 = u64::MAX;

/// Value of [`Slot::idle_since`] until the server first reads from the connection. The time before
/// that is the server's delay, not the client's.
const AWAITING_FIRST_READ: u64 = SERVER_BUSY - 1;

/// Raises the limit of open files to what the connections need: some systems start with a low one.
pub(crate) fn raise_open_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(WANTED_OPEN_FILES, |maximum| maximum.min(WANTED_OPEN_FILES));
    if current.is_some_and(|current| current < wanted) {
        let current = Some(wanted);
        // If this fails, the server has fewer connections.
        let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
    }
}

/// Returns the number of slots that the limit of open files allows. A connection is an open file,
/// and the database and the connections to other nodes need some, too.
fn default_slots() -> usize {
    let files = getrlimit(Resource::Nofile).current;
    let share = files.and_then(|files| usize::try_from(files / 4).ok());
    share.map_or(MAX_CONNECTIONS, |share| share.clamp(1, MAX_CONNECTIONS))
}

/// The connections of a server. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ConnectionPool(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    max_slots: usize,
    created: Instant,
    /// Bytes that all connections hold.
    held: AtomicU64,
    slots: Mutex<Slots>,
    /// Notified when a slot becomes free or evictable.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Slots {
    last_number: u64,
    open: HashMap<u64, Arc<Slot>>,
    /// Number of evicted connections that are not closed yet.
    closing: usize,
}

#[derive(Debug)]
struct Slot {
    /// Start of the idle time in milliseconds since [`Pool::created`], or [`SERVER_BUSY`], or
    /// [`AWAITING_FIRST_READ`].
    idle_since: AtomicU64,
    /// Bytes received of a request, and bytes of a response that are not sent yet.
    held: AtomicU64,
    /// Bytes sent on the connection.
    sent: AtomicU64,
    evicted: CancellationToken,
}

impl Default for ConnectionPool {
    fn default() -> Self {
        Self::with_slots(default_slots())
    }
}

impl ConnectionPool {
    pub(super) fn with_slots(max_slots: usize) -> Self {
        Self(Arc::new(Pool {
            max_slots,
            created: Instant::now(),
            held: AtomicU64::new(0),
            slots: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Returns the number of open connections.
    pub(crate) fn count(&self) -> u64 {
        self.0.slots().open.len() as u64
    }

    /// Waits for a free or evictable slot and acquires it.
    pub(super) async fn acquire(&self) -> SlotGuard {
        loop {
            let changed = self.0.changed.notified();
            if let Some(slot) = self.try_acquire() {
                return slot;
            }
            // A connection also becomes evictable by the mere passing of time.
            let _ = tokio::time::timeout(FIRST_BYTE_TIMEOUT / 4, changed).await;
        }
    }

    fn try_acquire(&self) -> Option<SlotGuard> {
        let mut slots = self.0.slots();
        if slots.closing >= MAX_CLOSING {
            return None;
        }
        if slots.open.len() >= self.0.max_slots {
            self.0.evict_idle(&mut slots, 0, FIRST_BYTE_TIMEOUT)?;
        }
        let slot = Arc::new(Slot {
            idle_since: AtomicU64::new(AWAITING_FIRST_READ),
            held: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            evicted: CancellationToken::new(),
        });
        slots.last_number += 1;
        let number = slots.last_number;
        slots.open.insert(number, Arc::clone(&slot));
        let pool = Arc::clone(&self.0);
        Some(SlotGuard { pool, slot, number })
    }

    /// Evicts the connection that has been idle longest, if any has been idle long enough.
    pub(super) fn evict_one(&self) {
        self.0
            .evict_idle(&mut self.0.slots(), 0, FIRST_BYTE_TIMEOUT);
    }
}

impl Pool {
    fn slots(&self) -> MutexGuard<'_, Slots> {
        // No code panics while it holds the lock.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Evicts the connection that has been idle longest, among those that hold at least `min_held`
    /// bytes and have been idle for at least `min_idle`. Returns the number of bytes it held.
    fn evict_idle(&self, slots: &mut Slots, min_held: u64, min_idle: Duration) -> Option<u64> {
        let all = slots.open.iter().map(|(number, slot)| {
            let since = slot.idle_since.load(Ordering::Relaxed);
            (since, *number, slot.held.load(Ordering::Relaxed))
        });
        let idle = all.filter(|(since, _, held)| *since < AWAITING_FIRST_READ && *held >= min_held);
        let (since, number, _) = idle.min()?;
        if u128::from(self.now().saturating_sub(since)) < min_idle.as_millis() {
            return None;
        }
        let slot = slots.open.remove(&number)?;
        slots.closing += 1;
        slot.evicted.cancel();
        // The connection will soon be closed, so its bytes no longer count.
        let held = slot.held.swap(0, Ordering::Acquire);
        self.held.fetch_sub(held, Ordering::Relaxed);
        Some(held)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.created.elapsed().as_millis()).unwrap_or(AWAITING_FIRST_READ - 1)
    }
}

/// The slot of one connection. Dropping it releases the slot.
#[derive(Debug)]
pub(super) struct SlotGuard {
    pool: Arc<Pool>,
    slot: Arc<Slot>,
    number: u64,
}

impl SlotGuard {
    /// Stops the idle timer while the server works for the connection, or restarts it.
    pub(super) fn set_server_busy(&self, is_busy: bool) {
        let since = if is_busy {
            SERVER_BUSY
        } else {
            self.pool.now()
        };
        self.slot.idle_since.store(since, Ordering::Relaxed);
        if !is_busy {
            self.pool.changed.notify_one();
        }
    }

    /// Records an attempt to read from the connection. The first one starts the idle timer.
    pub(super) fn record_read(&self) {
        let since = &self.slot.idle_since;
        let relaxed = Ordering::Relaxed;
        let _ = since.compare_exchange(AWAITING_FIRST_READ, self.pool.now(), relaxed, relaxed);
    }

    /// Records received bytes.
    pub(super) fn record_received(&self, bytes: usize) {
        let held = self.slot.held.load(Ordering::Relaxed);
        let room = MAX_REQUEST_BYTES.saturating_sub(held);
        self.hold(room.min(bytes as u64));
    }

    /// Records sent bytes. They are no longer held, and enough of them reset the idle timer.
    pub(super) fn record_sent(&self, bytes: usize) {
        let bytes = bytes as u64;
        let before = self.slot.sent.fetch_add(bytes, Ordering::Relaxed);
        if before / IDLE_RESET_BYTES < (before + bytes) / IDLE_RESET_BYTES {
            let now = |since| (since < AWAITING_FIRST_READ).then(|| self.pool.now());
            let since = &self.slot.idle_since;
            let _ = since.fetch_update(Ordering::Relaxed, Ordering::Relaxed, now);
        }
        self.release(bytes);
    }

    /// Records a response of `bytes` bytes, which is held from now on instead of its request.
    pub(super) fn record_response(&self, bytes: u64) {
        let request = self.slot.held.swap(0, Ordering::Relaxed);
        self.pool.held.fetch_sub(request, Ordering::Relaxed);
        self.hold(bytes);
    }

    fn hold(&self, bytes: u64) {
        // The pool's count first: an eviction subtracts the slot's count from it.
        let all = self.pool.held.fetch_add(bytes, Ordering::AcqRel) + bytes;
        self.slot.held.fetch_add(bytes, Ordering::Release);
        let mut excess = all.saturating_sub(MAX_HELD_BYTES);
        while excess > 0
            && let Some(held) =
                self.pool
                    .evict_idle(&mut self.pool.slots(), MIN_EVICTABLE_BYTES, Duration::ZERO)
        {
            excess = excess.saturating_sub(held);
        }
    }

    fn release(&self, bytes: u64) {
        let less = |held: u64| Some(held.saturating_sub(bytes));
        let relaxed = Ordering::Relaxed;
        let held = self.slot.held.fetch_update(relaxed, relaxed, less);
        let (Ok(held) | Err(held)) = held;
        self.pool.held.fetch_sub(held.min(bytes), relaxed);
    }

    /// Waits until the connection is evicted.
    pub(super) async fn evicted(&self) {
        self.slot.evicted.cancelled().await;
    }
}

impl Drop for SlotGuard {
    fn drop(&mut self) {
        let mut slots = self.pool.slots();
        if slots.open.remove(&self.number).is_none() {
            slots.closing -= 1;
        }
        drop(slots);
        self.release(u64::MAX);
        self.pool.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// Acquires the slot of a connection that has sent nothing.
    fn idle_slot(connections: &ConnectionPool) -> SlotGuard {
        let slot = connections.try_acquire().unwrap();
        slot.record_read();
        slot
    }

    #[test]
    fn no_connection_is_accepted_while_too_many_are_closing() {
        let connections = ConnectionPool::with_slots(MAX_CLOSING + 1);
        let mut guards: Vec<_> = (0..MAX_CLOSING).map(|_| idle_slot(&connections)).collect();
        for _ in 0..MAX_CLOSING {
            let mut slots = connections.0.slots();
            connections.0.evict_idle(&mut slots, 0, Duration::ZERO);
        }
        assert_eq!(connections.count(), 0);
        assert!(connections.try_acquire().is_none());
        drop(guards.pop());
        guards.push(idle_slot(&connections));
        assert!(connections.try_acquire().is_some());
    }

    #[test]
    fn the_connection_idle_longest_is_evicted() {
        let connections = ConnectionPool::with_slots(3);
        let mut guards = Vec::new();
        for _ in 0..3 {
            guards.push(connections.try_acquire().unwrap());
        }
        std::thread::sleep(2 * FIRST_BYTE_TIMEOUT);
        assert!(connections.try_acquire().is_none(), "none has been read");
        for slot in &guards {
            slot.record_read();
            std::thread::sleep(Duration::from_millis(2));
        }
        // The server works for the first one, and has just answered the second one.
        guards[0].set_server_busy(true);
        guards[1].set_server_busy(false);
        assert!(
            connections.try_acquire().is_none(),
            "none has been idle long enough"
        );
        std::thread::sleep(FIRST_BYTE_TIMEOUT);
        let newcomer = connections.try_acquire().unwrap();
        let is_evicted = |slot: &SlotGuard| slot.evicted().now_or_never().is_some();
        assert_eq!(
            [false, false, true],
            [0, 1, 2].map(|n| is_evicted(&guards[n]))
        );
        assert_eq!(connections.count(), 3);
        // The slot was given to the newcomer, so closing the evicted connection frees none.
        drop(guards.pop());
        assert_eq!(connections.count(), 3);
        drop(newcomer);
        assert_eq!(connections.count(), 2);
    }

    #[test]
    fn reading_a_response_resets_the_idle_timer() {
        let connections = ConnectionPool::with_slots(2);
        let guards = [idle_slot(&connections), idle_slot(&connections)];
        std::thread::sleep(Duration::from_millis(2));
        guards[0].record_sent(usize::try_from(IDLE_RESET_BYTES).unwrap());
        let mut slots = connections.0.slots();
        connections.0.evict_idle(&mut slots, 0, Duration::ZERO);
        let is_evicted = |slot: &SlotGuard| slot.evicted().now_or_never().is_some();
        assert!(!is_evicted(&guards[0]) && is_evicted(&guards[1]));
        drop(slots);
    }

    #[test]
    fn the_large_connection_idle_longest_is_evicted_above_the_memory_limit() {
        let connections = ConnectionPool::with_slots(4);
        let guards: Vec<_> = (0..4)
            .map(|_| {
                std::thread::sleep(Duration::from_millis(2));
                idle_slot(&connections)
            })
            .collect();
        let evicted = || {
            let is_evicted = |slot: &SlotGuard| slot.evicted().now_or_never().is_some();
            guards.iter().map(is_evicted).collect::<Vec<_>>()
        };
        // The oldest holds little, and the server works for the next one.
        guards[0].record_received(100);
        guards[1].set_server_busy(true);
        guards[1].record_response(MAX_HELD_BYTES / 2);
        // The rest of a longer request is not held.
        guards[2].record_received(usize::try_from(2 * MAX_REQUEST_BYTES).unwrap());
        guards[2].record_sent(1 << 15);
        guards[3].record_response(MAX_HELD_BYTES / 2 - MAX_REQUEST_BYTES + (1 << 15) - 100);
        assert_eq!(evicted(), [false; 4]);
        guards[0].record_received(1);
        assert_eq!(evicted(), [false, false, true, false]);
        drop(guards);
        assert_eq!(connections.0.held.load(Ordering::Relaxed), 0);
    }
}
