//! The one test binary: what holds only when the parts work together.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of a test fail like the test itself"
)]

/// The documented endpoints and `/api/v1` of a running node, over plain sockets.
mod api;
/// What a hostile client can do with a socket costs the others nothing, and every request has one
/// reading.
mod attacks;
/// Chain files in every format: `import`, `export` and `verify` of the real binary.
mod chain_files;
/// Every command of the real binary: exit codes, standard output, standard error.
mod cli;
/// Networks of real processes agree, also after they were cut in two.
mod cluster;
/// Options from a file, after options and environment.
mod config;
/// What a node acknowledged outlives `kill -9`.
mod crash;
/// Every captured answer of a reference miner.
mod documented;
/// The documents: their length, their links and the messages they quote.
mod documents;
/// Options from environment variables.
mod environment;
/// The source tree keeps its own rules.
mod layout;
/// What the machine does to a node: full and failing disks, halts, clocks, too few file handles.
mod machine;
/// The files of a reference miner: written, and moved in from.
mod moving;
/// Every kind of bad peer costs a node nothing, and a good one beside it is still heard.
mod peers;
/// Many nodes on a network that loses, delays and doubles messages, the same way twice.
mod simulation;
/// A disk that stalls: additions, the node's own tasks and the queue of the writer.
mod stall;
/// Nothing acknowledged is lost when the disk fails or the power does, and damage has a name.
mod store_faults;
/// The store does what a plain list of blocks and messages does, step by step.
mod store_model;
/// Starting the binary, and speaking to it.
mod support;
/// What the tests of the store share: a die, a disk in memory, a maker of blocks.
mod support_store;
/// The explorer of the real binary: its pages, its one form, and what it keeps out.
mod ui;
/// Chains, proofs and seals made by the original program or written down for both.
mod vectors;
