//! The API on a listener.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture, Either};
use hyper::service::{Service, service_fn};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use warp::http;
use warp::reply::Response;

use super::admin::{AdminToken, Caller};
use super::fair_slots::{FairSlots, NoSlot, Slot};
use super::guard;
use super::metrics::Metrics;
use super::reject::ApiError;
use super::v1::neighbours::note_asker;
use crate::http::{ConnectionPool, Guard, Panicked, TrackedRequestBody};
use crate::node::Node;

/// Maximum number of answers that are streamed at a time.
const STREAMS: usize = 16;

/// Most pages of long answers that are made at a time: each takes a few times its own length.
const PAGES: usize = 4;

/// Maximum number of open event streams.
const EVENT_STREAMS: usize = 64;

/// Maximum number of searches at a time: two of the explorer, and one of another client.
const SEARCHES: usize = 3;

/// Maximum number of long answers that are made or wait for their turn, so that they do not take
/// all connections.
const LONG_ANSWERS: usize = 32;

/// The right to stream one answer.
#[derive(Debug)]
pub(crate) struct StreamPermit {
    _slot: Slot,
    /// Where each of its pages waits for its turn.
    pub(crate) pages: Arc<Semaphore>,
}

/// What the routes share. Cheap to clone: every request does it several times.
#[derive(Clone)]
pub(crate) struct Context(Arc<Shared>);

impl Deref for Context {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What [`Context`] leads to.
pub(crate) struct Shared {
    pub(crate) node: Arc<Node>,
    streams: FairSlots,
    pub(crate) event_streams: FairSlots,
    pub(crate) searches: FairSlots,
    pub(crate) long_answers: FairSlots,
    pub(crate) pages: Arc<Semaphore>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) connections: ConnectionPool,
    /// Ends what would otherwise go on for ever.
    pub(crate) shutdown: CancellationToken,
}

/// Pages of long answers that are made at a time; others wait, so that short answers do not.
fn pages_at_a_time() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).clamp(1, PAGES)
}

impl Context {
    /// The right to one more stream, if there is a slot for this client.
    pub(crate) fn stream(&self, caller: &Caller) -> Result<StreamPermit, NoSlot> {
        Ok(StreamPermit {
            _slot: self.streams.acquire(caller)?,
            pages: Arc::clone(&self.pages),
        })
    }

    fn new(node: Arc<Node>, shutdown: CancellationToken) -> Self {
        Self(Arc::new(Shared {
            node,
            streams: FairSlots::new(STREAMS, "streamed answers"),
            event_streams: FairSlots::new(EVENT_STREAMS, "event streams"),
            searches: FairSlots::new(SEARCHES, "searches"),
            long_answers: FairSlots::new(LONG_ANSWERS, "long answers"),
            pages: Arc::new(Semaphore::new(pages_at_a_time())),
            metrics: Arc::new(Metrics::default()),
            connections: ConnectionPool::default(),
            shutdown,
        }))
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

/// Serves the API until the shutdown. Without an `admin` token nobody is an administrator.
pub async fn serve(
    listener: TcpListener,
    node: Arc<Node>,
    guard: Guard,
    admin: Option<AdminToken>,
    shutdown: CancellationToken,
) {
    let context = Context::new(Arc::clone(&node), shutdown.clone());
    let connections = context.connections.clone();
    let metrics = Arc::clone(&context.metrics);
    let routes = TowerToHyperService::new(warp::service(super::routes(context)));
    let gate = Arc::new((guard, admin));
    let answer = move |mut request: http::Request<TrackedRequestBody>, remote: SocketAddr| {
        let begun = Metrics::begin(&request);
        let (browsers, admin) = &*gate;
        let caller = |headers: &_| Caller::new(remote, headers, admin.as_ref());
        let answer = if let Some(answer) = guard::admit(browsers, caller, &mut request) {
            Either::Left(future::ok(answer))
        } else {
            note_asker(&node, remote, &request);
            Either::Right(routes.call(request))
        };
        let metrics = Arc::clone(&metrics);
        async move {
            let answer = answered(answer, &metrics).await;
            metrics.end(begun, answer.status());
            Ok::<_, Infallible>(answer)
        }
    };
    let service = |remote| {
        let answer = answer.clone();
        service_fn(move |request| answer(request, remote))
    };
    crate::http::serve(listener, service, connections, shutdown).await;
}

/// Returns the answer of a handler, which is 500 if it panics.
async fn answered(
    handler: impl Future<Output = Result<Response, Infallible>>,
    metrics: &Metrics,
) -> Response {
    match crate::http::catch_panic(handler).await {
        Ok(Ok(answer)) => answer,
        Err(Panicked) => {
            metrics.panicked();
            ApiError::internal().into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_handler_that_panics_answers_500_and_is_counted() {
        let metrics = Metrics::default();
        let answer = answered(async { panic!("as it should be") }, &metrics).await;
        assert_eq!(answer.status(), http::StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(
            answer.headers()[http::header::CONTENT_TYPE],
            "application/json"
        );
        assert_eq!(metrics.panics(), 1);
    }
}
