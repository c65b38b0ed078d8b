//! Checks of a request head before any route sees the request.
//!
//! `hyper` rejects a head that breaks the syntax of RFC 9112. The checks here are those it leaves to
//! its user: the form of the request target, the `Host` header, and expectations.

use std::net::Ipv6Addr;

use hyper::http::uri::{Authority, Scheme};
use hyper::{HeaderMap, Method, Request, StatusCode, Uri, Version, header};
use thiserror::Error;

/// Reason why a request is rejected by its head alone. The bytes that follow such a head cannot be
/// trusted to be another request, so the connection is closed after the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum InvalidHead {
    /// The `Host` is missing, repeated or malformed.
    #[error("an HTTP/1.1 request must have exactly one valid Host header")]
    Host,
    /// The form of the request target is not allowed for its method.
    #[error("the request target must be a path or an http URL")]
    Target,
    /// The method is `CONNECT`, which only proxies support.
    #[error("CONNECT is not supported because this server is not a proxy")]
    Connect,
    /// `Expect` has a value other than `100-continue`.
    #[error("the only supported value of Expect is 100-continue")]
    Expectation,
}

impl InvalidHead {
    /// Returns the status code of the response.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Host | Self::Target => StatusCode::BAD_REQUEST,
            Self::Connect => StatusCode::METHOD_NOT_ALLOWED,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
        }
    }
}

/// Checks the head of a request.
///
/// # Errors
/// [`InvalidHead`] if no route may see the request.
pub(crate) fn check_head<B>(request: &Request<B>) -> Result<(), InvalidHead> {
    let (headers, is_11) = (request.headers(), request.version() == Version::HTTP_11);
    // First, so that no other error depends on which of two hosts is meant.
    check_host(headers, is_11)?;
    match *request.method() {
        Method::CONNECT => return Err(InvalidHead::Connect),
        Method::OPTIONS if request.uri() == "*" => {}
        _ => check_target(request.uri())?,
    }
    // RFC 9110, section 10.1.1: HTTP/1.0 has no expectations.
    let is_continue = |value: &header::HeaderValue| {
        let value = value.as_bytes();
        value.eq_ignore_ascii_case(b"100-continue")
    };
    if is_11 && !headers.get_all(header::EXPECT).iter().all(is_continue) {
        return Err(InvalidHead::Expectation);
    }
    Ok(())
}

/// Checks the rule of RFC 9112, section 3.2: one `Host` header, which HTTP/1.0 may omit.
fn check_host(headers: &HeaderMap, is_required: bool) -> Result<(), InvalidHead> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if !is_required => Ok(()),
        (Some(host), None) if host.to_str().is_ok_and(is_host) => Ok(()),
        _ => Err(InvalidHead::Host),
    }
}

/// Returns `true` for a host with an optional port. The host of an `http` URL must not be empty (RFC
/// 9110, section 4.2.1).
fn is_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else {
        return false;
    };
    let host = authority.host();
    let is_name = match host.strip_prefix('[') {
        Some(address) => address
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => !host.is_empty(),
    };
    // A text with user information does not begin with the host.
    let port = text.strip_prefix(host).map(|port| port.strip_prefix(':'));
    let is_port = match port {
        Some(Some(port)) => {
            let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
            is_number && (port.is_empty() || port.parse::<u16>().is_ok())
        }
        Some(None) => text.len() == host.len(),
        None => false,
    };
    is_name && is_port
}

/// Checks the rule of RFC 9112, section 3.2: the target is a path or an absolute URL.
fn check_target(target: &Uri) -> Result<(), InvalidHead> {
    let is_path = target.path().starts_with('/');
    let is_http = |scheme: &Scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS;
    let is_url = target.scheme().is_some_and(is_http);
    let is_bare = target.scheme().is_none() && target.authority().is_none();
    if is_path && (is_url || is_bare) {
        Ok(())
    } else {
        Err(InvalidHead::Target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        for host in [
            "x",
            "x:80",
            "x:",
            "127.0.0.1:1",
            "[::1]",
            "[::1]:65535",
            "a_b.example",
        ] {
            assert!(is_host(host), "{host}");
        }
        for host in [
            "", ":80", "x:y", "x:65536", "x:+1", "u@x", "x/", "x y", "::1", "[x]", "[::1",
            "[::1]x", "x?",
        ] {
            assert!(!is_host(host), "{host}");
        }
    }

    #[test]
    fn a_target_is_a_path_or_an_http_url() {
        for target in ["/", "/x?y", "//x", "http://x", "http://x?y", "https://x/y"] {
            assert_eq!(check_target(&target.parse().unwrap()), Ok(()), "{target}");
        }
        for target in ["a:1", "a", "*", "ftp://x/y"] {
            let checked = check_target(&target.parse().unwrap());
            assert_eq!(checked, Err(InvalidHead::Target), "{target}");
        }
    }
}
