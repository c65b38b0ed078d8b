//! Where a node is: a host and a port.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

/// The documented port.
pub const DEFAULT_PORT: u16 = 12345;

/// A host name or IP address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeAddress {
    host: String,
    port: u16,
}

impl NodeAddress {
    /// Host and port; the addresses that mean "all interfaces" are asked on the loopback one.
    ///
    /// # Errors
    /// [`InvalidAddress`] if the host could not stand in a URL.
    pub fn new(host: &str, port: u16) -> Result<Self, InvalidAddress> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_ipv6 = bare.parse::<std::net::Ipv6Addr>().is_ok();
        let is_name = |host: &str| {
            !host.is_empty()
                && host.len() <= 253
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        };
        let host = match bare {
            "0.0.0.0" => "127.0.0.1".to_owned(),
            "::" => "[::1]".to_owned(),
            _ if is_ipv6 => format!("[{bare}]"),
            _ if is_name(host) => host.to_ascii_lowercase(),
            _ => return Err(InvalidAddress::Host(host.to_owned())),
        };
        if port == 0 {
            return Err(InvalidAddress::Port("0".to_owned()));
        }
        Ok(Self { host, port })
    }

    /// Reads an address as [`FromStr`] does, but one that says its port.
    ///
    /// # Errors
    /// [`InvalidAddress`] if the text names no node or no port.
    pub fn with_port(text: &str) -> Result<Self, InvalidAddress> {
        let (host, port) = parts(text)?;
        let port = port.ok_or_else(|| InvalidAddress::NoPort(host.to_owned()))?;
        Self::new(host, port)
    }

    /// Splits a text into the host and the port it names, if any.
    ///
    /// # Errors
    /// [`InvalidAddress`] if the text is an `https://` URL or its port is none.
    pub fn split(text: &str) -> Result<(&str, Option<u16>), InvalidAddress> {
        parts(text)
    }

    /// The host as it stands in a URL.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether the host is written as an IPv6 address.
    pub fn is_ipv6(&self) -> bool {
        self.host.starts_with('[')
    }

    /// The host as an address, if it is no name.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.trim_matches(['[', ']']).parse().ok()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Reads `host`, `host:port` or a URL of them: the scheme `http://` and a path are left away,
/// without a port it is [`DEFAULT_PORT`].
impl FromStr for NodeAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = parts(text)?;
        Self::new(host, port.unwrap_or(DEFAULT_PORT))
    }
}

/// The host and the port that a text names.
fn parts(text: &str) -> Result<(&str, Option<u16>), InvalidAddress> {
    let text = text.trim();
    let is_scheme =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let rest = match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
        Some((scheme, _)) if is_scheme(scheme) => {
            return Err(InvalidAddress::Scheme(scheme.to_owned()));
        }
        _ => text,
    };
    let rest = rest.split(['/', '#']).next().unwrap_or_default();
    if rest.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok((rest, None));
    }
    match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let number = port.trim().parse();
            let number = number.map_err(|_| InvalidAddress::Port(port.to_owned()))?;
            Ok((host, Some(number)))
        }
        _ => Ok((rest, None)),
    }
}

/// Why a text names no node.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidAddress {
    /// Nodes speak plain HTTP, whatever this scheme is.
    #[error("nodes are reached by http://, not by {0}://")]
    Scheme(String),
    /// No host name and no IP address.
    #[error("{0:?} is no host name or IP address")]
    Host(String),
    /// No port.
    #[error("{0:?} is no port from 1 to 65535")]
    Port(String),
    /// A host alone, where the port must be said.
    #[error("{0:?} names no port; write HOST:PORT")]
    NoPort(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_spellings_are_understood() {
        for (text, expected) in [
            ("localhost", "localhost:12345"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("http://Example.org:8080/chain", "example.org:8080"),
            ("HTTP://a", "a:12345"),
            ("a:1/x://y", "a:1"),
            ("0.0.0.0", "127.0.0.1:12345"),
            ("::1", "[::1]:12345"),
            ("[::1]:9", "[::1]:9"),
            ("[fe80::1]", "[fe80::1]:12345"),
        ] {
            assert_eq!(
                text.parse::<NodeAddress>().unwrap().to_string(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn a_port_may_have_to_be_said() {
        for text in ["localhost:12345", "http://a:1/", "[::1]:9"] {
            assert_eq!(NodeAddress::with_port(text), text.parse(), "{text}");
        }
        for text in ["localhost", "http://a/", "[::1]", "::1"] {
            let error = NodeAddress::with_port(text).unwrap_err();
            assert!(matches!(error, InvalidAddress::NoPort(_)), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            ":1",
            "a b",
            "host:",
            "host:0",
            "host:65536",
            "host:x",
            "a@b",
            "a?b",
            "é",
        ] {
            assert!(text.parse::<NodeAddress>().is_err(), "{text}");
        }
        for scheme in ["https", "tcp", "FTP", "ws"] {
            let refused = format!("{scheme}://a:1/x").parse::<NodeAddress>();
            assert_eq!(refused, Err(InvalidAddress::Scheme(scheme.to_owned())));
        }
    }
}
