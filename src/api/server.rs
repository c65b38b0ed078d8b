//! The accept loop: connection limit, timeouts, graceful stop.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture, Either};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use warp::http;
use warp::reply::Response;

use super::admin::Caller;
use super::connection::Connection;
use super::guard::Guard;
use super::metrics::Metrics;
use super::v1::neighbours::note_asker;
use crate::node::Node;

/// Most connections at a time.
const CONNECTIONS: usize = 512;

/// Most answers that are streamed at a time.
const STREAMS: usize = 16;

/// Most clients that listen to events at a time.
const EVENT_STREAMS: usize = 64;

/// Most searches at a time.
const SEARCHES: usize = 2;

/// How long the head of a request may take, and how long a connection may stay unused.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a reader may take nothing before it is cut off.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long requests may go on after the stop of the node.
const GRACE: Duration = Duration::from_millis(500);

/// Most bytes of a request's head: a request line of 64 KiB and as much of headers.
const HEAD_BYTES: usize = 128 * 1024;

/// The right to stream one answer.
pub(crate) type StreamPermit = OwnedSemaphorePermit;

/// What the routes share.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) node: Arc<Node>,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) event_streams: Arc<Semaphore>,
    pub(crate) searches: Arc<Semaphore>,
    pub(crate) metrics: Arc<Metrics>,
    connections: Arc<Semaphore>,
    /// Ends what would otherwise go on for ever.
    pub(crate) shutdown: CancellationToken,
}

impl Context {
    fn new(node: Arc<Node>, shutdown: CancellationToken) -> Self {
        Self {
            node,
            streams: Arc::new(Semaphore::new(STREAMS)),
            event_streams: Arc::new(Semaphore::new(EVENT_STREAMS)),
            searches: Arc::new(Semaphore::new(SEARCHES)),
            metrics: Arc::new(Metrics::default()),
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
            shutdown,
        }
    }

    /// Number of open connections.
    pub(crate) fn connections(&self) -> u64 {
        // One is kept for the next to come.
        let taken = CONNECTIONS - self.connections.available_permits();
        taken.saturating_sub(1) as u64
    }
}

/// Answers requests without a network, for simulated ones: the address is who asks.
pub fn answerer(
    node: Arc<Node>,
) -> impl Fn(SocketAddr, http::Request<Bytes>) -> BoxFuture<'static, Response> {
    let context = Context::new(Arc::clone(&node), CancellationToken::new());
    let routes = TowerToHyperService::new(warp::service(super::routes(context)));
    move |remote, request| {
        note_asker(&node, remote, &request);
        let mut request = request.map(|body| Response::new(body.into()).into_body());
        let caller = Caller::new(remote, request.headers(), None);
        request.extensions_mut().insert(caller);
        let answer = routes.call(request);
        async move { answer.await.unwrap_or_else(|never| match never {}) }.boxed()
    }
}

/// Serves the API until the shutdown, then lets requests under way end within [`GRACE`].
pub async fn serve(
    listener: TcpListener,
    node: Arc<Node>,
    guard: Guard,
    shutdown: CancellationToken,
) {
    let context = Context::new(Arc::clone(&node), shutdown.clone());
    let connections = Arc::clone(&context.connections);
    let metrics = Arc::clone(&context.metrics);
    let routes = TowerToHyperService::new(warp::service(super::routes(context)));
    let guard = Arc::new(guard);
    let answer = move |mut request: http::Request<Incoming>, remote| {
        let begun = Metrics::begin(&request);
        let answer = if let Some(answer) = guard.admit(&mut request, remote) {
            Either::Left(future::ok(answer))
        } else {
            note_asker(&node, remote, &request);
            Either::Right(routes.call(request))
        };
        let metrics = Arc::clone(&metrics);
        async move {
            let answer: Result<_, Infallible> = answer.await;
            if let Ok(answer) = &answer {
                metrics.end(begun, answer.status());
            }
            answer
        }
    };
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &connections) => accepted,
            () = shutdown.cancelled() => break,
        };
        let (stream, remote, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Most often there are no file handles left; some will be free soon.
                warn!(%error, "no connection could be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (answer, shutdown) = (answer.clone(), shutdown.clone());
        tasks.spawn(async move {
            // Small answers must not wait for more to send.
            let _ = stream.set_nodelay(true);
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(WRITE_TIMEOUT));
            let stream = TokioIo::new(Connection::new(Box::pin(stream)));
            let mut connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(HEAD_BYTES)
                .serve_connection(stream, service_fn(move |request| answer(request, remote)));
            let outcome = tokio::select! {
                outcome = &mut connection => outcome,
                () = shutdown.cancelled() => {
                    std::pin::Pin::new(&mut connection).graceful_shutdown();
                    let rest = tokio::time::timeout(GRACE, &mut connection);
                    rest.await.unwrap_or(Ok(()))
                }
            };
            if let Err(error) = outcome {
                debug!(%remote, %error, "connection ended");
                tokio::select! {
                    // The other end may be gone already.
                    _ = connection.into_parts().io.into_inner().end() => {}
                    () = shutdown.cancelled() => {}
                }
            }
            drop(permit);
        });
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(tokio::net::TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, remote) = listener.accept().await?;
    Ok((stream, remote, permit))
}
