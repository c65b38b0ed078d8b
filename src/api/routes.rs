//! Dispatches each request to the handler of its operation.

use std::sync::Arc;

use bytes::Buf;
use futures_util::Stream;
use http::{HeaderMap, Method};
use warp::path::FullPath;
use warp::reply::{Reply, Response};
use warp::{Filter, http};

use super::admin::Caller;
use super::context::{Context, StreamPermit};
use super::openapi::Documents;
use super::operation::Endpoint;
use super::reject::{self, ApiError};
use super::v1::{
    self, blocks, disconnected, events, lines, messages, neighbours, proofs, reorgs, search,
};
use super::{access, metrics, openapi, paths, reference, welcome};
use crate::node::Node;

/// Returns the filter that serves every request. The request must have a [`Caller`] among its
/// extensions.
pub(super) fn routes(
    context: Context,
) -> impl Filter<Extract = (impl Reply,), Error = warp::Rejection> + Clone {
    let documents = Documents::new();
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let shared = warp::any().map(move || (context.clone(), documents.clone()));
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::ext::get())
        .and(warp::body::stream())
        .and(shared)
        .then(
            |method: Method, path: FullPath, query, headers, caller, body, (context, documents)| async move {
                let request = Request {
                    method,
                    path,
                    query,
                    headers,
                    caller,
                };
                let response = dispatch(request, body, context, &documents).await;
                response.unwrap_or_else(ApiError::into_response)
            },
        )
}

/// A request without its body.
struct Request {
    method: Method,
    path: FullPath,
    /// The raw query string; empty if there is none.
    query: String,
    headers: HeaderMap,
    caller: Caller,
}

/// Responds to a request. Point reads run on the calling thread, longer reads on blocking threads.
async fn dispatch(
    request: Request,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
    context: Context,
    documents: &Documents,
) -> Result<Response, ApiError> {
    let Request {
        method,
        path,
        query,
        headers,
        caller,
    } = request;
    let path = path.as_str();
    let found = paths::find(path)
        .and_then(|known| Some((known.operation(method.as_str())?, known.parameter(path))));
    let Some((operation, parameter)) = found else {
        return Ok(welcome::page(&context.node, &method, path, &headers)
            .unwrap_or_else(|| reject::no_route(&method, path)));
    };
    let node = &context.node;
    access::check(node, operation.endpoint, &caller).await?;
    match operation.endpoint {
        Endpoint::Add => Ok(reference::add(&context, &caller, &headers, &query).await),
        Endpoint::Chain => stream(&method, &context, &caller, reference::chain),
        Endpoint::Data => stream(&method, &context, &caller, reference::data),
        Endpoint::ReferenceNeighbours => Ok(reference::neighbours(node)),
        Endpoint::Health => Ok(v1::health(node)),
        Endpoint::Metrics => metrics::page(&context, &headers).await,
        Endpoint::OpenApi => Ok(documents.json()),
        Endpoint::Docs => Ok(documents.page(&headers)),
        Endpoint::DocsStyle => Ok(openapi::style()),
        Endpoint::Status => v1::status(node).await,
        Endpoint::BlockPage => blocks::page(&context, &caller, &query, &headers).await,
        Endpoint::Block => blocks::single(node, parameter, &headers),
        Endpoint::Checkpoint => proofs::checkpoint(node, &query),
        Endpoint::BlockReceipt => proofs::of_block(node, parameter, &query, &headers),
        Endpoint::MessageReceipt => proofs::of_message(node, parameter, &query, &headers),
        Endpoint::Receipts => proofs::of_blocks(&context, &caller, &query).await,
        Endpoint::Consistency => proofs::consistency(node, &query),
        Endpoint::PostMessage => messages::post(&context, &caller, &headers, body).await,
        Endpoint::PostLines => lines::post(&context, &caller, &headers, &query, body).await,
        Endpoint::Message => messages::get(node, parameter),
        Endpoint::Mempool => messages::mempool(&context, &caller, &query).await,
        Endpoint::Reorgs => reorgs::page(&context, &caller, &query).await,
        Endpoint::AcknowledgeReorgs => reorgs::acknowledge(node, &caller, &headers, body).await,
        Endpoint::Disconnected => disconnected::page(&context, &caller, &query).await,
        Endpoint::Search => search::page(&context, &caller, &query).await,
        Endpoint::Events => events::open(&context, &caller, &headers),
        Endpoint::Neighbours => Ok(neighbours::list(node)),
        Endpoint::AddNeighbour => neighbours::add(node, &caller, &headers, body).await,
        Endpoint::RemoveNeighbour => neighbours::remove(node, &caller, parameter).await,
        Endpoint::Announce => neighbours::announce(node, &caller, &headers, body).await,
    }
}

/// Sends a streamed response. HEAD needs no permit, because its response has no body.
fn stream(
    method: &Method,
    context: &Context,
    caller: &Caller,
    respond: impl FnOnce(&Arc<Node>, Option<StreamPermit>) -> Response,
) -> Result<Response, ApiError> {
    if *method == Method::HEAD {
        return Ok(respond(&context.node, None));
    }
    match context.stream_permit(caller) {
        Ok(permit) => Ok(respond(&context.node, Some(permit))),
        Err(reason) => Err(ApiError::unavailable(reason.to_string())),
    }
}
