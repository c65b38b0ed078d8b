//! The seam between what nodes ask each other and how it gets there: HTTP in a real node, memory
//! in a simulated network.

use std::error::Error;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use super::NodeAddress;

/// What failed on the way; the text is for the log.
pub type TransportError = Box<dyn Error + Send + Sync>;

/// How a request gets to another node, and the answer back.
pub trait Transport: Send + Sync {
    /// Sends one request. Redirects are not followed, content is not decoded, and there is no time
    /// limit but for connecting: the caller has one.
    fn send(
        &self,
        request: Request,
    ) -> BoxFuture<'static, Result<TransportResponse, TransportError>>;
}

/// The methods that nodes use among each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Asks for something.
    Get,
    /// Asks how long the answer would be.
    Head,
    /// Says something.
    Post,
}

/// A request to another node.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who is asked.
    pub to: NodeAddress,
    /// How.
    pub method: Method,
    /// What for: path and query.
    pub path: String,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// A body of JSON; empty for none.
    pub body: Vec<u8>,
}

/// The answer of another node.
pub struct TransportResponse {
    /// The status code.
    pub status: u16,
    /// What `Content-Length` says.
    pub length: Option<u64>,
    /// The body as it arrives.
    pub body: BoxStream<'static, Result<Bytes, TransportError>>,
}
