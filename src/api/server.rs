//! The API on a listener.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::{self, Either};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use warp::http;

use super::admin::{AdminToken, Caller};
use super::guard;
use super::metrics::Metrics;
use crate::node::Node;
use crate::serve::{self, Connections, Guard};

/// Most answers that are streamed at a time.
const STREAMS: usize = 16;

/// Most clients that listen to events at a time.
const EVENT_STREAMS: usize = 64;

/// Most searches at a time.
const SEARCHES: usize = 2;

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
    pub(crate) connections: Connections,
    /// Ends what would otherwise go on for ever.
    pub(crate) shutdown: CancellationToken,
}

/// Serves the API until the shutdown. Without an `admin` token nobody is an administrator.
pub async fn serve(
    listener: TcpListener,
    node: Arc<Node>,
    guard: Guard,
    admin: Option<AdminToken>,
    shutdown: CancellationToken,
) {
    let connections = Connections::default();
    let metrics = Arc::new(Metrics::default());
    let context = Context {
        node,
        streams: Arc::new(Semaphore::new(STREAMS)),
        event_streams: Arc::new(Semaphore::new(EVENT_STREAMS)),
        searches: Arc::new(Semaphore::new(SEARCHES)),
        metrics: Arc::clone(&metrics),
        connections: connections.clone(),
        shutdown: shutdown.clone(),
    };
    let routes = TowerToHyperService::new(warp::service(super::routes(context)));
    let gate = Arc::new((guard, admin));
    let answer = move |mut request: http::Request<Incoming>, remote: SocketAddr| {
        let begun = Metrics::begin(&request);
        let (browsers, admin) = &*gate;
        let caller = |headers: &_| Caller::new(remote, headers, admin.as_ref());
        let answer = match guard::admit(browsers, caller, &mut request) {
            Some(answer) => Either::Left(future::ok(answer)),
            None => Either::Right(routes.call(request)),
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
    let service = |remote| {
        let answer = answer.clone();
        service_fn(move |request| answer(request, remote))
    };
    serve::serve(listener, service, connections, shutdown).await;
}
