//! A port is taken before anything else happens, so that a start on a port that somebody listens on
//! changes nothing; and opened when there is somebody to answer, so that nobody waits for what is
//! not ready. Two that took the same port at the same moment find that out when they open it.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, lookup_host};

use super::error::Error;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A port of this process that nobody can connect to yet.
#[derive(Debug)]
pub(super) struct Port {
    socket: TcpSocket,
    /// As the user named it.
    name: String,
}

impl Port {
    /// Takes the port; 0 is any that is free.
    pub(super) async fn take(host: &str, port: u16) -> Result<Self, Error> {
        let name = format!("the address {host}:{port}");
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
    // Connections of an earlier run that are still closing must not keep this one out.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
