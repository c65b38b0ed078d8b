//! The connections of a server: how many there may be, how much memory they may hold together, and
//! which one goes when that is not enough. That is the one that has kept the server waiting
//! longest, be it for a request, for the rest of one, to read its answer, or for nothing; so nobody
//! takes up room by doing nothing. One that is being answered stays.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Most connections at a time.
const MAX_CONNECTIONS: usize = 512;

/// Files that a process asks for: enough for the connections of two servers, those to other nodes
/// and the database.
const FILES: u64 = 4 * MAX_CONNECTIONS as u64;

/// Most bytes of requests and answers that all connections hold together, streamed ones aside.
const MAX_HELD_BYTES: u64 = 20 * 1024 * 1024;

/// Most bytes that one request can make the server hold: the longest body and head. Of a longer
/// body the rest is not kept.
const REQUEST: u64 = 512 * 1024;

/// Who has taken so many bytes more does not let the server wait.
const PROGRESS: u64 = 64 * 1024;

/// Most connections that were ended and are not gone yet: they still hold what they held.
const MAX_CLOSING: usize = 32;

/// Who holds no more than this is not worth ending for it.
const MIN_EVICTABLE_BYTES: u64 = 64 * 1024;

/// Who has just come has this long to say something before the slot may go to another.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_millis(20);

/// What [`Slot::waiting_since`] holds while the server is at work.
const SERVER_BUSY: u64 = u64::MAX;

/// What it holds until the server has looked for the first word: that is the server's time.
const AWAITING_FIRST_READ: u64 = SERVER_BUSY - 1;

/// Asks the system for as many open files as the connections need; some give few at first.
pub fn allow_many_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(FILES, |maximum| maximum.min(FILES));
    if current.is_some_and(|current| current < wanted) {
        let current = Some(wanted);
        // Without it there are fewer connections.
        let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
    }
}

/// How many connections there may be. A connection is an open file, and the database and other
/// nodes need some, too.
fn default_slots() -> usize {
    let files = getrlimit(Resource::Nofile).current;
    let share = files.and_then(|files| usize::try_from(files / 4).ok());
    share.map_or(MAX_CONNECTIONS, |share| share.clamp(1, MAX_CONNECTIONS))
}

/// The connections of a server.
#[derive(Clone, Debug)]
pub struct ConnectionPool(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    max_slots: usize,
    begun: Instant,
    /// Bytes that all connections hold.
    held: AtomicU64,
    slots: Mutex<Slots>,
    /// Told when a slot becomes free or could be taken away.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Slots {
    given: u64,
    taken: HashMap<u64, Arc<Slot>>,
    /// How many were ended and are not gone yet.
    leaving: usize,
}

#[derive(Debug)]
struct Slot {
    /// Milliseconds after the begin, [`SERVER_BUSY`] or [`AWAITING_FIRST_READ`].
    waiting_since: AtomicU64,
    /// Bytes of a request that have arrived and of an answer that have not left.
    held: AtomicU64,
    /// Bytes of answers that have left.
    sent: AtomicU64,
    cut: CancellationToken,
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
            begun: Instant::now(),
            held: AtomicU64::new(0),
            slots: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// How many are open.
    pub fn count(&self) -> u64 {
        self.0.slots().taken.len() as u64
    }

    /// A slot for one more, as soon as there is one.
    pub(super) async fn acquire(&self) -> SlotGuard {
        loop {
            let changed = self.0.changed.notified();
            if let Some(slot) = self.try_acquire() {
                return slot;
            }
            // Or until somebody has waited long enough.
            let _ = tokio::time::timeout(FIRST_BYTE_TIMEOUT / 4, changed).await;
        }
    }

    fn try_acquire(&self) -> Option<SlotGuard> {
        let mut slots = self.0.slots();
        if slots.leaving >= MAX_CLOSING {
            return None;
        }
        if slots.taken.len() >= self.0.max_slots {
            self.0.evict_one(&mut slots, 0, FIRST_BYTE_TIMEOUT)?;
        }
        let slot = Arc::new(Slot {
            waiting_since: AtomicU64::new(AWAITING_FIRST_READ),
            held: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            cut: CancellationToken::new(),
        });
        slots.given += 1;
        let number = slots.given;
        slots.taken.insert(number, Arc::clone(&slot));
        let pool = Arc::clone(&self.0);
        Some(SlotGuard { pool, slot, number })
    }

    /// Makes room: ends the connection that has kept the server waiting longest.
    pub(super) fn evict_one(&self) {
        self.0.evict_one(&mut self.0.slots(), 0, FIRST_BYTE_TIMEOUT);
    }
}

impl Pool {
    fn slots(&self) -> MutexGuard<'_, Slots> {
        // Nothing that could panic happens under the lock.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the one that waits longest of those that hold so many bytes and have waited so long,
    /// and says how many it held.
    fn evict_one(&self, slots: &mut Slots, least_held: u64, waited: Duration) -> Option<u64> {
        let holding = slots.taken.iter().map(|(number, slot)| {
            let since = slot.waiting_since.load(Ordering::Relaxed);
            (since, *number, slot.held.load(Ordering::Relaxed))
        });
        let waiting =
            holding.filter(|(since, _, held)| *since < AWAITING_FIRST_READ && *held >= least_held);
        let (since, number, _) = waiting.min()?;
        if u128::from(self.now().saturating_sub(since)) < waited.as_millis() {
            return None;
        }
        let slot = slots.taken.remove(&number)?;
        slots.leaving += 1;
        slot.cut.cancel();
        // It is as good as gone.
        let held = slot.held.swap(0, Ordering::Acquire);
        self.held.fetch_sub(held, Ordering::Relaxed);
        Some(held)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(AWAITING_FIRST_READ - 1)
    }
}

/// The slot of one connection, free again when this is dropped.
#[derive(Debug)]
pub(super) struct SlotGuard {
    pool: Arc<Pool>,
    slot: Arc<Slot>,
    number: u64,
}

impl SlotGuard {
    /// Whether the server works for the connection, or the connection lets the server wait.
    pub(super) fn set_server_busy(&self, set_server_busy: bool) {
        let since = if set_server_busy {
            SERVER_BUSY
        } else {
            self.pool.now()
        };
        self.slot.waiting_since.store(since, Ordering::Relaxed);
        if !set_server_busy {
            self.pool.changed.notify_one();
        }
    }

    /// Notes that the server has looked for what has arrived: from the first time on it is kept
    /// waiting.
    pub(super) fn listened(&self) {
        let since = &self.slot.waiting_since;
        let relaxed = Ordering::Relaxed;
        let _ = since.compare_exchange(AWAITING_FIRST_READ, self.pool.now(), relaxed, relaxed);
    }

    /// Notes bytes that have arrived.
    pub(super) fn received(&self, bytes: usize) {
        let room = REQUEST.saturating_sub(self.slot.held.load(Ordering::Relaxed));
        self.hold(room.min(bytes as u64));
    }

    /// Notes bytes that have left.
    pub(super) fn sent(&self, bytes: usize) {
        let bytes = bytes as u64;
        let before = self.slot.sent.fetch_add(bytes, Ordering::Relaxed);
        if before / PROGRESS < (before + bytes) / PROGRESS {
            let now = |since| (since < AWAITING_FIRST_READ).then(|| self.pool.now());
            let since = &self.slot.waiting_since;
            let _ = since.fetch_update(Ordering::Relaxed, Ordering::Relaxed, now);
        }
        self.release(bytes);
    }

    fn release(&self, bytes: u64) {
        let less = |held: u64| Some(held.saturating_sub(bytes));
        let relaxed = Ordering::Relaxed;
        let held = self.slot.held.fetch_update(relaxed, relaxed, less);
        let (Ok(held) | Err(held)) = held;
        self.pool.held.fetch_sub(held.min(bytes), relaxed);
    }

    /// The request is done with; its answer of so many bytes is held instead.
    pub(super) fn answers(&self, bytes: u64) {
        let request = self.slot.held.swap(0, Ordering::Relaxed);
        self.pool.held.fetch_sub(request, Ordering::Relaxed);
        self.hold(bytes);
    }

    fn hold(&self, bytes: u64) {
        // The pool first: whoever cuts this one takes what the slot says from the pool.
        let all = self.pool.held.fetch_add(bytes, Ordering::AcqRel) + bytes;
        self.slot.held.fetch_add(bytes, Ordering::Release);
        let mut excess = all.saturating_sub(MAX_HELD_BYTES);
        while excess > 0
            && let Some(held) =
                self.pool
                    .evict_one(&mut self.pool.slots(), MIN_EVICTABLE_BYTES, Duration::ZERO)
        {
            excess = excess.saturating_sub(held);
        }
    }

    /// Returns when the slot was given to another.
    pub(super) async fn cut(&self) {
        self.slot.cut.cancelled().await;
    }
}

impl Drop for SlotGuard {
    fn drop(&mut self) {
        let mut slots = self.pool.slots();
        if slots.taken.remove(&self.number).is_none() {
            slots.leaving -= 1;
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

    /// A connection that has said nothing.
    fn heard(connections: &ConnectionPool) -> SlotGuard {
        let slot = connections.try_acquire().unwrap();
        slot.listened();
        slot
    }

    #[test]
    fn nobody_comes_while_too_many_have_yet_to_leave() {
        let connections = ConnectionPool::with_slots(MAX_CLOSING + 1);
        let mut guards: Vec<_> = (0..MAX_CLOSING).map(|_| heard(&connections)).collect();
        for _ in 0..MAX_CLOSING {
            let mut slots = connections.0.slots();
            connections.0.evict_one(&mut slots, 0, Duration::ZERO);
        }
        assert_eq!(connections.count(), 0);
        assert!(connections.try_acquire().is_none());
        drop(guards.pop());
        guards.push(heard(&connections));
        assert!(connections.try_acquire().is_some());
    }

    #[test]
    fn the_one_that_lets_the_server_wait_longest_goes() {
        let connections = ConnectionPool::with_slots(3);
        let mut guards = Vec::new();
        for _ in 0..3 {
            guards.push(connections.try_acquire().unwrap());
        }
        std::thread::sleep(2 * FIRST_BYTE_TIMEOUT);
        assert!(connections.try_acquire().is_none(), "none has been heard");
        for slot in &guards {
            slot.listened();
            std::thread::sleep(Duration::from_millis(2));
        }
        // The oldest is at work, the next one has just been answered.
        guards[0].set_server_busy(true);
        guards[1].set_server_busy(false);
        assert!(connections.try_acquire().is_none(), "none has had its time");
        std::thread::sleep(FIRST_BYTE_TIMEOUT);
        let newcomer = connections.try_acquire().unwrap();
        let gone = |slot: &SlotGuard| slot.cut().now_or_never().is_some();
        assert_eq!([false, false, true], [0, 1, 2].map(|n| gone(&guards[n])));
        assert_eq!(connections.count(), 3);
        // The slot was given away, so the end of its connection frees none.
        drop(guards.pop());
        assert_eq!(connections.count(), 3);
        drop(newcomer);
        assert_eq!(connections.count(), 2);
    }

    #[test]
    fn who_takes_what_it_is_sent_does_not_let_the_server_wait() {
        let connections = ConnectionPool::with_slots(2);
        let guards = [heard(&connections), heard(&connections)];
        std::thread::sleep(Duration::from_millis(2));
        guards[0].sent(usize::try_from(PROGRESS).unwrap());
        let mut slots = connections.0.slots();
        connections.0.evict_one(&mut slots, 0, Duration::ZERO);
        let gone = |slot: &SlotGuard| slot.cut().now_or_never().is_some();
        assert!(!gone(&guards[0]) && gone(&guards[1]));
        drop(slots);
    }

    #[test]
    fn who_holds_much_and_waits_longest_goes_when_all_hold_too_much() {
        let connections = ConnectionPool::with_slots(4);
        let guards: Vec<_> = (0..4)
            .map(|_| {
                std::thread::sleep(Duration::from_millis(2));
                heard(&connections)
            })
            .collect();
        let gone = || {
            let gone = |slot: &SlotGuard| slot.cut().now_or_never().is_some();
            guards.iter().map(gone).collect::<Vec<_>>()
        };
        // The oldest holds little, the next one is at work.
        guards[0].received(100);
        guards[1].set_server_busy(true);
        guards[1].answers(MAX_HELD_BYTES / 2);
        // Of a longer request the rest is not kept.
        guards[2].received(1 << 20);
        guards[2].sent(1 << 15);
        guards[3].answers(MAX_HELD_BYTES / 2 - REQUEST + (1 << 15) - 100);
        assert_eq!(gone(), [false; 4]);
        guards[0].received(1);
        assert_eq!(gone(), [false, false, true, false]);
        drop(guards);
        assert_eq!(connections.0.held.load(Ordering::Relaxed), 0);
    }
}
