//! Cross-origin resource sharing: the API for web applications of the origins that `--allow-origin`
//! names.
//!
//! A page of such an origin may read and add messages, from the browsers of its visitors. It can use
//! neither the operations of administrators nor those between nodes, and no credentials are
//! accepted. The rule for the `Host` stays, so that DNS rebinding is no way around it.

use std::fmt;
use std::str::FromStr;

use http::{HeaderMap, HeaderValue, Method, Request, header};
use thiserror::Error;
use url::Url;
use warp::http;
use warp::reply::Response;

use super::operation::{ApiOperation, Endpoint};
use super::paths;
use super::reject::no_content;

/// Request headers that a page may set.
const ALLOWED_HEADERS: &str = "content-type, idempotency-key, if-none-match, last-event-id";

/// Response headers that a page may read, besides those that every page may.
const EXPOSED_HEADERS: &str = "content-disposition, etag, retry-after";

/// Seconds for which a browser may remember the answer to a preflight request.
const MAX_AGE: &str = "600";

/// An origin as browsers send it, such as `https://app.example` (RFC 6454, section 6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// Error for a text that is not an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an origin is http:// or https://, a host and perhaps a port, such as https://app.example")]
pub struct InvalidOrigin;

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let url: Url = text.parse().map_err(|_| InvalidOrigin)?;
        let is_web = matches!(url.scheme(), "http" | "https");
        // The parser corrects much that is not an origin.
        let (_, authority) = text.split_once("://").ok_or(InvalidOrigin)?;
        let is_more = |c: char| c.is_whitespace() || "/\\?#@".contains(c);
        let has_more = text.starts_with(char::is_whitespace)
            || authority.contains(is_more)
            || authority.ends_with(':');
        let host = url.host_str().unwrap_or_default();
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        if !is_web || has_more || !host.bytes().all(is_host) {
            return Err(InvalidOrigin);
        }
        HeaderValue::try_from(url.origin().ascii_serialization())
            .map(Self)
            .map_err(|_| InvalidOrigin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

/// The answer to a request of a page of another origin.
#[derive(Debug)]
pub(super) enum Sharing {
    /// The page may not send it.
    Forbidden,
    /// Answered here: the browser asks what the page may send.
    Preflight(Response),
    /// Answered by the routes, and shared with the page.
    Allowed(HeaderValue),
}

/// Decides about a request whose `Origin` is not the node itself.
pub(super) fn share<B>(origins: &[Origin], request: &Request<B>) -> Sharing {
    let mut sent = request.headers().get_all(header::ORIGIN).iter();
    let (Some(origin), None) = (sent.next(), sent.next()) else {
        return Sharing::Forbidden;
    };
    if !origins.iter().any(|allowed| allowed.0 == origin) {
        return Sharing::Forbidden;
    }
    let asked = (*request.method() == Method::OPTIONS)
        .then(|| request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD))
        .flatten();
    let method = asked.map_or(request.method().as_str(), |method| {
        method.to_str().unwrap_or_default()
    });
    let path = paths::find(request.uri().path());
    let operation = path.and_then(|path| path.operation(method));
    // The page may also learn that there is no such path or method.
    if operation.is_some_and(|operation| !is_shared(operation)) {
        return Sharing::Forbidden;
    }
    if asked.is_none() {
        return Sharing::Allowed(origin.clone());
    }
    let mut response = no_content();
    let headers = response.headers_mut();
    allow(headers, origin.clone());
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, PUT"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    vary(headers, "access-control-request-method");
    Sharing::Preflight(response)
}

/// Returns `true` if pages of allowed origins may use an operation.
fn is_shared(operation: &ApiOperation) -> bool {
    !operation.is_for_admin && operation.endpoint != Endpoint::Announce
}

/// Shares a response with the page that asked, if one did. Without allowed origins it is unchanged.
pub(super) fn finish(origins: &[Origin], origin: Option<HeaderValue>, response: &mut Response) {
    if origins.is_empty() {
        return;
    }
    let headers = response.headers_mut();
    match origin {
        // A preflight response, which is complete.
        None if headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) => {}
        Some(origin) => {
            allow(headers, origin);
            headers.insert(
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static(EXPOSED_HEADERS),
            );
        }
        // A cache must not give this response to a page.
        None => vary(headers, "origin"),
    }
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    vary(headers, "origin");
}

fn vary(headers: &mut HeaderMap, name: &'static str) {
    headers.append(header::VARY, HeaderValue::from_static(name));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        for (text, expected) in [
            ("https://app.example", "https://app.example"),
            ("HTTPS://App.Example:443", "https://app.example"),
            ("http://app.example:80", "http://app.example"),
            ("http://app.example:443", "http://app.example:443"),
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
            ("http://app.example:0080", "http://app.example"),
            ("https://münchen.example", "https://xn--mnchen-3ya.example"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), expected);
        }
        for wrong in [
            "",
            "*",
            "null",
            "app.example",
            "https://",
            "https://*",
            "https://*.example",
            "https://app.example/",
            "https://app.example/path",
            "https://app.example?x",
            "https://user@app.example",
            "https:app.example",
            "https:///app.example",
            "https://app.example/.",
            "https://app.example\\",
            "https://app.example:",
            " https://app.example",
            "https://app.example ",
            "https://app.example:99999",
            "https://app.example:+8443",
            "https://a..b;c",
            "ftp://app.example",
            "file:///x",
            "https://app.example,https://b",
        ] {
            assert_eq!(wrong.parse::<Origin>(), Err(InvalidOrigin), "{wrong}");
        }
    }

    fn shared(method: &str, path: &str, headers: &[(&str, &str)]) -> Sharing {
        let origins = ["https://app.example".parse().unwrap()];
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        share(&origins, &request.body(()).unwrap())
    }

    #[test]
    fn every_read_and_addition_is_shared_and_no_other_operation() {
        use super::super::operations::OPERATIONS;

        let mut refused = Vec::new();
        for operation in OPERATIONS {
            let path = operation.path.replace(['{', '}'], "");
            let origin = ("origin", "https://app.example");
            let asks = ("access-control-request-method", operation.method);
            let is_allowed = matches!(
                shared(operation.method, &path, &[origin]),
                Sharing::Allowed(_)
            );
            let preflight = shared("OPTIONS", &path, &[origin, asks]);
            assert_eq!(
                matches!(preflight, Sharing::Preflight(_)),
                is_allowed,
                "{path}"
            );
            if !is_allowed {
                refused.push((operation.method, operation.path));
            }
            for foreign in ["https://app.example:8443", "http://app.example", "null", ""] {
                let found = shared(operation.method, &path, &[("origin", foreign)]);
                assert!(matches!(found, Sharing::Forbidden), "{path} {foreign}");
            }
        }
        refused.sort_unstable();
        assert_eq!(
            refused,
            [
                ("DELETE", "/api/v1/neighbours/{address}"),
                ("POST", "/api/v1/announce"),
                ("POST", "/api/v1/neighbours"),
                ("POST", "/api/v1/reorgs/acknowledge"),
            ]
        );
        let twice = [("origin", "https://app.example"); 2];
        assert!(matches!(
            shared("GET", "/chain", &twice),
            Sharing::Forbidden
        ));
        for (method, path) in [
            ("GET", "/nothing"),
            ("PUT", "/chain"),
            ("OPTIONS", "/chain"),
        ] {
            let found = shared(method, path, &twice[..1]);
            assert!(matches!(found, Sharing::Allowed(_)), "{method} {path}");
        }
    }
}
