//! Maps each request to a page.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{HeaderValue, Method, StatusCode, Uri, header};
use warp::http;
use warp::path::FullPath;
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

use super::error_page::ErrorPage;
use super::format::sentence;
use super::request::{PageRequest, is_plain_segment};
use super::site::Site;
use super::{
    acknowledge, add, assets, block, blocks, checkpoint, docs, events, home, lab, mempool, message,
    peers, proving, raw, receipt, reorgs, reply, search,
};
use crate::http::{InvalidHead, OriginPolicy, check_head};

/// Checks the head of a request and removes the base path from its target. A reverse proxy may
/// have removed it already.
///
/// Returns the response to a request with an invalid head, a host that is not allowed or a foreign
/// origin, and `None` for all others.
pub(super) fn admit<B>(
    site: &Site,
    policy: &OriginPolicy,
    request: &mut http::Request<B>,
) -> Option<Response> {
    if let Err(invalid) = check_head(request) {
        return Some(invalid_head(site, invalid));
    }
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", PathAndQuery::as_str);
    let rest = target.strip_prefix(&site.base).unwrap_or(target);
    let rest = match rest.as_bytes().first() {
        Some(b'/') => rest.to_owned(),
        None | Some(b'?') => format!("/{rest}"),
        // The target only starts like the base path: `/chainx` is not below `/chain`.
        Some(_) => target.to_owned(),
    };
    if let Ok(uri) = rest.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    // The style of the page that explains the rejection is public.
    if is_asset(request.uri().path()) {
        return None;
    }
    let foreign = policy.check(request.headers()).err()?;
    Some(ErrorPage::forbidden(foreign).into_response(site))
}

fn is_asset(path: &str) -> bool {
    let name = path.strip_prefix("/assets/");
    name.is_some_and(|name| !name.contains('/')) || path == "/favicon.ico"
}

/// Builds the filter that responds to every request.
pub(super) fn routes(
    site: Arc<Site>,
) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone {
    let with_site = warp::any().map(move || Arc::clone(&site));
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let add = warp::path!("add")
        .and(warp::post())
        .and(with_site.clone())
        .and(warp::ext::get())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(
            |site: Arc<Site>, remote: SocketAddr, headers, body| async move {
                let response = add::submit(&site, remote, &headers, body).await;
                response.unwrap_or_else(|error| error.into_response(&site))
            },
        );
    let receipt = warp::path!("receipt")
        .and(warp::post())
        .and(with_site.clone())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(|site: Arc<Site>, headers, body| async move {
            let response = receipt::submit(&site, &headers, body).await;
            response.unwrap_or_else(|error| error.into_response(&site))
        });
    let acknowledge = warp::path!("reorgs" / "acknowledge")
        .and(warp::post())
        .and(with_site.clone())
        .and(warp::ext::get())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(
            |site: Arc<Site>, remote: SocketAddr, headers, body| async move {
                let response = acknowledge::submit(&site, remote, &headers, body).await;
                response.unwrap_or_else(|error| error.into_response(&site))
            },
        );
    let read = warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::ext::get())
        .and(with_site)
        .and_then(
            |method, path: FullPath, query, headers, remote, site: Arc<Site>| async move {
                let request = PageRequest {
                    headers,
                    query,
                    remote,
                };
                let response = get(&method, path.as_str(), request, &site).await;
                Ok::<_, Rejection>(response.unwrap_or_else(|error| error.into_response(&site)))
            },
        );
    add.or(receipt)
        .unify()
        .or(acknowledge)
        .unify()
        .or(read)
        .unify()
        .recover(bad_request)
        .unify()
}

/// Responds to a request that warp rejects itself, such as one whose query is not text.
async fn bad_request(_: Rejection) -> Result<Response, Infallible> {
    let text = b"Invalid request.\n".to_vec();
    Ok(std::future::ready(reply::content(StatusCode::BAD_REQUEST, "text/plain", text)).await)
}

async fn get(
    method: &Method,
    path: &str,
    request: PageRequest,
    site: &Arc<Site>,
) -> Result<Response, ErrorPage> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Ok(method_not_allowed(
            site,
            ["/add", "/receipt", "/reorgs/acknowledge"].contains(&path),
        ));
    }
    if path != "/" && path.ends_with('/') {
        return without_trailing_slash(site, path, &request);
    }
    let segments: Vec<&str> = path[1..].split('/').collect();
    if !matches!(
        segments[0],
        "raw" | "assets" | "docs" | "events" | "favicon.ico" | "openapi.json"
    ) {
        site.refresh().await;
    }
    match segments[..] {
        [""] => home::get(site, &request).await,
        ["blocks"] => blocks::get(site, &request).await,
        ["block", name] => block::get(site, name).await,
        ["message", id] => message::get(site, id).await,
        ["block", name, "receipt"] => receipt::of_block(site, name).await,
        ["message", id, "receipt"] => receipt::of_message(site, id).await,
        ["search"] => search::get(site, &request).await,
        ["mempool"] => mempool::get(site, &request).await,
        ["peers"] => peers::get(site, &request).await,
        ["reorgs"] => reorgs::get(site, &request).await,
        ["lab"] => lab::get(site, &request).await,
        ["add"] => Ok(add::form(site, &request).await),
        ["events"] => events::get(site),
        ["raw", "block", name] => raw::block(site, name).await,
        ["checkpoint"] => checkpoint::get(site, &request).await,
        ["receipt"] => Ok(receipt::form(site)),
        ["proving"] => Ok(proving::get(site)),
        ["raw", "checkpoint"] => checkpoint::raw(site, &request).await,
        ["raw", "lab"] => lab::stretch(site, &request).await,
        ["raw", "blocks"] => raw::blocks(site, &request).await,
        ["docs"] => docs::page(site, &request).await,
        ["docs", "style.css"] => docs::style(site).await,
        ["openapi.json"] => docs::document(site, &request).await,
        ["assets", name] => assets::get(name, &request.headers),
        // Browsers request this path even though every page links its icon.
        ["favicon.ico"] => assets::get("icon.svg", &request.headers),
        _ => Err(ErrorPage::not_found()),
    }
}

/// Redirects a path with trailing slashes to the page without them. Only plain segments are
/// redirected: a browser could read `//name` as the address of another site.
fn without_trailing_slash(
    site: &Site,
    path: &str,
    request: &PageRequest,
) -> Result<Response, ErrorPage> {
    let path = path.trim_matches('/');
    if !path.split('/').all(is_plain_segment) {
        return Err(ErrorPage::not_found());
    }
    let page = site.path(&format!("/{path}"));
    Ok(reply::permanent_redirect(&match &*request.query {
        "" => page,
        query => format!("{page}?{query}"),
    }))
}

/// Responds to a request whose head is invalid, and closes its connection.
fn invalid_head(site: &Site, invalid: InvalidHead) -> Response {
    let text = sentence(&invalid.to_string());
    let error = ErrorPage::new(invalid.status(), "Invalid request", text);
    let mut response = error.into_response(site);
    let headers = response.headers_mut();
    if invalid == InvalidHead::Connect {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn method_not_allowed(site: &Site, is_form: bool) -> Response {
    let error = ErrorPage::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "Method not allowed",
        "Pages are read-only. Only forms accept POST.",
    );
    let mut response = error.into_response(site);
    let methods = if is_form {
        "GET, HEAD, POST"
    } else {
        "GET, HEAD"
    };
    let methods = HeaderValue::from_static(methods);
    response.headers_mut().insert(header::ALLOW, methods);
    response
}
