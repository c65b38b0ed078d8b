//! Protection against cross-site requests and DNS rebinding.
//!
//! A page on the internet can make a visitor's browser send requests to a server of this program.
//! A request from a browser is therefore allowed only if its `Host` is an IP address, `localhost` or
//! a configured name, and its `Origin`, if any, is the server itself. Requests from other programs
//! are always allowed.

use std::net::IpAddr;

use hyper::http::uri::Authority;
use hyper::{HeaderMap, header};

/// Returns `true` if the headers say that a proxy forwarded the request for somebody else.
pub(crate) fn is_forwarded(headers: &HeaderMap) -> bool {
    let names = ["forwarded", "x-forwarded-for"];
    names.into_iter().any(|name| headers.contains_key(name))
}

/// Decides which requests of browsers are allowed.
#[derive(Clone, Debug, Default)]
pub struct OriginPolicy {
    /// Host names, in lower case, that are allowed besides IP addresses and `localhost`.
    pub allowed_hosts: Vec<String>,
}

/// Reason why a request of a browser is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ForeignRequest {
    /// Its host name is not allowed, missing or invalid.
    Host(Option<String>),
    /// It comes from a page of another site, or a proxy changed its host.
    Origin,
}

impl OriginPolicy {
    /// Checks the headers of a request.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), ForeignRequest> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let is_browser = headers.contains_key(header::ORIGIN)
            || headers
                .keys()
                .any(|name| name.as_str().starts_with("sec-fetch-"))
            || text(header::USER_AGENT).is_some_and(|agent| agent.contains("Mozilla/"));
        if !is_browser {
            return Ok(());
        }
        let host = text(header::HOST).ok_or(ForeignRequest::Host(None))?;
        let authority = host.parse::<Authority>();
        let authority = authority.map_err(|_| ForeignRequest::Host(None))?;
        let name = authority
            .host()
            .trim_matches(['[', ']'])
            .to_ascii_lowercase();
        let is_allowed_host = name.parse::<IpAddr>().is_ok()
            || name == "localhost"
            || self.allowed_hosts.contains(&name);
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let is_same_origin = origins.all(|origin| {
            origin.to_str().is_ok_and(|origin| {
                let site = origin
                    .strip_prefix("http://")
                    .or(origin.strip_prefix("https://"));
                site.is_some_and(|site| site.eq_ignore_ascii_case(host))
            })
        });
        match (is_allowed_host, is_same_origin) {
            (true, true) => Ok(()),
            (true, false) => Err(ForeignRequest::Origin),
            (false, _) => Err(ForeignRequest::Host(Some(name))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(headers: &[(&'static str, &str)]) -> bool {
        let policy = OriginPolicy {
            allowed_hosts: vec!["node.example".to_owned()],
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        policy.check(&map).is_ok()
    }

    #[test]
    fn programs_may_use_any_host() {
        assert!(allows(&[]));
        assert!(allows(&[
            ("host", "anything"),
            ("user-agent", "python-requests/2.34")
        ]));
    }

    #[test]
    fn a_browser_must_use_an_address_or_an_allowed_host() {
        const AGENT: (&str, &str) = ("user-agent", "Mozilla/5.0");
        for host in [
            "127.0.0.1:12345",
            "[::1]:1",
            "localhost:12345",
            "NODE.example",
        ] {
            assert!(allows(&[AGENT, ("host", host)]), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "",
        ] {
            assert!(!allows(&[AGENT, ("host", host)]), "{host}");
        }
        assert!(!allows(&[AGENT]));
        assert!(!allows(&[
            ("sec-fetch-site", "cross-site"),
            ("host", "evil.example")
        ]));
    }

    #[test]
    fn a_request_from_another_origin_is_rejected() {
        let host = ("host", "127.0.0.1:12345");
        assert!(allows(&[host, ("origin", "http://127.0.0.1:12345")]));
        for origin in ["http://evil.example", "null", "http://127.0.0.1:8080", ""] {
            assert!(!allows(&[host, ("origin", origin)]), "{origin}");
            let own = ("origin", "http://127.0.0.1:12345");
            assert!(!allows(&[host, own, ("origin", origin)]), "{origin}");
        }
    }
}
