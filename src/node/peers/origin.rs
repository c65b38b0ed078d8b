//! Addresses at which peers may be.

use std::net::IpAddr;

use crate::client::NodeAddress;

/// The addresses at which this node can be reached, which limit those of learned peers.
#[derive(Clone, Debug, Default)]
pub struct ListenScope {
    /// The node listens on a loopback address only, as its peers then do.
    pub is_loopback: bool,
    /// Address that the node states as its own.
    pub own: Option<NodeAddress>,
}

impl ListenScope {
    /// Returns `true` if an address learned from others may be dialled. The node's own address and
    /// link-local addresses may not; loopback ones only by a node that listens there. Configured
    /// addresses are not restricted.
    pub(super) fn allows(&self, address: &NodeAddress) -> bool {
        if self.own.as_ref() == Some(address) {
            return false;
        }
        let Some(ip) = address.ip() else {
            let name = address.host();
            let is_local = name == "localhost" || name.ends_with(".localhost");
            return self.is_loopback || !is_local;
        };
        self.allows_ip(ip)
    }

    /// Returns `true` if an address that a host name resolves to may be dialled.
    pub(in crate::node) fn allows_ip(&self, ip: IpAddr) -> bool {
        match ip.to_canonical() {
            ip if ip.is_unspecified() || ip.is_multicast() => false,
            ip if ip.is_loopback() => self.is_loopback,
            IpAddr::V4(ip) => !ip.is_link_local() && !ip.is_broadcast(),
            IpAddr::V6(ip) => !ip.is_unicast_link_local(),
        }
    }
}

/// Returns the address of a node that sends a request from `from` and states its own address as
/// `HOST:PORT` or `:PORT`.
pub(super) fn address(from: IpAddr, stated: &str) -> Option<NodeAddress> {
    match stated.strip_prefix(':') {
        Some(port) => NodeAddress::with_port(&match from {
            IpAddr::V4(ip) => format!("{ip}:{port}"),
            IpAddr::V6(ip) => format!("[{ip}]:{port}"),
        })
        .ok(),
        None => stated.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_loopback_node_may_dial_loopback_addresses() {
        let far = ListenScope::default();
        let near = ListenScope {
            is_loopback: true,
            own: Some("127.0.0.1:1".parse().unwrap()),
        };
        for (text, from_afar, nearby) in [
            ("127.0.0.1:2", false, true),
            ("127.9.9.9:2", false, true),
            ("localhost:2", false, true),
            ("a.localhost:2", false, true),
            ("localhost.:2", false, true),
            ("[::1]:2", false, true),
            ("[::ffff:127.0.0.1]:2", false, true),
            ("169.254.1.1:2", false, false),
            ("[fe80::1]:2", false, false),
            ("[::ffff:169.254.1.1]:2", false, false),
            ("224.0.0.1:2", false, false),
            ("255.255.255.255:2", false, false),
            ("10.0.0.1:2", true, true),
            ("[2001:db8::1]:2", true, true),
            ("node.example:2", true, true),
            ("127.0.0.1:1", false, false),
        ] {
            let address = text.parse().unwrap();
            assert_eq!(far.allows(&address), from_afar, "{text}");
            assert_eq!(near.allows(&address), nearby, "{text}");
        }
    }

    #[test]
    fn a_port_alone_means_the_requesting_host() {
        let from = "10.1.2.3".parse().unwrap();
        let expect = |stated, expected: Option<&str>| {
            let found = address(from, stated).map(|address| address.to_string());
            assert_eq!(found.as_deref(), expected, "{stated}");
        };
        expect(":80", Some("10.1.2.3:80"));
        expect("node.example:80", Some("node.example:80"));
        expect("127.1:80", None);
        for invalid in [":", ":0", ":99999", ":+80", "", "a b:1", "https://x"] {
            expect(invalid, None);
        }
        let six = "::1".parse().unwrap();
        assert_eq!(address(six, ":80").unwrap().to_string(), "[::1]:80");
        let mapped = "::ffff:10.1.2.3".parse().unwrap();
        let found = address(mapped, ":80").unwrap();
        assert_eq!(found.to_string(), "10.1.2.3:80");
    }
}
