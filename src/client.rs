//! The client side of the API: addresses of nodes, and asking them.
//!
//! * [`address`]: where a node is
//! * [`http`]: what people and their programs ask
//! * [`peer`]: what nodes ask each other
//! * [`transport`]: how that gets there

pub mod address;
pub mod http;
pub mod peer;
pub mod transport;

pub use address::NodeAddress;
pub use http::{ClientError, Events, HttpClient, HttpTransport};
pub use peer::{PeerClient, PeerError};
