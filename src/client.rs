//! The client side of the API: addresses of nodes, and asking them.
//!
//! * [`address`]: where a node is
//! * [`http`]: what people and their programs ask
//! * [`peer`]: what nodes ask each other; `body_reader`: a long answer, read while it arrives
//! * [`transport`]: how that gets there

pub mod address;
mod body_reader;
pub mod http;
pub mod peer;
pub mod transport;

pub use address::NodeAddress;
pub use body_reader::{BodyReader, read_blocking};
pub use http::{ClientError, Events, HttpClient, HttpTransport};
pub use peer::{PeerClient, PeerError};
