//! The executor of a node's blocking work.

/// Runs the reads and writes of a node on the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executor {
    /// Long reads run on the runtime's blocking threads; a write is awaited without blocking.
    Pool,
    /// Everything runs on the calling task, one operation after the other, and host names are not
    /// looked up: a simulated network must run the same way twice.
    Inline,
}
