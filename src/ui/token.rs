//! What keeps other sites from sending the form: a cookie that the browser keeps to this site, and
//! in the form a token that only this process can make from it.
//!
//! Cookies of one host are shared by all its ports, so the cookie alone proves nothing.

use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use warp::http;

const COOKIE: &str = "explorer";

/// Makes tokens and knows its own.
pub(super) struct Tokens {
    key: [u8; 32],
}

/// What a browser is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FormSession {
    id: String,
    is_new: bool,
}

impl FormSession {
    /// The session of a request, or a new one.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        match cookie(headers) {
            Some(id) => Self { id, is_new: false },
            None => Self {
                id: Uuid::new_v4().simple().to_string(),
                is_new: true,
            },
        }
    }

    /// The cookie to set, if the browser has none yet.
    pub(super) fn cookie(&self, base: &str) -> Option<HeaderValue> {
        let id = self.is_new.then_some(&self.id)?;
        let path = if base.is_empty() { "/" } else { base };
        let cookie = format!("{COOKIE}={id}; Path={path}; HttpOnly; SameSite=Strict");
        HeaderValue::try_from(cookie).ok()
    }
}

impl Tokens {
    pub(super) fn new() -> Self {
        let mut key = [0; 32];
        key[..16].copy_from_slice(Uuid::new_v4().as_bytes());
        key[16..].copy_from_slice(Uuid::new_v4().as_bytes());
        Self { key }
    }

    pub(super) fn token(&self, session: &FormSession) -> String {
        // Key and session have a fixed length, so no token tells another one.
        let inner = Sha256::new_with_prefix(self.key).chain_update(&session.id);
        let outer = Sha256::new_with_prefix(self.key).chain_update(inner.finalize());
        hex::encode(outer.finalize())
    }

    /// Whether the token was made for the session of this request.
    pub(super) fn holds(&self, headers: &HeaderMap, token: &str) -> bool {
        let Some(id) = cookie(headers) else {
            return false;
        };
        let expected = self.token(&FormSession { id, is_new: false });
        // Takes as long for every wrong token of the right length.
        let differences = expected.bytes().zip(token.bytes()).map(|(a, b)| a ^ b);
        token.len() == expected.len() && differences.fold(0, |all, one| all | one) == 0
    }
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(header::COOKIE).into_iter();
    let pairs = all.filter_map(|value| value.to_str().ok());
    let id = pairs
        .flat_map(|pairs| pairs.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))?;
    let is_ours = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_ours.then(|| id.to_owned())
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
    fn a_token_holds_for_its_own_session_and_process() {
        let tokens = Tokens::new();
        let session = FormSession::of(&HeaderMap::new());
        let set = session.cookie("/x").unwrap();
        let set = set.to_str().unwrap();
        assert!(
            set.ends_with("; Path=/x; HttpOnly; SameSite=Strict"),
            "{set}"
        );
        let headers = with_cookie(&format!("a=b; {}", set.split(';').next().unwrap()));
        let again = FormSession::of(&headers);
        assert_eq!(again.cookie("/x"), None);

        let token = tokens.token(&again);
        assert!(tokens.holds(&headers, &token));
        assert!(!tokens.holds(&HeaderMap::new(), &token));
        assert!(!tokens.holds(&headers, ""));
        assert!(!tokens.holds(&headers, &token[1..]));
        assert!(!Tokens::new().holds(&headers, &token));
        let other = with_cookie(&format!("{COOKIE}={}", "0".repeat(32)));
        assert!(!tokens.holds(&other, &token));
    }

    #[test]
    fn a_cookie_that_is_none_of_ours_starts_a_new_session() {
        for cookie in ["explorer=", "explorer=x", "explorer=<script>", "other=1"] {
            assert!(FormSession::of(&with_cookie(cookie)).is_new, "{cookie}");
        }
    }
}
