//! The client side of the API.
//!
//! * [`address`]: [`NodeAddress`], the address of a node
//! * [`http`]: [`HttpClient`], which the commands and the explorer use
//! * [`peer`]: [`PeerClient`], which nodes use among each other; it limits size, time and rate of
//!   every response
//! * [`invite`]: [`InviteCode`], the word that leads a new node to a network
//! * `body_reader`: reads a long response on a blocking thread while it arrives
//! * [`transport`]: the seam under [`PeerClient`], which the simulated network replaces

pub mod address;
mod body_reader;
pub mod http;
pub mod invite;
pub mod peer;
pub mod transport;

pub use address::NodeAddress;
pub use body_reader::{BodyReader, read_blocking};
pub use http::{ClientError, Events, HttpClient, HttpTransport};
pub use invite::InviteCode;
pub use peer::{PeerClient, PeerError};
