//! Reports panics through the log, at most one per second and place in the source.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::collections::HashMap;
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::error;
use tracing::field::display;

/// Minimum interval between two reports of panics at the same place in the source.
const INTERVAL: Duration = Duration::from_secs(1);

/// Installs the panic hook. After a panic in a request handler, the response has status 500 and the
/// node continues, so a client may be able to cause many panics.
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
            // Captured only if RUST_BACKTRACE is set.
            let backtrace = Backtrace::capture();
            let is_asked = backtrace.status() == BacktraceStatus::Captured;
            let backtrace = is_asked.then(|| display(backtrace));
            error!(panic = text(panic), %place, suppressed, backtrace, "a task or a request panicked");
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
    /// Number of panics that were not reported since.
    suppressed: u64,
}

impl Limiter {
    /// Returns the number of panics at this place since the last report, or `None` if this one is
    /// not to be reported either.
    fn admit(&self, place: &str, now: Instant) -> Option<u64> {
        // No code under the lock panics.
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
    use std::panic::catch_unwind;
    use std::process::Command;

    use super::*;

    const CHILD: &str = "BLOCKCHAIN_TEST_PANIC_FLOOD";

    #[test]
    fn a_flood_of_panics_is_a_few_lines_of_the_log() {
        if std::env::var_os(CHILD).is_some() {
            crate::cli::log::to_stderr(None, "info").unwrap();
            report();
            for number in 0..3000 {
                catch_unwind(|| panic!("the \u{1b}[31m{number}")).unwrap_err();
            }
            crate::cli::log::flush();
            return;
        }
        let name = "cli::panics::tests::a_flood_of_panics_is_a_few_lines_of_the_log";
        let begin = Instant::now();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, "1")
            .env_remove("RUST_LOG")
            .env_remove("RUST_BACKTRACE")
            .env_remove("RUST_LIB_BACKTRACE")
            .output()
            .unwrap();
        let seconds = usize::try_from(begin.elapsed().as_secs()).unwrap();
        let log = String::from_utf8(child.stderr).unwrap();
        let lines = log.lines().count();
        assert!((1..=seconds + 1).contains(&lines), "{lines} lines:\n{log}");
        assert!(
            log.contains("ERROR") && log.contains("suppressed=0"),
            "{log}"
        );
        assert!(
            log.contains("src/cli/panics.rs") && !log.contains('\u{1b}'),
            "{log}"
        );
    }

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
