//! The interface between the requests of nodes to each other and their transport: HTTP in a real node,
//! memory in a simulated network.

use std::error::Error;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use super::NodeAddress;

/// A failure of the transport. The text is for the log.
pub type TransportError = Box<dyn Error + Send + Sync>;

/// Sends requests to other nodes.
pub trait Transport: Send + Sync {
    /// Sends one request. Does not follow redirects or decode content. The only timeout is that of
    /// connecting; the caller has others.
    fn send(
        &self,
        request: Request,
    ) -> BoxFuture<'static, Result<TransportResponse, TransportError>>;
}

/// The HTTP methods that nodes use among each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`.
    Get,
    /// `HEAD`, for the length of a response.
    Head,
    /// `POST`.
    Post,
}

/// A request to another node.
#[derive(Clone, Debug)]
pub struct Request {
    /// Address of the node.
    pub to: NodeAddress,
    /// Method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Additional headers.
    pub headers: Vec<(&'static str, String)>,
    /// JSON body; empty for none.
    pub body: Vec<u8>,
}

/// The response of another node.
pub struct TransportResponse {
    /// The status code.
    pub status: u16,
    /// Value of `Content-Length`.
    pub length: Option<u64>,
    /// The body as it arrives.
    pub body: BoxStream<'static, Result<Bytes, TransportError>>,
}
