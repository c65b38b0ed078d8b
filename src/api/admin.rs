//! The caller of a request, and whether it is an administrator: a client on the same machine that
//! sends the token that the node wrote next to its database.

use std::fmt;
use std::net::SocketAddr;

use http::{HeaderMap, StatusCode, header};
use thiserror::Error;
use warp::http;

use super::reject::ApiError;
use crate::http::is_forwarded;

/// The secret that an administrator sends. Each start of a node generates a new one.
#[derive(Clone)]
pub struct AdminToken(String);

/// The sender of a request. Stored among the extensions of the request.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// Remote address of the connection.
    pub remote: SocketAddr,
    /// `Ok` if the sender is an administrator.
    pub admin: Result<(), Forbidden>,
    /// A proxy forwarded the request for somebody else.
    pub is_forwarded: bool,
}

/// Reason why a request does not come from an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Forbidden {
    /// The request comes from another machine or through a proxy.
    #[error("only callers on the machine of the node may do this")]
    Remote,
    /// The token is missing or wrong.
    #[error("the Authorization header must be Bearer with the token in the node's .token file")]
    Token,
}

impl AdminToken {
    /// Generates a token.
    pub fn random() -> Self {
        // Each half has 122 random bits from the operating system.
        let half = || uuid::Uuid::new_v4().simple().to_string();
        Self(half() + &half())
    }

    /// Returns the text that follows `Bearer`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares in constant time, so that the duration does not reveal a matching prefix.
    fn matches(&self, text: &str) -> bool {
        let pairs = self.0.bytes().zip(text.bytes());
        let difference = pairs.fold(0, |difference, (a, b)| difference | (a ^ b));
        std::hint::black_box(difference) == 0 && self.0.len() == text.len()
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken")
    }
}

impl Caller {
    /// Determines the sender of a request with these headers. Without a `token` no sender is an
    /// administrator.
    pub fn new(remote: SocketAddr, headers: &HeaderMap, token: Option<&AdminToken>) -> Self {
        let is_forwarded = is_forwarded(headers);
        Self {
            remote,
            admin: check(remote, is_forwarded, headers, token),
            is_forwarded,
        }
    }

    /// Returns `true` if the request was sent on the machine of the node, and not by a proxy there.
    pub fn is_local(&self) -> bool {
        self.admin != Err(Forbidden::Remote)
    }
}

fn check(
    remote: SocketAddr,
    is_forwarded: bool,
    headers: &HeaderMap,
    token: Option<&AdminToken>,
) -> Result<(), Forbidden> {
    // A proxy on this machine forwards requests of others.
    if is_forwarded || !remote.ip().to_canonical().is_loopback() {
        return Err(Forbidden::Remote);
    }
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, given)| given.trim());
    match (token, given) {
        (Some(token), Some(given)) if token.matches(given) => Ok(()),
        _ => Err(Forbidden::Token),
    }
}

impl From<Forbidden> for ApiError {
    fn from(forbidden: Forbidden) -> Self {
        let (status, code) = match forbidden {
            Forbidden::Remote => (StatusCode::FORBIDDEN, "forbidden"),
            Forbidden::Token => (StatusCode::UNAUTHORIZED, "unauthorized"),
        };
        Self::new(status, code, forbidden.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: &str = "127.0.0.1:5";

    fn caller(remote: &str, headers: &[(&'static str, &str)], token: &AdminToken) -> Caller {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Caller::new(remote.parse().unwrap(), &map, Some(token))
    }

    #[test]
    fn the_whole_token_is_compared() {
        let token = AdminToken::random();
        assert_eq!(token.as_str().len(), 64);
        assert_ne!(token.as_str(), AdminToken::random().as_str());
        assert!(!format!("{token:?}").contains(token.as_str()));
        let check = |value: &str| caller(LOCAL, &[("authorization", value)], &token).admin;
        let text = token.as_str();
        for right in [format!("Bearer {text}"), format!("bearer  {text} ")] {
            assert_eq!(check(&right), Ok(()), "{right}");
        }
        for wrong in [
            String::new(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            format!("Basic {text}"),
            text.to_owned(),
            format!("Bearer {}", &text[1..]),
            format!("Bearer {}", &text[..63]),
            format!("Bearer {text}0"),
            format!("Bearer {}", AdminToken::random().as_str()),
        ] {
            assert_eq!(check(&wrong), Err(Forbidden::Token), "{wrong}");
        }
        let headers = HeaderMap::from_iter([(
            header::AUTHORIZATION,
            format!("Bearer {text}").parse().unwrap(),
        )]);
        let caller = Caller::new(LOCAL.parse().unwrap(), &headers, None);
        assert_eq!(caller.admin, Err(Forbidden::Token));
    }

    #[test]
    fn only_local_callers_are_administrators() {
        let token = AdminToken::random();
        let value = format!("Bearer {}", token.as_str());
        let authorized = ("authorization", &*value);
        for local in [LOCAL, "127.8.8.8:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(
                caller(local, &[authorized], &token).admin,
                Ok(()),
                "{local}"
            );
        }
        for remote in ["192.0.2.1:1", "[2001:db8::1]:1", "[::ffff:192.0.2.1]:1"] {
            let sender = caller(remote, &[authorized], &token);
            assert_eq!(sender.admin, Err(Forbidden::Remote), "{remote}");
        }
        for name in ["forwarded", "x-forwarded-for"] {
            let sender = caller(LOCAL, &[authorized, (name, "127.0.0.1")], &token);
            assert_eq!(sender.admin, Err(Forbidden::Remote), "{name}");
        }
    }

    #[test]
    fn each_reason_has_its_status() {
        let status = |forbidden: Forbidden| ApiError::from(forbidden).into_response();
        assert_eq!(status(Forbidden::Remote).status(), 403);
        let response = status(Forbidden::Token);
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
    }
}
