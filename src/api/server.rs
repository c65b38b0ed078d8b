//! Serves the API on a listener.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture, Either};
use hyper::service::{Service, service_fn};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use warp::http;
use warp::reply::Response;

use super::admin::Caller;
use super::admission::{self, Access};
use super::context::Context;
use super::cors;
use super::reject::ApiError;
use super::request_metrics::RequestMetrics;
use super::routes::routes;
use super::v1::neighbours::record_sender;
use crate::http::{Panicked, TrackedRequestBody};
use crate::node::Node;

/// Returns a function that answers requests without a network, for simulated networks. Its first
/// argument is the remote address of the client.
pub fn answerer(
    node: Arc<Node>,
) -> impl Fn(SocketAddr, http::Request<Bytes>) -> BoxFuture<'static, Response> {
    let context = Context::new(Arc::clone(&node), CancellationToken::new());
    let routes = TowerToHyperService::new(warp::service(routes(context)));
    move |remote, request| {
        record_sender(&node, remote, &request);
        let mut request = request.map(|body| Response::new(body.into()).into_body());
        let caller = Caller::new(remote, request.headers(), None);
        request.extensions_mut().insert(caller);
        let response = routes.call(request);
        async move { response.await.unwrap_or_else(|never| match never {}) }.boxed()
    }
}

/// Serves the API until the shutdown.
pub async fn serve(
    listener: TcpListener,
    node: Arc<Node>,
    access: Access,
    shutdown: CancellationToken,
) {
    let context = Context::new(Arc::clone(&node), shutdown.clone());
    let connections = context.connections.clone();
    let metrics = Arc::clone(&context.request_metrics);
    let routes = TowerToHyperService::new(warp::service(routes(context)));
    let access = Arc::new(access);
    let respond = move |mut request: http::Request<TrackedRequestBody>, remote: SocketAddr| {
        let begun = RequestMetrics::begin(&request);
        let (origin, response) = match admission::admit(&access, remote, &mut request) {
            Ok(origin) => {
                record_sender(&node, remote, &request);
                (origin, Either::Right(routes.call(request)))
            }
            Err(response) => (None, Either::Left(future::ok(response))),
        };
        let (access, metrics) = (Arc::clone(&access), Arc::clone(&metrics));
        async move {
            let mut response = catch_panic(response, &metrics).await;
            cors::finish(&access.origins, origin, &mut response);
            metrics.end(begun, response.status());
            Ok::<_, Infallible>(response)
        }
    };
    let service = |remote| {
        let respond = respond.clone();
        service_fn(move |request| respond(request, remote))
    };
    crate::http::serve(listener, service, connections, shutdown).await;
}

/// Returns the response of a handler, or 500 if the handler panics.
async fn catch_panic(
    handler: impl Future<Output = Result<Response, Infallible>>,
    metrics: &RequestMetrics,
) -> Response {
    match crate::http::catch_panic(handler).await {
        Ok(Ok(response)) => response,
        Err(Panicked) => {
            metrics.record_panic();
            ApiError::internal().into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_handler_that_panics_answers_500_and_is_counted() {
        let metrics = RequestMetrics::default();
        let response = catch_panic(async { panic!("expected") }, &metrics).await;
        assert_eq!(response.status(), http::StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(
            response.headers()[http::header::CONTENT_TYPE],
            "application/json"
        );
        assert_eq!(metrics.panics(), 1);
    }
}
