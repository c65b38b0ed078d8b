//! Network groups: the unit of limits per remote address.

use std::net::{IpAddr, Ipv6Addr};

/// Returns the network group of a remote address: the IPv4 address, or the /64 network of an IPv6
/// address, which is the usual allocation of one customer.
pub(crate) fn network_group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            Ipv6Addr::from_bits(network).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}
