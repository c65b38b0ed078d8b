//! Reports panics: through the log once there is one, and never in a flood.

use std::collections::HashMap;
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::error;

/// Minimum time between two reports of panics at the same place in the source.
const INTERVAL: Duration = Duration::from_secs(1);

/// Reports the panics of this process from now on. A handler that panics answers 500 and the node
/// continues, so a client may be able to cause as many as it likes.
pub(super) fn report() {
    let print = take_hook();
    let limiter = Limiter::default();
    set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string);
        let place = place.unwrap_or_default();
        let Some(suppressed) = limiter.admit(&place, Instant::now()) else {
            return;
        };
        if tracing::dispatcher::has_been_set() {
            error!(panic = text(panic), %place, suppressed, "a task or a request panicked");
        } else {
            print(panic);
        }
    }));
}

fn text<'a>(panic: &'a PanicHookInfo<'_>) -> &'a str {
    let payload = panic.payload();
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

/// Limits how often each place in the source reports a panic, so that a flood from one hides no
/// other.
#[derive(Debug, Default)]
struct Limiter(Mutex<HashMap<String, Reported>>);

#[derive(Debug)]
struct Reported {
    at: Instant,
    /// Panics that were not reported since.
    suppressed: u64,
}

impl Limiter {
    /// Returns how many panics at this place were not reported since the last report, or `None` if
    /// this one is not to be reported either.
    fn admit(&self, place: &str, now: Instant) -> Option<u64> {
        // Nothing that could panic happens under the lock.
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = places.get_mut(place) {
            if now.saturating_duration_since(last.at) < INTERVAL {
                last.suppressed += 1;
                return None;
            }
            last.at = now;
            return Some(std::mem::take(&mut last.suppressed));
        }
        let reported = Reported {
            at: now,
            suppressed: 0,
        };
        places.insert(place.to_owned(), reported);
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_reports_once_a_second_and_counts_the_rest() {
        let limiter = Limiter::default();
        let begin = Instant::now();
        assert_eq!(limiter.admit("a", begin), Some(0));
        for _ in 0..3000 {
            assert_eq!(limiter.admit("a", begin + INTERVAL / 2), None);
        }
        assert_eq!(limiter.admit("b", begin + INTERVAL / 2), Some(0));
        assert_eq!(limiter.admit("a", begin + INTERVAL), Some(3000));
        assert_eq!(limiter.admit("a", begin + INTERVAL), None);
    }
}
