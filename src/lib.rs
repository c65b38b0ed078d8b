//! A self-hosted proof-of-work message chain: durable, tamper-evident, one binary.
//!
//! Read it in this order:
//! * [`chain`]: the rules, pure
//! * [`pow`]: the puzzle and its search, pure
//! * [`codec`], [`reference`], [`wire`]: blocks as stored bytes, as the original program's texts, as
//!   JSON of this program's API; pure
//! * [`snapshot`]: chain files in every format; pure but for what it is given to read and write
//! * [`text`], [`temporary`], [`clock`]: text for people, made safe to show, names of unfinished files, the time
//! * [`fs`]: files opened and replaced with care
//! * [`store`]: the database; plain threads, no async
//! * [`http`]: what stands under every server; knows no routes
//! * [`node`]: the one door to the store, and the tasks
//! * [`api`]: the REST API in front of a node; [`client`]: asking one
//! * [`ui`]: the explorer, pages over the API of a node anywhere
//! * [`cli`]: the commands
//!
//! Each may use what stands above it, never what stands below.

pub mod api;
pub mod chain;
pub mod cli;
pub mod client;
pub mod clock;
pub mod codec;
pub mod fs;
pub mod http;
pub mod node;
pub mod pow;
pub mod reference;
pub mod snapshot;
pub mod store;
pub mod text;
pub mod ui;
pub mod wire;
