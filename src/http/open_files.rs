//! The limit of open files, which bounds the number of connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Maximum number of open connections.
const MAX_CONNECTIONS: usize = 512;

/// Number of open files that a process asks for: enough for the connections of two servers, for
/// connections to other nodes and for the database.
const WANTED_OPEN_FILES: u64 = 4 * MAX_CONNECTIONS as u64;

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
pub(super) fn default_slots() -> usize {
    let files = getrlimit(Resource::Nofile).current;
    let share = files.and_then(|files| usize::try_from(files / 4).ok());
    share.map_or(MAX_CONNECTIONS, |share| share.clamp(1, MAX_CONNECTIONS))
}
