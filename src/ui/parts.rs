//! Fragments that several pages show, each with its template where it needs one.
//!
//! * [`text`]: a message, with all hidden characters made visible
//! * [`hash_link`]: a hash with its colour bar; [`seal_badge`]: the seal state of a block;
//!   [`relative_time`]: a point in time
//! * [`block_card`], [`disconnected_row`], [`pending_row`], [`peer_row`]: a block, a disconnected one, a
//!   pending message and a peer in a list
//! * [`fork`]: the drawing of a reorg; [`remedy`]: commands that bring two nodes onto the same network
//! * [`stamp`]: the message of a stamp; [`status_summary`]: mining and sync status in words

mod block_card;
mod disconnected_row;
mod fork;
mod hash_link;
mod peer_row;
mod pending_row;
mod relative_time;
mod remedy;
mod seal_badge;
mod stamp;
mod status_summary;
pub(super) mod text;

pub(super) use block_card::BlockCard;
pub(super) use disconnected_row::DisconnectedRow;
pub(super) use fork::Fork;
pub(super) use hash_link::HashLink;
pub(super) use peer_row::PeerRow;
pub(super) use pending_row::PendingRow;
pub(super) use relative_time::{RelativeTime, now};
pub(super) use remedy::shorten_hashes;
pub(super) use seal_badge::SealBadge;
pub(super) use stamp::StampSummary;
pub(super) use status_summary::StatusSummary;
pub(super) use text::{Line, Text};
