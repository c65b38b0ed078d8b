//! Which page answers what.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use serde::de::DeserializeOwned;
use warp::http;
use warp::path::FullPath;
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

use super::error_page::{ErrorPage, sentence};
use super::site::Site;
use super::{
    add, assets, block, blocks, events, home, lab, mempool, message, peers, raw, reorgs, reply,
    search,
};
use crate::http::{Guard, InvalidHead, check_head};

/// A request, as far as pages look at it.
pub(super) struct PageRequest {
    pub(super) headers: HeaderMap,
    query: String,
}

impl PageRequest {
    /// What the query says. A field of a form that was left empty is not there.
    pub(super) fn query<T: DeserializeOwned>(&self) -> Result<T, ErrorPage> {
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_str(&self.query).unwrap_or_default();
        let pairs: Vec<_> = pairs
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        serde_urlencoded::to_string(pairs)
            .ok()
            .and_then(|query| serde_urlencoded::from_str(&query).ok())
            .ok_or_else(|| {
                ErrorPage::new(
                    StatusCode::BAD_REQUEST,
                    "The address makes no sense",
                    "What stands behind the question mark is not what this page knows.",
                )
            })
    }
}

/// Refuses a request whose head names nothing or that a foreign page may have caused, and takes the
/// base path away; a proxy may have done so already.
pub(super) fn admit<B>(
    site: &Site,
    guard: &Guard,
    request: &mut http::Request<B>,
) -> Option<Response> {
    if let Err(invalid) = check_head(request) {
        return Some(invalid_head(site, invalid));
    }
    if !guard.allows(request.headers()) {
        return Some(ErrorPage::foreign().page(site));
    }
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", PathAndQuery::as_str);
    let rest = target.strip_prefix(&site.base).unwrap_or(target);
    let rest = match rest.as_bytes().first() {
        Some(b'/') => rest.to_owned(),
        None | Some(b'?') => format!("/{rest}"),
        // The base is only the start of another name.
        Some(_) => target.to_owned(),
    };
    if let Ok(uri) = rest.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    None
}

/// All routes; every answer is one of ours.
pub(super) fn routes(
    site: Arc<Site>,
) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone {
    let with = warp::any().map(move || Arc::clone(&site));
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let add = warp::path!("add")
        .and(warp::post())
        .and(with.clone())
        .and(warp::ext::get())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(
            |site: Arc<Site>, remote: SocketAddr, headers, body| async move {
                let answer = add::send(&site, remote, &headers, body).await;
                answer.unwrap_or_else(|problem| problem.page(&site))
            },
        );
    let read = warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(with)
        .and_then(
            |method, path: FullPath, query, headers, site: Arc<Site>| async move {
                let asked = PageRequest { headers, query };
                let answer = get(&method, path.as_str(), asked, &site).await;
                Ok::<_, Rejection>(answer.unwrap_or_else(|problem| problem.page(&site)))
            },
        );
    add.or(read).unify().recover(unreadable).unify()
}

/// Only what warp itself refuses gets here, such as a query that is no text.
async fn unreadable(_: Rejection) -> Result<Response, Infallible> {
    let text = b"This request makes no sense.\n".to_vec();
    Ok(std::future::ready(reply::content(StatusCode::BAD_REQUEST, "text/plain", text)).await)
}

async fn get(
    method: &Method,
    path: &str,
    asked: PageRequest,
    site: &Arc<Site>,
) -> Result<Response, ErrorPage> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Ok(not_allowed(site, path == "/add"));
    }
    if path != "/" && path.ends_with('/') {
        return without_slash(site, path, &asked);
    }
    let names: Vec<&str> = path[1..].split('/').collect();
    match names[..] {
        [""] => home::get(site, &asked).await,
        ["blocks"] => blocks::get(site, &asked).await,
        ["block", which] => block::get(site, which).await,
        ["message", id] => message::get(site, id).await,
        ["search"] => search::get(site, &asked).await,
        ["mempool"] => mempool::get(site, &asked).await,
        ["peers"] => peers::get(site).await,
        ["reorgs"] => reorgs::get(site, &asked).await,
        ["lab"] => lab::get(site).await,
        ["add"] => Ok(add::form(site, &asked.headers)),
        ["events"] => events::get(site),
        ["raw", "block", which] => raw::block(site, which).await,
        ["raw", "blocks"] => raw::blocks(site, &asked).await,
        ["assets", name] => assets::get(name, &asked.headers),
        // Browsers ask for it whatever a page says.
        ["favicon.ico"] => assets::get("icon.svg", &asked.headers),
        _ => Err(ErrorPage::no_page()),
    }
}

/// Leads from a path with a slash at its end to the page without it. What is not made of plain names
/// is no page, and a browser could take it for an address of another site.
fn without_slash(site: &Site, path: &str, asked: &PageRequest) -> Result<Response, ErrorPage> {
    let path = path.trim_matches('/');
    if !path.split('/').all(is_plain) {
        return Err(ErrorPage::no_page());
    }
    let page = site.path(&format!("/{path}"));
    Ok(reply::moved(&match &*asked.query {
        "" => page,
        query => format!("{page}?{query}"),
    }))
}

/// The answer to a request that no page may see.
fn invalid_head(site: &Site, invalid: InvalidHead) -> Response {
    let text = sentence(&invalid.to_string());
    let problem = ErrorPage::new(invalid.status(), "This request cannot be answered", text);
    let mut response = problem.page(site);
    let headers = response.headers_mut();
    if invalid == InvalidHead::Connect {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn not_allowed(site: &Site, is_form: bool) -> Response {
    let problem = ErrorPage::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "Pages can only be read",
        "The one thing that can be sent here is the form for a new message.",
    );
    let mut response = problem.page(site);
    let methods = if is_form {
        "GET, HEAD, POST"
    } else {
        "GET, HEAD"
    };
    let methods = HeaderValue::from_static(methods);
    response.headers_mut().insert(header::ALLOW, methods);
    response
}

/// What goes into a path of the node's API must not reach beyond it.
pub(super) fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
