//! Clients that keep their connections and send the next request as soon as they have a response.

#![allow(dead_code, reason = "each benchmark uses some of it")]
#![allow(unreachable_pub, reason = "the root is a benchmark")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// The clients of one server.
pub struct Clients {
    runtime: Runtime,
    connections: Vec<TcpStream>,
}

impl Clients {
    /// Connects the clients.
    pub fn new(address: SocketAddr, count: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let connections = runtime.block_on(async {
            let mut connections = Vec::new();
            for _ in 0..count {
                let connection = TcpStream::connect(address).await.unwrap();
                connection.set_nodelay(true).unwrap();
                connections.push(connection);
            }
            connections
        });
        Self {
            runtime,
            connections,
        }
    }

    /// Sends `count` requests, each made from its number, over all connections; every response must
    /// be a 200. Returns how long it took, and how long each request took.
    pub fn send(
        &mut self,
        count: u64,
        request: impl Fn(u64) -> String + Send + Sync + 'static,
    ) -> (Duration, Vec<Duration>) {
        let connections = std::mem::take(&mut self.connections);
        let (next, request) = (Arc::new(AtomicU64::new(0)), Arc::new(request));
        let begun = Instant::now();
        let (connections, took) = self.runtime.block_on(async {
            let mut tasks = Vec::new();
            for connection in connections {
                let (next, request) = (Arc::clone(&next), Arc::clone(&request));
                tasks.push(tokio::spawn(ask(connection, count, next, request)));
            }
            let (mut connections, mut all) = (Vec::new(), Vec::new());
            for task in tasks {
                let (connection, took) = task.await.unwrap();
                connections.push(connection);
                all.extend(took);
            }
            (connections, all)
        });
        self.connections = connections;
        (begun.elapsed(), took)
    }
}

async fn ask(
    mut connection: TcpStream,
    count: u64,
    next: Arc<AtomicU64>,
    request: Arc<impl Fn(u64) -> String>,
) -> (TcpStream, Vec<Duration>) {
    let mut took = Vec::new();
    let mut response = Vec::with_capacity(16 * 1024);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return (connection, took);
        }
        let begun = Instant::now();
        connection
            .write_all(request(number).as_bytes())
            .await
            .unwrap();
        response.clear();
        while !is_whole(&response) {
            let read = connection.read_buf(&mut response).await.unwrap();
            assert!(read > 0, "the connection was closed");
        }
        assert!(
            response.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&response)
        );
        took.push(begun.elapsed());
    }
}

/// Returns `true` if a response with a `Content-Length` is complete.
fn is_whole(response: &[u8]) -> bool {
    let Some(head) = response.windows(4).position(|end| end == b"\r\n\r\n") else {
        return false;
    };
    let text = str::from_utf8(&response[..head]).unwrap();
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse::<usize>().unwrap())
    });
    response.len() >= head + 4 + length.unwrap_or(0)
}
