//! The address of a node: a host and a port in a canonical spelling.
//!
//! Addresses are compared by their text, so each has exactly one: an IP address is written as the
//! standard library writes it, an IPv4-mapped IPv6 address as IPv4, and a host name in lower case
//! without its final dot. Other spellings of IPv4 addresses (`127.1`, `0x7f000001`), which resolvers
//! accept but which look like names, are rejected.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// The port of the reference miner, which is the default.
pub const DEFAULT_PORT: u16 = 12345;

/// A host name or IP address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeAddress {
    host: String,
    port: u16,
}

impl NodeAddress {
    /// Creates an address. An unspecified IP address becomes the loopback address.
    ///
    /// # Errors
    /// [`InvalidAddress`] if the host is neither an IP address nor a host name, or the port is 0.
    pub fn new(host: &str, port: u16) -> Result<Self, InvalidAddress> {
        let name = host.strip_suffix('.').unwrap_or(host);
        let dotted = || name.parse().map(IpAddr::V4).ok();
        let host = match parse_ip(host).or_else(dotted) {
            Some(ip) => url_host(ip.to_canonical()),
            None if is_host_name(name) => name.to_ascii_lowercase(),
            None => return Err(InvalidAddress::Host(host.to_owned())),
        };
        if port == 0 {
            return Err(InvalidAddress::Port("0".to_owned()));
        }
        Ok(Self { host, port })
    }

    /// Parses an address from a database. Earlier versions stored IPv4 addresses in any spelling as
    /// names; these become the address that they resolved to.
    pub fn from_record(text: &str) -> Option<Self> {
        let (host, port) = Self::split(text).ok()?;
        let port = port.unwrap_or(DEFAULT_PORT);
        let respelled = || Self::new(&respelled_ipv4(host)?.to_string(), port).ok();
        Self::new(host, port).ok().or_else(respelled)
    }

    /// Parses an address as [`FromStr`] does, but requires a port.
    ///
    /// # Errors
    /// [`InvalidAddress`] if the text is not an address or has no port.
    pub fn with_port(text: &str) -> Result<Self, InvalidAddress> {
        let (host, port) = Self::split(text)?;
        let port = port.ok_or_else(|| InvalidAddress::NoPort(host.to_owned()))?;
        Self::new(host, port)
    }

    /// Splits a text into its host and its port, if it has one.
    ///
    /// # Errors
    /// [`InvalidAddress`] if the text is a URL of another scheme than `http`, or its port is not a
    /// number from 0 to 65535.
    pub fn split(text: &str) -> Result<(&str, Option<u16>), InvalidAddress> {
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
        if rest.parse::<Ipv6Addr>().is_ok() {
            return Ok((rest, None));
        }
        match rest.rsplit_once(':') {
            Some((host, _)) if host.contains(':') && !host.starts_with('[') => {
                Err(InvalidAddress::Host(rest.to_owned()))
            }
            Some((host, port)) if !port.ends_with(']') => {
                // The reference miner accepts spaces around a port. A sign is rejected, which the standard
                // library would accept.
                let digits =
                    Some(port.trim()).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
                let number = digits.and_then(|digits| digits.parse().ok());
                let number = number.ok_or_else(|| InvalidAddress::Port(port.to_owned()))?;
                Ok((host, Some(number)))
            }
            _ => Ok((rest, None)),
        }
    }

    /// Returns the host as it is written in a URL.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns `true` if the host is an IPv6 address.
    pub fn is_ipv6(&self) -> bool {
        self.host.starts_with('[')
    }

    /// Returns the host as an IP address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.trim_matches(['[', ']']).parse().ok()
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Parses `host`, `host:port` or an `http` URL, whose path is ignored. The default port is
/// [`DEFAULT_PORT`].
impl FromStr for NodeAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = Self::split(text)?;
        Self::new(host, port.unwrap_or(DEFAULT_PORT))
    }
}

/// Parses an IP address; an IPv6 address may be in brackets.
fn parse_ip(host: &str) -> Option<IpAddr> {
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match bracketed {
        Some(host) => host.parse().map(IpAddr::V6).ok(),
        None => host.parse().ok(),
    }
}

/// Writes an IP address as the host of a URL.
fn url_host(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        IpAddr::V6(ip) if ip.is_unspecified() => format!("[{}]", Ipv6Addr::LOCALHOST),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// Returns `true` if a text without a final dot is a host name. A text whose last label is a number is
/// not: URLs and resolvers read it as an IPv4 address (WHATWG URL, "ends in a number").
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_decimal = last.bytes().all(|byte| byte.is_ascii_digit());
    let is_hex =
        hex_digits(last).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    name.len() <= 253 && name.split('.').all(is_label) && !is_decimal && !is_hex
}

fn hex_digits(number: &str) -> Option<&str> {
    number
        .strip_prefix("0x")
        .or_else(|| number.strip_prefix("0X"))
}

/// Parses an IPv4 address in another spelling: one to four numbers, each decimal, octal after `0` or
/// hexadecimal after `0x`, of which the last one fills the remaining bytes.
fn respelled_ipv4(host: &str) -> Option<Ipv4Addr> {
    let number = |text: &str| {
        let (digits, radix) = match (hex_digits(text), text.strip_prefix('0')) {
            (Some(digits), _) => (digits, 16),
            (None, Some(digits)) if !digits.is_empty() => (digits, 8),
            _ => (text, 10),
        };
        let is_unsigned = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_unsigned.then(|| u32::from_str_radix(digits, radix).ok())?
    };
    let numbers: Option<Vec<_>> = host.split('.').map(number).collect();
    let numbers = numbers?;
    let (last, leading) = numbers.split_last()?;
    let leading: Option<Vec<_>> = leading
        .iter()
        .map(|&byte| u8::try_from(byte).ok())
        .collect();
    let leading = leading.filter(|leading| leading.len() < 4)?;
    let mut bytes = last.to_be_bytes();
    let (filled, _) = bytes.split_at_mut(leading.len());
    if filled.iter().any(|byte| *byte != 0) {
        return None;
    }
    filled.copy_from_slice(&leading);
    Some(Ipv4Addr::from(bytes))
}

/// Returns a hint with the usual spelling of an IPv4 address.
fn remedy(host: &str) -> String {
    respelled_ipv4(host).map_or_else(String::new, |ip| format!("; write {ip}"))
}

/// Error of parsing a [`NodeAddress`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidAddress {
    /// The scheme is not `http`.
    #[error("nodes are reached by http://, not by {0}://")]
    Scheme(String),
    /// The host is neither a host name nor an IP address.
    #[error("{0:?} is not a host name or IP address{remedy}", remedy = remedy(.0))]
    Host(String),
    /// The port is not a number from 1 to 65535.
    #[error("{0:?} is not a port from 1 to 65535")]
    Port(String),
    /// The port is missing.
    #[error("{0:?} has no port; write HOST:PORT")]
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
            (" a:1\n", "a:1"),
            ("a: 1", "a:1"),
        ] {
            assert_eq!(
                text.parse::<NodeAddress>().unwrap().to_string(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn an_address_has_one_spelling() {
        for (spellings, expected) in [
            (
                &[
                    "127.0.0.1:80",
                    "127.0.0.1.:80",
                    "127.0.0.1:0080",
                    "[::ffff:127.0.0.1]:80",
                    "[::ffff:7f00:1]:80",
                    "[0:0:0:0:0:FFFF:127.0.0.1]:80",
                    "0.0.0.0:80",
                    "[::ffff:0.0.0.0]:80",
                ][..],
                "127.0.0.1:80",
            ),
            (
                &[
                    "[2001:db8::a]:80",
                    "[2001:DB8::A]:80",
                    "[2001:db8:0:0:0:0:0:a]:80",
                    "[2001:0db8::000a]:80",
                ],
                "[2001:db8::a]:80",
            ),
            (&["[::1]:80", "[::]:80", "[::0.0.0.1]:80"], "[::1]:80"),
            (&["Host.Example:80", "host.example.:80"], "host.example:80"),
            (&["localhost:80", "LOCALHOST.:80"], "localhost:80"),
            // Not the mapped form: nothing routes it to the IPv4 address.
            (&["[::127.0.0.1]:80"], "[::7f00:1]:80"),
        ] {
            for text in spellings {
                let address: NodeAddress = text.parse().unwrap();
                assert_eq!(address.to_string(), expected, "{text}");
                assert_eq!(NodeAddress::from_record(text), Some(address), "{text}");
            }
        }
    }

    #[test]
    fn a_host_that_ends_in_a_number_is_not_a_name() {
        for (host, meant) in [
            ("127.1", Some("127.0.0.1")),
            ("127.0.1", Some("127.0.0.1")),
            ("2130706433", Some("127.0.0.1")),
            ("0x7f000001", Some("127.0.0.1")),
            ("0X7F.1", Some("127.0.0.1")),
            ("0177.0.0.01", Some("127.0.0.1")),
            ("127.000.000.001", Some("127.0.0.1")),
            ("127.0.0.0x1", Some("127.0.0.1")),
            ("1.2.65535", Some("1.2.255.255")),
            ("1.2.65536", None),
            ("1.2.3.256", None),
            ("256.1", None),
            ("1.2.3.4.5", None),
            ("4294967296", None),
            ("08.1", None),
            ("node.7", None),
            ("node.0x", None),
            ("node.0xg.9", None),
        ] {
            let error = format!("{host}:80").parse::<NodeAddress>().unwrap_err();
            let hint = meant.map(|ip| format!("; write {ip}")).unwrap_or_default();
            let expected = format!("{host:?} is not a host name or IP address{hint}");
            assert_eq!(error.to_string(), expected);
            // Earlier versions stored them.
            let kept = NodeAddress::from_record(&format!("{host}:80"));
            let kept = kept.map(|address| address.to_string());
            assert_eq!(kept, meant.map(|ip| format!("{ip}:80")), "{host}");
        }
        for name in ["7.node", "node.7a", "node.0xg", "1-2", "0x7f.node", "a.-1"] {
            let address: NodeAddress = format!("{name}:80").parse().unwrap();
            assert_eq!(address.host(), name);
        }
    }

    #[test]
    fn a_port_can_be_required() {
        for text in ["localhost:12345", "http://a:1/", "[::1]:9"] {
            assert_eq!(NodeAddress::with_port(text), text.parse(), "{text}");
        }
        for text in ["localhost", "http://a/", "[::1]", "::1"] {
            let error = NodeAddress::with_port(text).unwrap_err();
            assert!(matches!(error, InvalidAddress::NoPort(_)), "{text}");
        }
    }

    #[test]
    fn an_invalid_address_is_rejected() {
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
            "host :80",
            "host:+80",
            "host:-80",
            "host:0x50",
            "a..b",
            ".",
            "a..",
            "[::1",
            "::1]:80",
            "[[::1]]:80",
            "[127.0.0.1]:80",
            "[localhost]:80",
            // A URL cannot carry the zone of an address.
            "fe80::1%eth0",
            "[fe80::1%eth0]:80",
            "[fe80::1%25eth0]:80",
            "user:password@host:80",
        ] {
            assert!(text.parse::<NodeAddress>().is_err(), "{text}");
        }
        for scheme in ["https", "tcp", "FTP", "ws"] {
            let rejected = format!("{scheme}://a:1/x").parse::<NodeAddress>();
            assert_eq!(rejected, Err(InvalidAddress::Scheme(scheme.to_owned())));
        }
    }
}
