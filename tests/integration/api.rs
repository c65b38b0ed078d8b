//! The REST API of the real binary, over plain sockets.
//!
//! * [`documented`]: the answers of the original program, as captured from it
//! * [`blocks`], [`messages`]: `/api/v1`
//! * [`errors`]: what `/api/v1` does not take
//! * [`events`]: server-sent events, and the reorgs they tell of
//! * [`search`]: finding blocks and messages
//! * [`metrics`]: numbers for a monitor
//! * [`openapi`]: the API describes itself
//! * [`streams`]: `/chain` and `/data` while what they hold changes
//! * [`load`]: slow readers, idle connections, long bodies

mod blocks;
mod documented;
mod errors;
mod events;
mod load;
mod messages;
mod metrics;
mod openapi;
mod search;
mod streams;
