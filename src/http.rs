//! The HTTP server that the API and the explorer run on. It knows neither routes nor nodes.
//!
//! * `server`: [`serve`] accepts connections and answers their requests; [`catch_panic`] isolates
//!   a handler that panics
//! * `pool`: [`ConnectionPool`], the limits of connections and memory, and which connection is
//!   evicted
//! * `open_files`: the limit of open files
//! * `connection`: the byte stream under a connection: counters, minimum read rate, lingering close
//! * `request_body`, `response_body`: bodies that tell the pool whether the server or the client is
//!   to act next
//! * `head`: [`check_head`], the checks of a request head that no route may see
//! * `host`: the host that a request names, as pages show it
//! * `origin_policy`: [`OriginPolicy`], which requests of browsers are allowed
//! * `compression`: responses compressed with gzip
//! * `conditional`: [`is_unchanged`], conditional requests
//! * `body`: [`read_body`], a whole request body with limits in size and time

mod body;
mod compression;
mod conditional;
mod connection;
mod head;
mod host;
mod open_files;
mod origin_policy;
mod pool;
mod request_body;
mod response_body;
mod server;

pub(crate) use body::{BodyError, read_body};
pub(crate) use conditional::is_unchanged;
pub(crate) use head::{InvalidHead, check_head};
pub(crate) use host::{plain_host, request_host};
pub(crate) use open_files::raise_open_file_limit;
pub use origin_policy::OriginPolicy;
pub(crate) use origin_policy::{ForeignRequest, is_forwarded};
pub use pool::ConnectionPool;
pub use request_body::TrackedRequestBody;
pub use server::serve;
pub(crate) use server::{Panicked, catch_panic};
