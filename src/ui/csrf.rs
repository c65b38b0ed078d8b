//! Cross-site request forgery protection of the form: a cookie with a random session id, and a token
//! in the form that is a MAC of that id.
//!
//! All ports of a host share its cookies, so another server on the host can set the cookie. Only
//! this process can compute the matching token, because only it knows the key.

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, header};
use sha2::Sha256;
use uuid::Uuid;
use warp::http;

const COOKIE: &str = "explorer";

/// The session of a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BrowserSession {
    id: String,
    is_new: bool,
}

impl BrowserSession {
    /// Returns the session of a request, or a new one.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        match session_id(headers) {
            Some(id) => Self { id, is_new: false },
            None => Self {
                id: Uuid::new_v4().simple().to_string(),
                is_new: true,
            },
        }
    }

    /// Returns the `Set-Cookie` value for a new session.
    pub(super) fn cookie(&self, base: &str) -> Option<HeaderValue> {
        let id = self.is_new.then_some(&self.id)?;
        let path = if base.is_empty() { "/" } else { base };
        let cookie = format!("{COOKIE}={id}; Path={path}; HttpOnly; SameSite=Strict");
        HeaderValue::try_from(cookie).ok()
    }
}

/// Issues and verifies the tokens of one process.
pub(super) struct CsrfTokens {
    /// HMAC-SHA-256 with the random key of this process.
    mac: Hmac<Sha256>,
}

impl CsrfTokens {
    pub(super) fn new() -> Self {
        let mut key = [0; 32];
        key[..16].copy_from_slice(Uuid::new_v4().as_bytes());
        key[16..].copy_from_slice(Uuid::new_v4().as_bytes());
        Self {
            mac: Hmac::new_from_slice(&key).expect("HMAC takes keys of any length"),
        }
    }

    pub(super) fn token(&self, session: &BrowserSession) -> String {
        let mac = self.mac.clone().chain_update(&session.id);
        hex::encode(mac.finalize().into_bytes())
    }

    /// Returns `true` if the token was issued for the session of this request. The comparison takes
    /// constant time.
    pub(super) fn verify(&self, headers: &HeaderMap, token: &str) -> bool {
        let (Some(id), Ok(token)) = (session_id(headers), hex::decode(token)) else {
            return false;
        };
        let mac = self.mac.clone().chain_update(id);
        mac.verify_slice(&token).is_ok()
    }
}

/// Returns the session id in the cookies of a request.
fn session_id(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(header::COOKIE).into_iter();
    let id = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|pairs| pairs.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))?;
    let is_valid = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_valid.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_cookie(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        headers
    }

    #[test]
    fn a_token_is_valid_for_its_own_session_and_process_only() {
        let tokens = CsrfTokens::new();
        let session = BrowserSession::of(&HeaderMap::new());
        let cookie = session.cookie("/x").unwrap();
        let cookie = cookie.to_str().unwrap();
        assert!(
            cookie.ends_with("; Path=/x; HttpOnly; SameSite=Strict"),
            "{cookie}"
        );
        let headers = with_cookie(&format!("a=b; {}", cookie.split(';').next().unwrap()));
        let known = BrowserSession::of(&headers);
        assert_eq!(known.cookie("/x"), None);

        let token = tokens.token(&known);
        assert!(tokens.verify(&headers, &token));
        assert!(!tokens.verify(&HeaderMap::new(), &token));
        for invalid in ["", "é", &token[1..], &token[2..], &"0".repeat(64)] {
            assert!(!tokens.verify(&headers, invalid), "{invalid}");
        }
        assert!(!CsrfTokens::new().verify(&headers, &token));
        let other = with_cookie(&format!("{COOKIE}={}", "0".repeat(32)));
        assert!(!tokens.verify(&other, &token));
    }

    #[test]
    fn an_invalid_cookie_starts_a_new_session() {
        for cookie in ["explorer=", "explorer=x", "explorer=<script>", "other=1"] {
            assert!(BrowserSession::of(&with_cookie(cookie)).is_new, "{cookie}");
        }
    }
}
