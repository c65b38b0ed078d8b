//! A self-hosted proof-of-work message chain: durable, tamper-evident, one binary.
//!
//! A node stores messages in a database, mines each into a block, and exchanges blocks and messages
//! with other nodes. The binary is a thin `main` over [`cli::run`].
//!
//! # Where to start
//!
//! * [`chain`] has the data types and the rules, [`pow`] the puzzle. [`chain::seal`] explains sealed
//!   proofs and what they protect.
//! * [`node`] describes the path of a message from a client to another node.
//! * [`store::tables`] is the schema of the database.
//! * [`reference`](mod@reference) lists the differences from the reference miner.
//!
//! # Map of modules
//!
//! A module imports exactly the modules in its row, which are all above it. A test enforces this. The
//! modules up to [`store`] contain no async code.
//!
//! | module | owns | imports |
//! |---|---|---|
//! | [`pow`] | the proof-of-work puzzle and the search for proofs | |
//! | [`text`] | escaping of untrusted text, plurals, durations | |
//! | [`clock`] | the system time | |
//! | [`netgroup`] | the unit of limits per remote address | |
//! | [`fs`] | safe opening, atomic replacing and syncing of files | |
//! | [`chain`] | blocks, messages, hashes, seals, the rules of the chain | pow, text |
//! | [`proofs`] | receipts, checkpoints and consistency proofs, for readers without a node | chain |
//! | [`codec`] | the binary encoding of blocks and records | chain, text |
//! | [`reference`](mod@reference) | the formats of the reference miner | chain, text |
//! | [`wire`] | the bodies of `/api/v1` | chain, proofs |
//! | [`snapshot`] | chain files in every format, backups | chain, codec, fs, reference, text, wire |
//! | [`store`] | the database: tables, one writer, reads | chain, codec, fs, pow, proofs, reference, text |
//! | [`http`] | the HTTP server below all routes: connections, timeouts, bodies | netgroup |
//! | [`client`] | addresses of nodes and requests to them | chain, codec, pow, reference, wire |
//! | [`monitor`] | checks that nodes extend kept checkpoints, and keeps both branches | chain, client, fs, pow, proofs, text, wire |
//! | [`node`] | a node: mining, peers, synchronization, backups | chain, client, clock, fs, netgroup, pow, reference, snapshot, store, text, wire |
//! | [`api`] | the REST API of a node | chain, client, codec, http, netgroup, node, proofs, reference, store, text, wire |
//! | [`ui`] | the explorer: pages over the API of any node | chain, client, http, pow, proofs, text, wire |
//! | [`cli`] | the commands | api, chain, client, clock, fs, http, monitor, node, pow, proofs, reference, snapshot, store, text, ui, wire |
//!
//! # Embedding a node
//!
//! ```
//! use std::num::NonZeroUsize;
//! use std::sync::Arc;
//!
//! use blockchain::chain::Block;
//! use blockchain::clock::SystemClock;
//! use blockchain::node::settings::{PeerSettings, ProofMode, Settings};
//! use blockchain::node::{Executor, Node, miner};
//! use blockchain::pow::Difficulty;
//! use blockchain::store::{Network, Store};
//! use tokio_util::sync::CancellationToken;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Create a database in which every block must be sealed.
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("node.redb");
//! let network = Network { difficulty: Difficulty::MIN, sealed_from: Some(1) };
//! Store::create(&path, &Block::default_genesis(), network)?;
//!
//! let settings = Settings {
//!     threads: NonZeroUsize::new(1),
//!     proof: ProofMode::Sealed,
//!     snapshot: None,
//!     peers: PeerSettings::default(),
//!     add_rate: None,
//! };
//! let min_free_bytes = 0;
//! let node = Node::open(&path, min_free_bytes, settings, Arc::new(SystemClock), Executor::Pool)?;
//! let node = Arc::new(node);
//!
//! // Run only the miner. `node::run::run` runs all tasks and a server.
//! let shutdown = CancellationToken::new();
//! let miner = tokio::spawn(miner::run(Arc::clone(&node), shutdown.clone()));
//!
//! // The message is on disk when `add_message` returns.
//! let added = node.add_message("hello, chain".to_owned(), None).await?;
//! let mut commits = node.subscribe();
//! while node.state().length() < 2 {
//!     commits.changed().await?;
//! }
//! assert_eq!(node.view()?.index_of_message(&added.id)?, Some(1));
//!
//! shutdown.cancel();
//! miner.await??;
//! # Ok(())
//! # }
//! ```

pub mod api;
pub mod chain;
pub mod cli;
pub mod client;
pub mod clock;
pub mod codec;
pub mod fs;
pub mod http;
pub mod monitor;
mod netgroup;
pub mod node;
pub mod pow;
pub mod proofs;
pub mod reference;
pub mod snapshot;
pub mod store;
pub mod text;
pub mod ui;
pub mod wire;
