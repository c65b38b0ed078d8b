//! The REST API of the real binary, over plain sockets.
//!
//! * [`reference`]: the responses of the reference miner, as captured from it
//! * [`blocks`], [`messages`]: `/api/v1`
//! * [`compression`]: compressed responses
//! * [`cors`]: web applications of other origins
//! * [`errors`]: invalid requests to `/api/v1`
//! * [`events`]: server-sent events, and the reorgs they tell of
//! * [`search`]: finding blocks and messages
//! * [`metrics`]: metrics for Prometheus
//! * [`openapi`]: the API describes itself
//! * [`streams`]: `/chain` and `/data` while what they hold changes
//! * [`load`]: slow readers, idle connections, long bodies

mod blocks;
mod compression;
mod cors;
mod errors;
mod events;
mod lines;
mod load;
mod messages;
mod metrics;
mod openapi;
mod reference;
mod search;
mod streams;
