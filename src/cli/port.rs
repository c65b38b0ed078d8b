//! A port is taken before anything else happens, so that a start on a port that somebody listens on
//! changes nothing; and opened when there is somebody to answer, so that nobody waits for what is
//! not ready. Two that took the same port at the same moment find that out when they open it.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket, lookup_host};

use super::error::Error;
use crate::client::NodeAddress;

/// ConnectionPool that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A port of this process that nobody can connect to yet.
#[derive(Debug)]
pub(super) struct Port {
    socket: TcpSocket,
    /// As the user named it.
    name: String,
}

/// Parses a host to listen on: a name, or an IP address with or without the brackets of a URL.
pub(super) fn listen_host(text: &str) -> Result<String, String> {
    if text.contains("://") {
        return Err("expected a host, not a URL".to_owned());
    }
    match NodeAddress::split(text) {
        Ok((host, None)) if !host.is_empty() => {
            let bare = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'));
            Ok(bare.unwrap_or(host).to_owned())
        }
        Ok((host, Some(port))) if !host.is_empty() => Err(format!(
            "expected a host without a port; write --host {host} --port {port}"
        )),
        Ok(_) => Err("expected a host name or an IP address".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl Port {
    /// Takes the port; 0 is any that is free.
    pub(super) async fn take(host: &str, port: u16) -> Result<Self, Error> {
        let name = if host.parse::<Ipv6Addr>().is_ok() {
            format!("the address [{host}]:{port}")
        } else {
            format!("the address {host}:{port}")
        };
        match bind(host, port).await {
            Ok(socket) => Ok(Self { socket, name }),
            Err(source) => Err(Error::io(name, source)),
        }
    }

    /// Lets others connect.
    pub(super) fn open(self) -> Result<TcpListener, Error> {
        let Self { socket, name } = self;
        socket
            .listen(BACKLOG)
            .map_err(|source| Error::io(name, source))
    }
}

/// Takes the first of the host's addresses that can be had.
async fn bind(host: &str, port: u16) -> io::Result<TcpSocket> {
    let mut failure = io::Error::other("the host has no address");
    for address in lookup_host((host, port)).await? {
        match bind_to(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn bind_to(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // ConnectionPool of an earlier run that are still closing must not keep this one out.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::listen_host;

    #[test]
    fn a_listening_host_has_no_port() {
        for (text, host) in [
            ("0.0.0.0", "0.0.0.0"),
            ("localhost", "localhost"),
            ("::1", "::1"),
            ("[::1]", "::1"),
        ] {
            assert_eq!(listen_host(text).as_deref(), Ok(host));
        }
        for (text, hint) in [
            ("127.0.0.1:21001", "--host 127.0.0.1 --port 21001"),
            ("[::1]:21001", "--host [::1] --port 21001"),
            ("http://127.0.0.1", "not a URL"),
            ("", "expected a host"),
            (":1", "expected a host"),
            ("a:b", "port"),
        ] {
            let error = listen_host(text).unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }
}
