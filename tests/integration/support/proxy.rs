//! A proxy that replaces the host name of every request by that of its target.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Starts a proxy that runs until the process ends, and returns its address.
pub(crate) fn start(target: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // Browsers end connections whenever they want.
            std::thread::spawn(move || forward(&client, target));
        }
    });
    address
}

/// Forwards one request. Both sides close the connection after it.
fn forward(client: &TcpStream, target: SocketAddr) -> io::Result<()> {
    let mut server = TcpStream::connect(target)?;
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let name = line.split(':').next().unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "host" => head.extend(["Host: ", &target.to_string(), "\r\n"]),
            "connection" => head.push_str("Connection: close\r\n"),
            _ => head.push_str(&line),
        }
        if line == "\r\n" {
            break;
        }
    }
    server.write_all(head.as_bytes())?;
    let mut upload = server.try_clone()?;
    std::thread::spawn(move || io::copy(&mut reader, &mut upload));
    io::copy(&mut server, &mut &*client)?;
    client.shutdown(std::net::Shutdown::Both)
}
