//! What the tests of the real binary share.
//!
//! * [`command`]: a command that runs to its end
//! * [`environment`]: variables that lengthen a test or choose its seed
//! * [`events`]: a reader of server-sent events
//! * [`explorer`]: the explorer, and a node that says what a test wants
//! * [`fake_peer`]: a peer that answers what a test tells it to
//! * [`http`]: requests on plain sockets
//! * [`own_node`]: a node within the test, whose store the test can change itself
//! * [`pretence`]: what such a peer says of itself
//! * [`skip`]: records a test that cannot run here
//! * [`test_node`]: a node that runs until the test is done with it
//! * [`webdriver`]: a real browser, where there is one

pub(crate) mod command;
pub(crate) mod environment;
pub(crate) mod events;
pub(crate) mod explorer;
pub(crate) mod fake_peer;
pub(crate) mod http;
pub(crate) mod own_node;
pub(crate) mod pretence;
pub(crate) mod skip;
pub(crate) mod test_node;
pub(crate) mod webdriver;

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How long anything that should happen soon may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Asks again and again until there is an answer.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
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
