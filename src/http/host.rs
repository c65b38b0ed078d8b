//! The host that a request names, as pages show it.

use hyper::http::uri::Authority;
use hyper::{HeaderMap, header};

/// Returns the host name and port in the `Host` header, in lower case.
pub(crate) fn request_host(headers: &HeaderMap) -> Option<String> {
    plain_host(headers.get(header::HOST)?.to_str().ok()?)
}

/// Returns a host name with or without a port in lower case. A client can send any text in its place,
/// so only characters are allowed that mean nothing to HTML and to a shell.
pub(crate) fn plain_host(text: &str) -> Option<String> {
    let authority: Authority = text.parse().ok()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    let text = authority.as_str();
    (!text.is_empty() && text.bytes().all(is_plain)).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_with_other_characters_is_ignored() {
        for (given, expected) in [
            ("LocalHost:12345", Some("localhost:12345")),
            ("[::1]:8080", Some("[::1]:8080")),
            ("node_1.example", Some("node_1.example")),
            ("", None),
            ("a b", None),
            ("user@host", None),
            ("a'$(id)", None),
            ("a;id", None),
            ("\"><script>", None),
        ] {
            assert_eq!(plain_host(given).as_deref(), expected, "{given}");
        }
    }
}
