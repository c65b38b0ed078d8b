//! A self-hosted proof-of-work message chain: durable, tamper-evident, one binary.
//!
//! Read it in this order:
//! * [`chain`]: the rules, pure
//! * [`pow`]: the puzzle and its search, pure
//! * [`codec`], [`legacy`], [`wire`]: blocks as stored bytes, as the original program's texts, as
//!   JSON of this program's API; pure
//! * [`snapshot`]: chain files in every format; pure but for what it is given to read and write
//! * [`store`]: the database; plain threads, no async
//! * [`snapshot`]: the chain as files
//! * [`node`]: the one door to the store, and the tasks
//! * [`api`]: the REST API in front of a node; [`client`]: asking one
//! * [`cli`]: the commands
//!
//! Each may use what stands above it, never what stands below.

pub mod api;
pub mod chain;
pub mod cli;
pub mod client;
pub mod clock;
pub mod codec;
pub mod legacy;
pub mod node;
pub mod pow;
pub mod snapshot;
pub mod store;
pub mod wire;

/// How the names of files that are still being written begin, for the files that share the name of
/// `file`. What a kill leaves of them is removed at the next start.
pub(crate) fn temporary_prefix(file: &std::path::Path) -> String {
    format!(
        ".blockchain-tmp-{}-",
        file.file_stem().unwrap_or_default().display()
    )
}
