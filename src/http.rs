//! What stands under every server of this program: the accept loop with its limits, and what is
//! decided before a request reaches its route: whether its head names something ([`check_head`]),
//! and whether a browser may ask ([`Guard`]). It knows neither routes nor nodes. `connections` says
//! who stays when all places are taken; `arriving` and `answer`, the bodies of a request and its
//! answer, tell it who lets whom wait. [`read_body`] reads a body with limits, and [`catch_panic`]
//! keeps a handler that panics from taking its connection along.

mod body;
mod connection;
mod guard;
mod head;
mod pool;
mod request_body;
mod response_body;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

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

use connection::Connection;
use pool::SlotGuard;
use response_body::TrackedResponseBody;

pub use body::{BodyError, read_body};
pub use guard::Guard;
pub use head::{InvalidHead, check_head};
pub use pool::{ConnectionPool, allow_many_files};
pub use request_body::TrackedRequestBody;

/// How long the head of a request may take, and how long a connection may stay unused.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a reader may take nothing before it is cut off.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long requests may go on after the stop.
const GRACE: Duration = Duration::from_millis(500);

/// Most bytes of a request's head: a request line of 64 KiB and as much of headers.
const HEAD_BYTES: usize = 128 * 1024;

/// How long to wait when no connection can be accepted, and between two warnings of that.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const ACCEPT_WARNING: Duration = Duration::from_secs(10);

/// Serves until the shutdown, then lets requests under way end within [`GRACE`]. Each connection
/// has a `service` of its own, made for its other end.
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
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let tasks = TaskTracker::new();
    loop {
        let accepted = async {
            let (stream, remote) = accept(&listener, &connections).await;
            (stream, remote, connections.acquire().await)
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

/// Waits for the next connection, however long none can be had.
async fn accept(listener: &TcpListener, connections: &ConnectionPool) -> (TcpStream, SocketAddr) {
    let mut warned: Option<Instant> = None;
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_shortage(&error) => {
                if warned.is_none_or(|warned| warned.elapsed() > ACCEPT_WARNING) {
                    warn!(%error, "no connection could be accepted");
                    warned = Some(Instant::now());
                }
                connections.evict_one();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            // The other end went before its turn came.
            Err(error) => debug!(%error, "a connection was gone before it was accepted"),
        }
    }
}

/// Whether no connection can be accepted until another one ends.
fn is_shortage(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}

/// Answers the requests of one connection until it ends or its slot is given away.
async fn serve_connection<S, B>(
    stream: TcpStream,
    remote: SocketAddr,
    slot: SlotGuard,
    service: S,
    shutdown: CancellationToken,
) where
    S: Service<Request<TrackedRequestBody>, Response = hyper::Response<B>, Error = Infallible>,
    B: Body + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let slot = Arc::new(slot);
    let answered = Arc::clone(&slot);
    let service = service_fn(move |request: Request<Incoming>| {
        let slot = Arc::clone(&answered);
        let is_whole = request.body().is_end_stream();
        let is_head = request.method() == Method::HEAD;
        let arriving = request.map(|body| TrackedRequestBody::new(body, Arc::clone(&slot)));
        let answer = service.call(arriving);
        async move {
            // Not before this is polled: until the answer before it has left, it is the client
            // that lets the server wait.
            slot.set_server_busy(is_whole);
            let answer = answer.await?;
            Ok::<_, Infallible>(answer.map(|body| TrackedResponseBody::new(body, is_head, slot)))
        }
    });
    // Small answers must not wait for more to send.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    let stream = TokioIo::new(Connection::new(Box::pin(stream), Some(Arc::clone(&slot))));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(stream, service);
    let outcome = tokio::select! {
        outcome = &mut connection => outcome,
        () = slot.cut() => {
            debug!(%remote, "connection ended to make room");
            return;
        }
        () = shutdown.cancelled() => {
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            let rest = tokio::time::timeout(GRACE, &mut connection);
            rest.await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = outcome {
        debug!(%remote, %error, "connection ended");
    }
    tokio::select! {
        () = connection.into_parts().io.into_inner().linger() => {}
        () = slot.cut() => {}
        () = shutdown.cancelled() => {}
    }
}

/// The output of a handler that panicked instead of answering. The panic itself is reported by the
/// panic hook of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

/// Returns the output of a handler.
///
/// # Errors
/// [`Panicked`] if it panics. What the handler worked on is dropped.
pub async fn catch_panic<T>(handler: impl Future<Output = T>) -> Result<T, Panicked> {
    let caught = AssertUnwindSafe(handler).catch_unwind().await;
    caught.map_err(|_| Panicked)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn requests_behind_an_answer_that_nobody_reads_keep_no_place() {
        let service = |_| {
            service_fn(|request: Request<TrackedRequestBody>| async move {
                // More than the system takes for a reader that does not read.
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
        // The end of a body that the service leaves alone is read before its answer has left, and
        // so is the next request.
        let mut silent = TcpStream::connect(address).await.unwrap();
        let head = b"GET /long HTTP/1.1\r\nHost: x\r\nContent-Length: 8300\r\n\r\n";
        let behind = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(3);
        let requests = [&head[..], &[b'z'; 8300], &behind].concat();
        silent.write_all(&requests).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut other = TcpStream::connect(address).await.unwrap();
        other
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut answer = [0; 12];
        let read = tokio::time::timeout(Duration::from_secs(5), other.read_exact(&mut answer));
        read.await.expect("the slot is kept").unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        shutdown.cancel();
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn a_handler_that_panics_has_no_output() {
        assert_eq!(catch_panic(async { 7 }).await, Ok(7));
        let panics = async { panic!("as it should be") };
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
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n") {
                let read = tokio::time::timeout(Duration::from_secs(5), client.read_u8());
                answer.push(read.await.expect("the answer is held back").unwrap());
            }
            assert!(answer.starts_with(b"HTTP/1.1 404"), "{answer:?}");
        }
        shutdown.cancel();
        serving.await.unwrap();
    }

    #[test]
    fn only_a_shortage_costs_somebody_else_the_connection() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert!(is_shortage(&errno.into()), "{errno}");
        }
        for errno in [Errno::CONNABORTED, Errno::PERM, Errno::NETDOWN, Errno::INTR] {
            assert!(!is_shortage(&errno.into()), "{errno}");
        }
    }
}
