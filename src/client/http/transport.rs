//! The transport over HTTP.

use std::error::Error;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt};

use super::client_builder;
use crate::client::transport::{Method, Request, Transport, TransportError, TransportResponse};

/// Sends requests over HTTP. One connection pool serves all peers.
#[derive(Clone, Debug)]
pub struct HttpTransport(reqwest::Client);

impl HttpTransport {
    /// Creates a transport without connections.
    ///
    /// # Errors
    /// If the HTTP client cannot be initialized.
    pub fn new() -> Result<Self, TransportError> {
        Ok(Self(client_builder().pool_max_idle_per_host(2).build()?))
    }
}

impl Transport for HttpTransport {
    fn send(
        &self,
        request: Request,
    ) -> BoxFuture<'static, Result<TransportResponse, TransportError>> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Head => reqwest::Method::HEAD,
            Method::Post => reqwest::Method::POST,
        };
        let url = format!("http://{}{}", request.to, request.path);
        let mut builder = self.0.request(method, url);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if !request.body.is_empty() {
            builder = builder
                .header(reqwest::header::CONTENT_TYPE, "application/json")
                .body(request.body);
        }
        async move {
            let response = builder.send().await.map_err(|error| root_cause(&error))?;
            let length = response.headers().get(reqwest::header::CONTENT_LENGTH);
            let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
            Ok(TransportResponse {
                status: response.status().as_u16(),
                length,
                body: response
                    .bytes_stream()
                    .map_err(|error| Box::new(error.without_url()) as TransportError)
                    .boxed(),
            })
        }
        .boxed()
    }
}

/// Returns the innermost cause, such as "Connection refused": the errors around it say only that a
/// request failed, and its address, which every message names already.
fn root_cause(error: &reqwest::Error) -> TransportError {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string().into()
}
