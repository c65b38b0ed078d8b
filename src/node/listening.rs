//! The addresses at which this node listens, and those at which other machines reach it.

use std::net::{IpAddr, SocketAddr};

use if_addrs::get_if_addrs;

use super::Node;
use crate::client::NodeAddress;

/// Maximum number of addresses that are told to others, so that codes with them stay short.
const MAX_ADDRESSES: usize = 4;

/// Beginnings of the names of interfaces that lead to containers and virtual machines on this
/// machine only.
const INNER_INTERFACES: [&str; 5] = ["docker", "br-", "virbr", "cni", "lxc"];

/// Addresses on which a running node listens.
#[derive(Clone, Debug)]
pub struct Listening {
    /// Address of the listener.
    pub address: SocketAddr,
    /// Address that the user names for others.
    pub advertised: Option<NodeAddress>,
    /// Port of the explorer beside the node.
    pub explorer: Option<u16>,
}

impl Listening {
    /// Returns the addresses at which other machines reach the node, as far as this machine knows;
    /// none if it listens on loopback only.
    fn addresses(&self) -> Vec<NodeAddress> {
        if let Some(advertised) = &self.advertised {
            return vec![advertised.clone()];
        }
        let ip = self.address.ip().to_canonical();
        if ip.is_loopback() {
            return Vec::new();
        }
        let mut found = if ip.is_unspecified() {
            interfaces(self.address.is_ipv4())
        } else {
            vec![ip]
        };
        found.truncate(MAX_ADDRESSES);
        let address = |ip: IpAddr| NodeAddress::new(&ip.to_string(), self.address.port()).ok();
        found.into_iter().filter_map(address).collect()
    }

    /// Returns `true` if connections to this address lead to the node itself.
    fn is_at(&self, address: &NodeAddress) -> bool {
        if self.advertised.as_ref() == Some(address) {
            return true;
        }
        let Some(ip) = address.ip() else {
            return false;
        };
        let listens_there = match self.address.ip().to_canonical() {
            own if own.is_unspecified() => {
                let own = get_if_addrs().unwrap_or_default();
                ip.is_loopback() || own.iter().any(|interface| interface.ip() == ip)
            }
            own => own == ip,
        };
        listens_there && address.port() == self.address.port()
    }
}

/// Returns the addresses of the network interfaces that others can use, IPv4 first: of these, an
/// address is the easiest to type.
fn interfaces(only_ipv4: bool) -> Vec<IpAddr> {
    let is_usable = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local(),
        // A link-local address is only valid with a zone, which URLs cannot carry.
        IpAddr::V6(ip) => !only_ipv4 && !ip.is_loopback() && !ip.is_unicast_link_local(),
    };
    let is_inner = |name: &str| INNER_INTERFACES.iter().any(|begin| name.starts_with(begin));
    let interfaces = get_if_addrs().unwrap_or_default();
    let mut found: Vec<_> = interfaces
        .into_iter()
        .filter(|interface| is_usable(interface.ip()) && !is_inner(&interface.name))
        .map(|interface| interface.ip())
        .collect();
    found.sort_by_key(IpAddr::is_ipv6);
    found
}

impl Node {
    /// Records what the node listens on, once.
    pub fn set_listening(&self, listening: Listening) {
        // The first one stays.
        let _ = self.listening.set(listening);
    }

    /// Returns what the node listens on; `None` before it does.
    pub fn listening(&self) -> Option<&Listening> {
        self.listening.get()
    }

    /// Returns the addresses at which other machines reach this node, best first.
    pub fn addresses(&self) -> Vec<NodeAddress> {
        self.listening()
            .map(Listening::addresses)
            .unwrap_or_default()
    }

    /// Returns `true` if connections to one of these addresses lead to this node.
    pub(super) fn is_own_address(&self, addresses: &[NodeAddress]) -> bool {
        let listening = self.listening();
        listening.is_some_and(|listening| addresses.iter().any(|one| listening.is_at(one)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(address: &str) -> Listening {
        Listening {
            address: address.parse().unwrap(),
            advertised: None,
            explorer: None,
        }
    }

    #[test]
    fn others_are_never_told_an_unspecified_or_local_address() {
        assert_eq!(on("127.0.0.1:1").addresses(), []);
        assert_eq!(on("[::1]:1").addresses(), []);
        let given: Vec<_> = on("192.0.2.7:1").addresses();
        assert_eq!(given, ["192.0.2.7:1".parse().unwrap()]);
        for any in ["0.0.0.0:1", "[::]:1"] {
            for address in on(any).addresses() {
                let ip = address.ip().unwrap();
                assert!(!ip.is_unspecified() && !ip.is_loopback(), "{address}");
                assert!(any.starts_with('[') || ip.is_ipv4(), "{address}");
            }
        }
        let advertised = Listening {
            advertised: "node.example:9".parse().ok(),
            ..on("127.0.0.1:1")
        };
        assert_eq!(advertised.addresses(), ["node.example:9".parse().unwrap()]);
    }

    #[test]
    fn a_node_knows_its_own_addresses() {
        let own = |listening: &Listening, address: &str| {
            let address: NodeAddress = address.parse().unwrap();
            listening.is_at(&address)
        };
        let any = on("0.0.0.0:7");
        assert!(own(&any, "127.0.0.1:7") && own(&any, "127.9.9.9:7"));
        assert!(!own(&any, "127.0.0.1:8") && !own(&any, "192.0.2.1:7"));
        let one = on("127.0.0.1:7");
        assert!(own(&one, "127.0.0.1:7") && !own(&one, "127.0.0.2:7"));
    }
}
