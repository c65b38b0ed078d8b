//! Helpers of the integration tests.
//!
//! * [`axe`]: the accessibility checker axe-core
//! * [`chain`]: chains of the test's choice
//! * [`check`]: the full check of a database
//! * [`command`]: a command that runs to its end
//! * [`environment`]: variables that lengthen a test or choose its seed
//! * [`events`]: a reader of server-sent events
//! * [`explorer`]: a running explorer, and a stub node with fixed responses
//! * [`fake_nodes`]: scripts of a fake peer that imitate a node or a reference miner
//! * [`fake_peer`]: a server with scripted responses
//! * [`http`]: requests on plain sockets
//! * [`in_process_node`]: a node in the test process, whose store the test can write to
//! * [`lan`]: a local network of several machines
//! * [`proxy`]: a proxy that replaces the host name of every request
//! * [`random`]: the seeded random generator
//! * [`simulated_disk`]: storage in memory that fails and loses power on request
//! * [`skip`]: records a test that cannot run here
//! * [`test_node`]: a node process
//! * [`webdriver`]: a real browser, where there is one

pub(crate) mod axe;
pub(crate) mod chain;
pub(crate) mod check;
pub(crate) mod command;
pub(crate) mod environment;
pub(crate) mod events;
pub(crate) mod explorer;
pub(crate) mod fake_nodes;
pub(crate) mod fake_peer;
pub(crate) mod http;
pub(crate) mod in_process_node;
#[cfg(target_os = "linux")]
pub(crate) mod lan;
pub(crate) mod proxy;
pub(crate) mod random;
pub(crate) mod simulated_disk;
pub(crate) mod skip;
pub(crate) mod test_node;
pub(crate) mod webdriver;

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Time limit of anything that should happen soon, generous enough for a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

/// Polls a condition until it yields a value, and returns that.
///
/// # Panics
///
/// After [`TIMEOUT`].
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        if let Some(response) = ask() {
            return response;
        }
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        // A poll interval, not a fixed wait.
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Lets this process open thousands of connections.
#[track_caller]
pub(crate) fn allow_many_files() {
    const FILES: u64 = 6000;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < FILES) {
        let current = Some(maximum.map_or(FILES, |maximum| maximum.min(FILES)));
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    }
}
