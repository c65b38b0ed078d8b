//! The port of a server.
//!
//! A server binds its port before it does anything else, so that a start on a port in use changes
//! nothing. It listens when it is ready to answer, so that no client waits for it. Two processes that
//! bind the same port at the same moment notice when they listen.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket, lookup_host};

use super::error::Error;
use crate::client::NodeAddress;

/// Maximum number of connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// A bound port that does not listen yet.
#[derive(Debug)]
pub(super) struct Port {
    socket: TcpSocket,
    /// The address as the user wrote it.
    name: String,
    /// The option that sets the port.
    option: &'static str,
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
    /// Binds a port, named by `option`; port 0 stands for any free port.
    pub(super) async fn bind(host: &str, port: u16, option: &'static str) -> Result<Self, Error> {
        let name = if host.parse::<Ipv6Addr>().is_ok() {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        match bind(host, port).await {
            Ok(socket) => Ok(Self {
                socket,
                name,
                option,
            }),
            Err(source) => Err(failed(&name, option, source)),
        }
    }

    /// Accepts connections from now on.
    pub(super) fn listen(self) -> Result<TcpListener, Error> {
        let Self {
            socket,
            name,
            option,
        } = self;
        socket
            .listen(BACKLOG)
            .map_err(|source| failed(&name, option, source))
    }
}

fn failed(address: &str, option: &str, source: io::Error) -> Error {
    let hint = match source.kind() {
        io::ErrorKind::AddrInUse => {
            format!("stop the process that listens there, or choose another port with {option}")
        }
        io::ErrorKind::PermissionDenied => {
            format!("choose a port above 1023 with {option}")
        }
        _ => "name an address of this machine with --host".to_owned(),
    };
    Error::io(format!("cannot listen on {address}"), source).hint(hint)
}

/// Binds the first address of the host that can be bound.
async fn bind(host: &str, port: u16) -> io::Result<TcpSocket> {
    let mut failure = io::Error::other("the host name has no address");
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
    // Connections of an earlier run that are still closing must not block the port.
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
