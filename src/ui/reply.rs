//! Answers of the explorer, and the headers every one of them carries.

use askama::Template;
use http::{HeaderValue, StatusCode, header};
use warp::http;
use warp::reply::Response;

use super::token::FormSession;

/// Nothing but what this site serves, no scripts or styles inside a page, no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A page.
pub(super) fn page(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => content(status, "text/html; charset=utf-8", html.into_bytes()),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            let text = b"The page could not be made.\n".to_vec();
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            content(status, "text/plain; charset=utf-8", text)
        }
    }
}

/// Bytes of a kind.
pub(super) fn content(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// JSON.
pub(super) fn json(body: &impl serde::Serialize) -> Response {
    let bytes = serde_json::to_vec_pretty(body).unwrap_or_default();
    content(StatusCode::OK, "application/json", bytes)
}

/// Leads to another page, which is asked for with GET.
pub(super) fn see_other(path: &str) -> Response {
    redirect(StatusCode::SEE_OTHER, path)
}

/// Leads to the address that a page always has.
pub(super) fn moved(path: &str) -> Response {
    redirect(StatusCode::PERMANENT_REDIRECT, path)
}

/// A path that no header can hold leads nowhere.
fn redirect(status: StatusCode, path: &str) -> Response {
    let mut response = content(status, "text/plain", Vec::new());
    if let Ok(path) = HeaderValue::try_from(path) {
        response.headers_mut().insert(header::LOCATION, path);
    }
    response
}

/// Lets the browser remember its session.
pub(super) fn remember(mut response: Response, session: &FormSession, base: &str) -> Response {
    if let Some(cookie) = session.cookie(base) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Adds what keeps a browser safe. The referrer stays on this site: with none at all, browsers
/// would send the form from the origin `null`.
pub(super) fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "permissions-policy",
            "camera=(), geolocation=(), microphone=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
