//! The API on a listener.

use std::sync::Arc;

use futures_util::future::{self, Either};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use warp::http;

use super::guard;
use crate::node::Node;
use crate::serve::{self, Guard};

/// Most answers that are streamed at a time.
const STREAMS: usize = 16;

/// The right to stream one answer.
pub(crate) type StreamPermit = OwnedSemaphorePermit;

/// What the routes share.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) node: Arc<Node>,
    pub(crate) streams: Arc<Semaphore>,
}

/// Serves the API until the shutdown.
pub async fn serve(
    listener: TcpListener,
    node: Arc<Node>,
    guard: Guard,
    shutdown: CancellationToken,
) {
    let context = Context {
        node,
        streams: Arc::new(Semaphore::new(STREAMS)),
    };
    let routes = TowerToHyperService::new(warp::service(super::routes(context)));
    let browsers = Arc::new(guard);
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        match guard::admit(&browsers, &mut request) {
            Some(answer) => Either::Left(future::ok(answer)),
            None => Either::Right(routes.call(request)),
        }
    });
    serve::serve(listener, service, shutdown).await;
}
