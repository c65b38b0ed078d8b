//! The integration tests, linked into one binary.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of a test fail like the test itself"
)]

/// The reference endpoints and `/api/v1` of a running node, over plain sockets.
mod api;
/// Hostile clients neither harm others nor smuggle requests.
mod attacks;
/// Chain files in every format: `import`, `export` and `verify` of the real binary.
mod chain_files;
/// Every command of the real binary: exit codes, standard output, standard error.
mod cli;
/// Networks of real processes agree, also after a partition.
mod cluster;
/// Configuration files, and their precedence below options and environment.
mod config;
/// Acknowledged messages survive `kill -9`.
mod crash;
/// The documents: their length, their links and the messages they quote.
mod documents;
/// Options from environment variables.
mod environment;
/// Programs beside a node, with the files of `docker/`: shippers of logs, Git, Prometheus.
mod integrations;
/// The source tree keeps its own rules.
mod layout;
/// Faults of the machine: full and failing disks, a halted process, clocks, few file handles.
mod machine;
/// Chain files of a reference miner: written beside the database, and imported at the first start.
mod migration;
/// Rewritten chains are noticed, told and kept: `monitor` of the real binary.
mod monitor;
/// Bad peers of every kind harm no node and do not delay good peers.
mod peers;
/// Receipts, checkpoints and consistency proofs, as people use them.
mod receipts;
/// Every captured request to a reference miner gets the captured response.
mod reference_captures;
/// Many nodes on a simulated network that loses, delays and duplicates requests, repeatable by seed.
mod simulation;
/// A stalled disk: additions, the node's own tasks and the writer's queue.
mod stall;
/// Nothing acknowledged is lost in disk failures and power cuts, and damage is a named error.
mod store_faults;
/// The store behaves like a model made of plain collections.
mod store_model;
/// Helpers of all tests.
mod support;
/// The explorer of the real binary: pages, the form, security headers.
mod ui;
/// Vectors of chains, proofs and seals, most of them produced by the reference miner.
mod vectors;
