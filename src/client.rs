//! The client side of the API: addresses of nodes, and asking them.

pub mod address;
pub mod http;

pub use address::NodeAddress;
pub use http::{ClientError, Events, HttpClient};
