//! Every command of the real binary: what it prints where, and its exit code.
//!
//! * [`node`], [`network`]: starting a node, what it keeps and what it rejects
//! * [`join`]: inviting and joining
//! * [`stop`]: signals, and the log it leaves
//! * [`lost`]: starting where the database is missing
//! * [`paths`]: paths and files that cannot be used
//! * [`add`], [`get`], [`export`], [`verify`]: asking it, and reading its files
//! * [`foreign`]: asking what is not a node
//! * [`pow`], [`usage`], [`errors`]: what needs no node

mod add;
mod errors;
mod export;
mod foreign;
mod get;
mod join;
mod lost;
mod neighbours;
mod network;
mod node;
mod paths;
mod pow;
mod stop;
mod usage;
mod verify;
