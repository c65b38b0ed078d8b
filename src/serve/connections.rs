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
const CONNECTIONS: usize = 512;

/// Files that a process asks for: enough for the connections of two servers, those to other nodes
/// and the database.
const FILES: u64 = 4 * CONNECTIONS as u64;

/// Most bytes of requests and answers that all connections hold together, streamed ones aside.
const HELD: u64 = 20 * 1024 * 1024;

/// Most bytes that one request can make the server hold: the longest body and head. Of a longer
/// body the rest is not kept.
const REQUEST: u64 = 512 * 1024;

/// Who has taken so many bytes more does not let the server wait.
const PROGRESS: u64 = 64 * 1024;

/// Most connections that were ended and are not gone yet: they still hold what they held.
const LEAVING: usize = 32;

/// Who holds no more than this is not worth ending for it.
const LITTLE: u64 = 64 * 1024;

/// Who has just come has this long to say something before the place may go to another.
const FIRST_WORD: Duration = Duration::from_millis(20);

/// What [`Seat::waiting_since`] holds while the server is at work.
const AT_WORK: u64 = u64::MAX;

/// What it holds until the server has looked for the first word: that is the server's time.
const UNHEARD: u64 = AT_WORK - 1;

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
fn places() -> usize {
    let files = getrlimit(Resource::Nofile).current;
    let share = files.and_then(|files| usize::try_from(files / 4).ok());
    share.map_or(CONNECTIONS, |share| share.clamp(1, CONNECTIONS))
}

/// The connections of a server.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Hall>);

#[derive(Debug)]
struct Hall {
    places: usize,
    begun: Instant,
    /// Bytes that all connections hold.
    held: AtomicU64,
    seats: Mutex<Seats>,
    /// Told when a seat becomes free or could be taken away.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Seats {
    given: u64,
    taken: HashMap<u64, Arc<Seat>>,
    /// How many were ended and are not gone yet.
    leaving: usize,
}

#[derive(Debug)]
struct Seat {
    /// Milliseconds after the begin, [`AT_WORK`] or [`UNHEARD`].
    waiting_since: AtomicU64,
    /// Bytes of a request that have arrived and of an answer that have not left.
    held: AtomicU64,
    /// Bytes of answers that have left.
    sent: AtomicU64,
    cut: CancellationToken,
}

impl Default for Connections {
    fn default() -> Self {
        Self::with_places(places())
    }
}

impl Connections {
    pub(super) fn with_places(places: usize) -> Self {
        Self(Arc::new(Hall {
            places,
            begun: Instant::now(),
            held: AtomicU64::new(0),
            seats: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// How many are open.
    pub fn count(&self) -> u64 {
        self.0.seats().taken.len() as u64
    }

    /// A place for one more, as soon as there is one.
    pub(super) async fn place(&self) -> Place {
        loop {
            let changed = self.0.changed.notified();
            if let Some(place) = self.try_place() {
                return place;
            }
            // Or until somebody has waited long enough.
            let _ = tokio::time::timeout(FIRST_WORD / 4, changed).await;
        }
    }

    fn try_place(&self) -> Option<Place> {
        let mut seats = self.0.seats();
        if seats.leaving >= LEAVING {
            return None;
        }
        if seats.taken.len() >= self.0.places {
            self.0.cut_one(&mut seats, 0, FIRST_WORD)?;
        }
        let seat = Arc::new(Seat {
            waiting_since: AtomicU64::new(UNHEARD),
            held: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            cut: CancellationToken::new(),
        });
        seats.given += 1;
        let number = seats.given;
        seats.taken.insert(number, Arc::clone(&seat));
        let hall = Arc::clone(&self.0);
        Some(Place { hall, seat, number })
    }

    /// Makes room: ends the connection that has kept the server waiting longest.
    pub(super) fn cut_one(&self) {
        self.0.cut_one(&mut self.0.seats(), 0, FIRST_WORD);
    }
}

impl Hall {
    fn seats(&self) -> MutexGuard<'_, Seats> {
        // Nothing that could panic happens under the lock.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the one that waits longest of those that hold so many bytes and have waited so long,
    /// and says how many it held.
    fn cut_one(&self, seats: &mut Seats, least_held: u64, waited: Duration) -> Option<u64> {
        let holding = seats.taken.iter().map(|(number, seat)| {
            let since = seat.waiting_since.load(Ordering::Relaxed);
            (since, *number, seat.held.load(Ordering::Relaxed))
        });
        let waiting = holding.filter(|(since, _, held)| *since < UNHEARD && *held >= least_held);
        let (since, number, _) = waiting.min()?;
        if u128::from(self.now().saturating_sub(since)) < waited.as_millis() {
            return None;
        }
        let seat = seats.taken.remove(&number)?;
        seats.leaving += 1;
        seat.cut.cancel();
        // It is as good as gone.
        let held = seat.held.swap(0, Ordering::Acquire);
        self.held.fetch_sub(held, Ordering::Relaxed);
        Some(held)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(UNHEARD - 1)
    }
}

/// The place of one connection, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    hall: Arc<Hall>,
    seat: Arc<Seat>,
    number: u64,
}

impl Place {
    /// Whether the server works for the connection, or the connection lets the server wait.
    pub(super) fn is_at_work(&self, is_at_work: bool) {
        let since = if is_at_work { AT_WORK } else { self.hall.now() };
        self.seat.waiting_since.store(since, Ordering::Relaxed);
        if !is_at_work {
            self.hall.changed.notify_one();
        }
    }

    /// Notes that the server has looked for what has arrived: from the first time on it is kept
    /// waiting.
    pub(super) fn listened(&self) {
        let since = &self.seat.waiting_since;
        let relaxed = Ordering::Relaxed;
        let _ = since.compare_exchange(UNHEARD, self.hall.now(), relaxed, relaxed);
    }

    /// Notes bytes that have arrived.
    pub(super) fn received(&self, bytes: usize) {
        let room = REQUEST.saturating_sub(self.seat.held.load(Ordering::Relaxed));
        self.hold(room.min(bytes as u64));
    }

    /// Notes bytes that have left.
    pub(super) fn sent(&self, bytes: usize) {
        let bytes = bytes as u64;
        let before = self.seat.sent.fetch_add(bytes, Ordering::Relaxed);
        if before / PROGRESS < (before + bytes) / PROGRESS {
            let now = |since| (since < UNHEARD).then(|| self.hall.now());
            let since = &self.seat.waiting_since;
            let _ = since.fetch_update(Ordering::Relaxed, Ordering::Relaxed, now);
        }
        self.release(bytes);
    }

    fn release(&self, bytes: u64) {
        let less = |held: u64| Some(held.saturating_sub(bytes));
        let relaxed = Ordering::Relaxed;
        let held = self.seat.held.fetch_update(relaxed, relaxed, less);
        let (Ok(held) | Err(held)) = held;
        self.hall.held.fetch_sub(held.min(bytes), relaxed);
    }

    /// The request is done with; its answer of so many bytes is held instead.
    pub(super) fn answers(&self, bytes: u64) {
        let request = self.seat.held.swap(0, Ordering::Relaxed);
        self.hall.held.fetch_sub(request, Ordering::Relaxed);
        self.hold(bytes);
    }

    fn hold(&self, bytes: u64) {
        // The hall first: whoever cuts this one takes what the seat says from the hall.
        let all = self.hall.held.fetch_add(bytes, Ordering::AcqRel) + bytes;
        self.seat.held.fetch_add(bytes, Ordering::Release);
        let mut excess = all.saturating_sub(HELD);
        while excess > 0
            && let Some(held) = self
                .hall
                .cut_one(&mut self.hall.seats(), LITTLE, Duration::ZERO)
        {
            excess = excess.saturating_sub(held);
        }
    }

    /// Returns when the place was given to another.
    pub(super) async fn cut(&self) {
        self.seat.cut.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut seats = self.hall.seats();
        if seats.taken.remove(&self.number).is_none() {
            seats.leaving -= 1;
        }
        drop(seats);
        self.release(u64::MAX);
        self.hall.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// A connection that has said nothing.
    fn heard(connections: &Connections) -> Place {
        let place = connections.try_place().unwrap();
        place.listened();
        place
    }

    #[test]
    fn nobody_comes_while_too_many_have_yet_to_leave() {
        let connections = Connections::with_places(LEAVING + 1);
        let mut places: Vec<_> = (0..LEAVING).map(|_| heard(&connections)).collect();
        for _ in 0..LEAVING {
            let mut seats = connections.0.seats();
            connections.0.cut_one(&mut seats, 0, Duration::ZERO);
        }
        assert_eq!(connections.count(), 0);
        assert!(connections.try_place().is_none());
        drop(places.pop());
        places.push(heard(&connections));
        assert!(connections.try_place().is_some());
    }

    #[test]
    fn the_one_that_lets_the_server_wait_longest_goes() {
        let connections = Connections::with_places(3);
        let mut places = Vec::new();
        for _ in 0..3 {
            places.push(connections.try_place().unwrap());
        }
        std::thread::sleep(2 * FIRST_WORD);
        assert!(connections.try_place().is_none(), "none has been heard");
        for place in &places {
            place.listened();
            std::thread::sleep(Duration::from_millis(2));
        }
        // The oldest is at work, the next one has just been answered.
        places[0].is_at_work(true);
        places[1].is_at_work(false);
        assert!(connections.try_place().is_none(), "none has had its time");
        std::thread::sleep(FIRST_WORD);
        let newcomer = connections.try_place().unwrap();
        let gone = |place: &Place| place.cut().now_or_never().is_some();
        assert_eq!([false, false, true], [0, 1, 2].map(|n| gone(&places[n])));
        assert_eq!(connections.count(), 3);
        // The place was given away, so the end of its connection frees none.
        drop(places.pop());
        assert_eq!(connections.count(), 3);
        drop(newcomer);
        assert_eq!(connections.count(), 2);
    }

    #[test]
    fn who_takes_what_it_is_sent_does_not_let_the_server_wait() {
        let connections = Connections::with_places(2);
        let places = [heard(&connections), heard(&connections)];
        std::thread::sleep(Duration::from_millis(2));
        places[0].sent(usize::try_from(PROGRESS).unwrap());
        let mut seats = connections.0.seats();
        connections.0.cut_one(&mut seats, 0, Duration::ZERO);
        let gone = |place: &Place| place.cut().now_or_never().is_some();
        assert!(!gone(&places[0]) && gone(&places[1]));
        drop(seats);
    }

    #[test]
    fn who_holds_much_and_waits_longest_goes_when_all_hold_too_much() {
        let connections = Connections::with_places(4);
        let places: Vec<_> = (0..4)
            .map(|_| {
                std::thread::sleep(Duration::from_millis(2));
                heard(&connections)
            })
            .collect();
        let gone = || {
            let gone = |place: &Place| place.cut().now_or_never().is_some();
            places.iter().map(gone).collect::<Vec<_>>()
        };
        // The oldest holds little, the next one is at work.
        places[0].received(100);
        places[1].is_at_work(true);
        places[1].answers(HELD / 2);
        // Of a longer request the rest is not kept.
        places[2].received(1 << 20);
        places[2].sent(1 << 15);
        places[3].answers(HELD / 2 - REQUEST + (1 << 15) - 100);
        assert_eq!(gone(), [false; 4]);
        places[0].received(1);
        assert_eq!(gone(), [false, false, true, false]);
        drop(places);
        assert_eq!(connections.0.held.load(Ordering::Relaxed), 0);
    }
}
