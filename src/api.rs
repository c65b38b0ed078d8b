//! The REST API: the documented endpoints as reference miners know them, and `/api/v1`.
//!
//! * [`server`]: the routes on a listener
//! * `fair_slots`: slots that clients share by address
//! * `guard`: whether a request may reach its route, and paths put right
//! * [`admin`]: who may change what the node does
//! * `documented`: `PUT /add`, `GET /chain`, `/neighbours`, `/data`
//! * [`v1`]: everything below `/api/v1`, and `/health`
//! * `metrics`: `/metrics`, and the count of requests; `exposition`: its two text formats
//! * `openapi`: `/openapi.json` and `/docs`
//! * `paths`: every path with its methods
//! * `reject`: errors, and what no route takes

pub mod admin;
mod documented;
mod exposition;
mod fair_slots;
mod guard;
mod metrics;
mod openapi;
mod paths;
mod reject;
pub mod server;
pub mod v1;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use admin::Caller;
use reject::ApiError;
use serde::de::DeserializeOwned;
use server::Context;
use warp::http::{HeaderValue, Method};
use warp::path;
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

use crate::node::Node;
use crate::store::StoreError;
use v1::{blocks, events, messages, neighbours, reorgs, search};

/// All routes. The first that fits answers; point reads run inline, longer ones on threads that
/// may block.
pub(crate) fn routes(
    context: Context,
) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone {
    let with = with(context.clone());
    let node = with
        .clone()
        .map(|context: Context| Arc::clone(&context.node));
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let read = warp::get().or(warp::head()).unify();
    let add = path!("add")
        .and(warp::put())
        .and(with.clone())
        .and(warp::ext::get())
        .and(header(messages::IDEMPOTENCY_KEY))
        .and(query)
        .then(documented::add);
    let neighbours = path!("neighbours")
        .and(read)
        .and(node.clone())
        .map(|node: Arc<Node>| documented::neighbours(&node));
    let chain = path!("chain")
        .and(warp::method())
        .and(with.clone())
        .and(warp::ext::get())
        .and_then(async |method, context, caller| {
            stream(&method, &context, &caller, documented::chain)
        });
    let data = path!("data")
        .and(warp::method())
        .and(with.clone())
        .and(warp::ext::get())
        .and_then(async |method, context, caller| {
            stream(&method, &context, &caller, documented::data)
        });
    let health = path!("health")
        .and(read)
        .and(node)
        .map(|node| v1::health(&node));
    let metrics = path!("metrics")
        .and(read)
        .and(with)
        .and(warp::header::headers_cloned())
        .then(|context, headers| answered(metrics::page(context, headers)));
    let documents = openapi::Documents::new();
    let description = documents.clone();
    let openapi = path!("openapi.json")
        .and(read)
        .map(move || description.json());
    let docs = path!("docs").and(read).map(move || documents.page());
    let style = path!("docs" / "style.css").and(read).map(openapi::style);
    let none = warp::method()
        .and(path::full())
        .map(|method: Method, path: path::FullPath| reject::no_route(&method, path.as_str()));
    add.or(neighbours)
        .unify()
        .or(path!("api" / "v1" / ..).and(v1_routes(context)))
        .unify()
        .or(health)
        .unify()
        .or(metrics)
        .unify()
        .or(openapi)
        .unify()
        .or(docs)
        .unify()
        .or(style)
        .unify()
        .or(chain)
        .unify()
        .or(data)
        .unify()
        .or(none)
        .unify()
}

/// All routes below `/api/v1`.
fn v1_routes(context: Context) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let network = network_routes(context.clone());
    let with = with(context);
    let node = with
        .clone()
        .map(|context: Context| Arc::clone(&context.node));
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let read = warp::get().or(warp::head()).unify();

    let single_block = path!("blocks" / String)
        .and(read)
        .and(node.clone())
        .and(header("if-none-match"))
        .map(|which: String, node, tag: Option<_>| {
            respond(blocks::single(&node, &which, tag.as_ref()))
        });
    let block_page = path!("blocks")
        .and(read)
        .and(with.clone())
        .and(warp::ext::get())
        .and(query)
        .and(warp::header::headers_cloned())
        .then(|context, caller, query, headers| {
            answered(blocks::page(context, caller, query, headers))
        });
    let status = path!("status")
        .and(read)
        .and(node.clone())
        .then(|node| answered(v1::status(node)));
    let post_message = path!("messages")
        .and(warp::post())
        .and(with.clone())
        .and(warp::ext::get())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(|context, caller, headers, body| {
            answered(messages::post(context, caller, headers, body))
        });
    let get_message = path!("messages" / String)
        .and(read)
        .and(node.clone())
        .map(|id: String, node| respond(messages::get(&node, &id)));
    let reorg_page = path!("reorgs")
        .and(read)
        .and(with.clone())
        .and(warp::ext::get())
        .and(query)
        .then(|context, caller, query| answered(reorgs::page(context, caller, query)));
    let search = path!("search")
        .and(read)
        .and(with.clone())
        .and(warp::ext::get())
        .and(query)
        .then(|context, caller, query| answered(search::page(context, caller, query)));
    let events = path!("events")
        .and(read)
        .and(with.clone())
        .and(warp::ext::get())
        .and(warp::header::headers_cloned())
        .map(|context: Context, caller: Caller, headers| {
            respond(events::open(&context, &caller, &headers))
        });
    let mempool = path!("mempool")
        .and(read)
        .and(with)
        .and(warp::ext::get())
        .and(query)
        .then(|context, caller, query| answered(messages::mempool(context, caller, query)));
    single_block
        .or(post_message)
        .unify()
        .or(block_page)
        .unify()
        .or(get_message)
        .unify()
        .or(status)
        .unify()
        .or(mempool)
        .unify()
        .or(reorg_page)
        .unify()
        .or(search)
        .unify()
        .or(events)
        .unify()
        .or(network)
        .unify()
}

/// The routes below `/api/v1` about other nodes, and for them.
fn network_routes(
    context: Context,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let node = with(context).map(|context: Context| Arc::clone(&context.node));
    let read = warp::get().or(warp::head()).unify();
    let neighbour_list = path!("neighbours")
        .and(read)
        .and(node.clone())
        .map(|node: Arc<Node>| neighbours::list(&node));
    let add_neighbour = path!("neighbours")
        .and(warp::post())
        .and(node.clone())
        .and(warp::ext::get())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(|node, caller, headers, body| answered(neighbours::add(node, caller, headers, body)));
    let remove_neighbour = path!("neighbours" / String)
        .and(warp::delete())
        .and(node.clone())
        .and(warp::ext::get())
        .then(|address, node, caller| answered(neighbours::remove(node, caller, address)));
    let announce = path!("announce")
        .and(warp::post())
        .and(node)
        .and(warp::ext::get())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(|node, caller, headers, body| {
            answered(neighbours::announce(node, caller, headers, body))
        });
    neighbour_list
        .or(add_neighbour)
        .unify()
        .or(remove_neighbour)
        .unify()
        .or(announce)
        .unify()
}

fn with(context: Context) -> impl Filter<Extract = (Context,), Error = Infallible> + Clone {
    warp::any().map(move || context.clone())
}

/// The value of a header, if there is one.
fn header(
    name: &'static str,
) -> impl Filter<Extract = (Option<HeaderValue>,), Error = Infallible> + Clone {
    let none = warp::any().map(|| None);
    warp::header::value(name).map(Some).or(none).unify()
}

/// Answers a documented stream for GET and HEAD, if there is a slot for it.
fn stream(
    method: &Method,
    context: &Context,
    caller: &Caller,
    answer: impl FnOnce(&Arc<Node>, Option<server::StreamPermit>) -> Response,
) -> Result<Response, Rejection> {
    if *method != Method::GET && *method != Method::HEAD {
        return Err(warp::reject());
    }
    if *method == Method::HEAD {
        return Ok(answer(&context.node, None));
    }
    Ok(match context.stream(caller) {
        Ok(permit) => answer(&context.node, Some(permit)),
        Err(reason) => ApiError::unavailable(reason.to_string()).into_response(),
    })
}

/// Makes a long answer on a thread that may block, when it is its turn.
async fn long_answer(
    context: Context,
    caller: Caller,
    make: impl FnOnce(&Node) -> Result<Response, StoreError> + Send + 'static,
) -> Result<Response, ApiError> {
    let slot = context.long_answers.acquire(&caller);
    let slot = slot.map_err(|reason| ApiError::unavailable(reason.to_string()))?;
    let turn = Arc::clone(&context.pages).acquire_owned().await;
    let answer = context.node.blocking(move |node| {
        // Until it is made, even if nobody waits for it any more.
        let _held = (slot, turn);
        make(node)
    });
    Ok(answer.await?)
}

async fn answered(answer: impl Future<Output = Result<Response, ApiError>>) -> Response {
    respond(answer.await)
}

fn respond(answer: Result<Response, ApiError>) -> Response {
    answer.unwrap_or_else(ApiError::into_response)
}

/// How many items a page is to have at most.
fn page_count(asked: Option<usize>, usual: usize, most: usize) -> Result<usize, ApiError> {
    let count = asked.unwrap_or(usual);
    if (1..=most).contains(&count) {
        Ok(count)
    } else {
        Err(ApiError::bad_request(format!("limit must be 1 to {most}")))
    }
}

/// Reads a query string; unknown names are refused, so that a mistyped one is noticed.
fn parse_query<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    serde_urlencoded::from_str(query)
        .map_err(|error| ApiError::bad_request(format!("the query makes no sense: {error}")))
}
