//! Accepts connections and serves the requests on them.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Method, Request};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::compression::{accepts_gzip, compress};
use super::connection::Connection;
use super::pool::{ConnectionPool, SlotGuard};
use super::request_body::TrackedRequestBody;
use super::response_body::TrackedResponseBody;
use crate::netgroup::network_group;

/// Maximum time for a request head to arrive, which is also the maximum time between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum time that a client may read nothing of its response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum time that requests may take after the shutdown begins.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// Maximum number of bytes of a request head: 64 KiB for the request line and as much for headers.
const MAX_HEAD_BYTES: usize = 128 * 1024;

/// Delay before the next attempt when no connection can be accepted.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// Minimum time between two warnings that no connection can be accepted.
const ACCEPT_WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// Serves connections until the shutdown, then waits up to [`SHUTDOWN_TIMEOUT`] for requests in
/// flight. `service` makes the service of a connection from the address of its client.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: impl Fn(SocketAddr) -> S,
    connections: ConnectionPool,
    shutdown: CancellationToken,
) where
    S: Service<Request<TrackedRequestBody>, Response = hyper::Response<B>, Error = Infallible>
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let tasks = TaskTracker::new();
    loop {
        let accepted = async {
            let (stream, remote) = accept(&listener, &connections).await;
            (
                stream,
                remote,
                connections.acquire(network_group(remote.ip())).await,
            )
        };
        let (stream, remote, slot) = tokio::select! {
            accepted = accepted => accepted,
            () = shutdown.cancelled() => break,
        };
        let connection = serve_connection(stream, remote, slot, service(remote), shutdown.clone());
        tasks.spawn(connection);
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

/// Waits for the next connection. Retries while the system is out of resources.
async fn accept(listener: &TcpListener, connections: &ConnectionPool) -> (TcpStream, SocketAddr) {
    let mut warned: Option<Instant> = None;
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_resource_shortage(&error) => {
                if warned.is_none_or(|warned| warned.elapsed() > ACCEPT_WARNING_INTERVAL) {
                    warn!(%error, "cannot accept connections");
                    warned = Some(Instant::now());
                }
                connections.evict_one();
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            }
            // The client may close a connection before it is accepted.
            Err(error) => debug!(%error, "a connection failed before it was accepted"),
        }
    }
}

/// Returns `true` if no connection can be accepted until another one is closed.
fn is_resource_shortage(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}

/// Serves the requests of one connection until it is closed or evicted.
async fn serve_connection<S, B>(
    stream: TcpStream,
    remote: SocketAddr,
    slot: SlotGuard,
    service: S,
    shutdown: CancellationToken,
) where
    S: Service<Request<TrackedRequestBody>, Response = hyper::Response<B>, Error = Infallible>,
    B: Body<Data = Bytes> + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let slot = Arc::new(slot);
    let service_slot = Arc::clone(&slot);
    let service = service_fn(move |request: Request<Incoming>| {
        let slot = Arc::clone(&service_slot);
        let is_whole = request.body().is_end_stream();
        let is_head = request.method() == Method::HEAD;
        let accepts_gzip = accepts_gzip(request.headers());
        let request = request.map(|body| TrackedRequestBody::new(body, Arc::clone(&slot)));
        let response = service.call(request);
        async move {
            // Not before this future is polled: until the previous response is sent, the server
            // waits for the client.
            slot.set_server_busy(is_whole);
            let response = compress(accepts_gzip, response.await?).await;
            Ok::<_, Infallible>(response.map(|body| {
                // A response to HEAD has no body.
                let held_bytes = if is_head { 0 } else { body.held_bytes() };
                TrackedResponseBody::new(body, held_bytes, slot)
            }))
        }
    });
    // Small responses must not be delayed to be joined with later ones.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    let stream = TokioIo::new(Connection::new(Box::pin(stream), Some(Arc::clone(&slot))));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(stream, service);
    let outcome = tokio::select! {
        outcome = &mut connection => outcome,
        () = slot.evicted() => {
            debug!(%remote, "evicted an idle connection");
            return;
        }
        () = shutdown.cancelled() => {
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            let rest = tokio::time::timeout(SHUTDOWN_TIMEOUT, &mut connection);
            rest.await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = outcome {
        debug!(%remote, %error, "connection failed");
    }
    tokio::select! {
        () = connection.into_parts().io.into_inner().linger() => {}
        () = slot.evicted() => {}
        () = shutdown.cancelled() => {}
    }
}

/// Error of [`catch_panic`]: the handler panicked. The panic hook of the process reports the panic
/// itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panicked;

/// Runs a handler and returns its output.
///
/// # Errors
/// [`Panicked`] if the handler panics. Its state is dropped.
pub(crate) async fn catch_panic<T>(handler: impl Future<Output = T>) -> Result<T, Panicked> {
    let caught = AssertUnwindSafe(handler).catch_unwind().await;
    caught.map_err(|_| Panicked)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn requests_behind_an_unread_response_do_not_keep_a_slot() {
        let service = |_| {
            service_fn(|request: Request<TrackedRequestBody>| async move {
                // More than the buffers of the system hold.
                let is_long = request.uri().path() == "/long";
                let body = "x".repeat(if is_long { 16 << 20 } else { 1 });
                Ok::<_, Infallible>(hyper::Response::new(body))
            })
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let connections = ConnectionPool::with_slots(1);
        let serving = tokio::spawn(serve(listener, service, connections, shutdown.clone()));
        // The server reads the end of a body that the service ignores, and the next request,
        // before the response is sent.
        let mut first = TcpStream::connect(address).await.unwrap();
        let head = b"GET /long HTTP/1.1\r\nHost: x\r\nContent-Length: 8300\r\n\r\n";
        let behind = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(3);
        let requests = [&head[..], &[b'z'; 8300], &behind].concat();
        first.write_all(&requests).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut other = TcpStream::connect(address).await.unwrap();
        other
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut response = [0; 12];
        let read = tokio::time::timeout(Duration::from_secs(5), other.read_exact(&mut response));
        read.await
            .expect("the slot was not given to the second connection")
            .unwrap();
        assert_eq!(&response, b"HTTP/1.1 200");
        shutdown.cancel();
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn a_handler_that_panics_has_no_output() {
        assert_eq!(catch_panic(async { 7 }).await, Ok(7));
        let panics = async { panic!("expected") };
        assert_eq!(catch_panic::<u8>(panics).await, Err(Panicked));
    }

    #[tokio::test]
    async fn an_error_without_a_body_is_sent_at_once() {
        let service = |_| {
            service_fn(|_: Request<TrackedRequestBody>| async {
                let mut response = hyper::Response::new(String::new());
                *response.status_mut() = hyper::StatusCode::NOT_FOUND;
                Ok::<_, Infallible>(response)
            })
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let connections = ConnectionPool::with_slots(1);
        let serving = tokio::spawn(serve(listener, service, connections, shutdown.clone()));
        let mut client = TcpStream::connect(address).await.unwrap();
        for _ in 0..2 {
            let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
            client.write_all(request).await.unwrap();
            let mut response = Vec::new();
            while !response.ends_with(b"\r\n\r\n") {
                let read = tokio::time::timeout(Duration::from_secs(5), client.read_u8());
                response.push(read.await.expect("the response is delayed").unwrap());
            }
            assert!(response.starts_with(b"HTTP/1.1 404"), "{response:?}");
        }
        shutdown.cancel();
        serving.await.unwrap();
    }

    #[test]
    fn only_a_resource_shortage_evicts_a_connection() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert!(is_resource_shortage(&errno.into()), "{errno}");
        }
        for errno in [Errno::CONNABORTED, Errno::PERM, Errno::NETDOWN, Errno::INTR] {
            assert!(!is_resource_shortage(&errno.into()), "{errno}");
        }
    }
}
