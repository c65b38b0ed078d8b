//! The connections of a server: how many may be open, how much memory they may hold together, and
//! which one is closed when a limit is reached.
//!
//! A connection holds a slot of the [`ConnectionPool`]. Its idle timer runs while the server waits
//! for the client: for a request, for the rest of one, or for the client to read its response. When
//! a slot is needed, the connection that has been idle longest is evicted, so that doing nothing
//! never occupies a slot for long. When memory is needed, it is an idle one of the network group
//! ([`crate::netgroup`]) that holds most, so that a single address cannot take it from all others. A connection is
//! not idle while the server works for it.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::open_files::default_slots;

/// Maximum number of bytes of requests and responses that all connections hold together. Streamed
/// responses do not count.
const MAX_HELD_BYTES: u64 = 28 * 1024 * 1024;

/// Maximum number of bytes that one request can make the server hold: the longest body, which is one
/// of lines, and the longest head. The server discards the rest of a longer body.
const MAX_REQUEST_BYTES: u64 = 8 * 1024 * 1024 + 512 * 1024;

/// Sending this many bytes resets the idle timer.
const IDLE_RESET_BYTES: u64 = 64 * 1024;

/// Maximum number of evicted connections that are not closed yet. They still hold their memory.
const MAX_CLOSING: usize = 32;

/// Minimum number of bytes that a connection must hold to be evicted for its memory.
const MIN_EVICTABLE_BYTES: u64 = 64 * 1024;

/// Number of network groups as which the clients on this machine count: a proxy and the explorer are
/// among them, and have clients of their own.
const LOCAL_WEIGHT: u64 = 3;

/// Time that a connection may be idle before its slot can be given to another one. It gives a new
/// connection the time to send its first byte.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_millis(20);

/// Value of [`Slot::idle_since`] while the server works for the connection.
const SERVER_BUSY: u64 = u64::MAX;

/// Value of [`Slot::idle_since`] until the server first reads from the connection. The time before
/// that is the server's delay, not the client's.
const AWAITING_FIRST_READ: u64 = SERVER_BUSY - 1;

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

impl Slots {
    /// Returns the idle connections, each with the start of its idle time and its number.
    fn idle(&self) -> impl Iterator<Item = (u64, u64, &Slot)> {
        let all = self.open.iter().map(|(number, slot)| {
            let since = slot.idle_since.load(Ordering::Relaxed);
            (since, *number, &**slot)
        });
        all.filter(|(since, _, _)| *since < AWAITING_FIRST_READ)
    }
}

#[derive(Debug)]
struct Slot {
    /// Network group of the client.
    remote: IpAddr,
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

    /// Waits for a free or evictable slot and acquires it for a connection from the network group
    /// `remote`.
    pub(super) async fn acquire(&self, remote: IpAddr) -> SlotGuard {
        loop {
            let changed = self.0.changed.notified();
            if let Some(slot) = self.try_acquire(remote) {
                return slot;
            }
            // A connection also becomes evictable by the mere passing of time.
            let _ = tokio::time::timeout(FIRST_BYTE_TIMEOUT / 4, changed).await;
        }
    }

    fn try_acquire(&self, remote: IpAddr) -> Option<SlotGuard> {
        let mut slots = self.0.slots();
        if slots.closing >= MAX_CLOSING {
            return None;
        }
        if slots.open.len() >= self.0.max_slots {
            self.0.evict_idle(&mut slots, FIRST_BYTE_TIMEOUT)?;
        }
        let slot = Arc::new(Slot {
            remote,
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
        self.0.evict_idle(&mut self.0.slots(), FIRST_BYTE_TIMEOUT);
    }
}

impl Pool {
    fn slots(&self) -> MutexGuard<'_, Slots> {
        // No code panics while it holds the lock.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Evicts the connection that has been idle longest, if it has been for at least `min_idle`.
    fn evict_idle(&self, slots: &mut Slots, min_idle: Duration) -> Option<u64> {
        let (since, number) = slots
            .idle()
            .map(|(since, number, _)| (since, number))
            .min()?;
        let idle = u128::from(self.now().saturating_sub(since));
        if idle < min_idle.as_millis() {
            return None;
        }
        self.evict(slots, number)
    }

    /// Evicts the large connection that has been idle longest, among those of the remote address
    /// whose connections hold most.
    fn evict_large(&self, slots: &mut Slots) -> Option<u64> {
        let mut held: HashMap<IpAddr, u64> = HashMap::new();
        for slot in slots.open.values() {
            let weight = if slot.remote.is_loopback() {
                LOCAL_WEIGHT
            } else {
                1
            };
            *held.entry(slot.remote).or_default() += slot.held.load(Ordering::Relaxed) / weight;
        }
        let is_large = |slot: &Slot| slot.held.load(Ordering::Relaxed) >= MIN_EVICTABLE_BYTES;
        let large = slots.idle().filter(|(_, _, slot)| is_large(slot));
        let ranked =
            large.map(|(since, number, slot)| (Reverse(held[&slot.remote]), since, number));
        let (_, _, number) = ranked.min()?;
        self.evict(slots, number)
    }

    /// Evicts a connection. Returns the number of bytes it held.
    fn evict(&self, slots: &mut Slots, number: u64) -> Option<u64> {
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
            && let Some(held) = self.pool.evict_large(&mut self.pool.slots())
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
mod tests;
