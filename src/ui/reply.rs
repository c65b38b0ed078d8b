//! Responses of the explorer, and the security headers of each.

use askama::Template;
use http::{HeaderValue, StatusCode, header};
use warp::http;
use warp::reply::Response;

use super::csrf::BrowserSession;
use crate::text::escape_json;

/// The content security policy: resources from this site only, no inline scripts or styles, no
/// frames.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Returns a rendered page.
pub(super) fn page(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => content(status, "text/html; charset=utf-8", html.into_bytes()),
        Err(error) => {
            tracing::error!(%error, "failed to render a page");
            let text = b"Failed to render the page.\n".to_vec();
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            content(status, "text/plain; charset=utf-8", text)
        }
    }
}

/// Returns a response with a body of the given media type.
pub(super) fn content(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns a JSON response.
pub(super) fn json(body: &impl serde::Serialize) -> Response {
    let json = serde_json::to_string_pretty(body).unwrap_or_default();
    let json = escape_json(&json).into_owned();
    content(StatusCode::OK, "application/json", json.into_bytes())
}

/// Redirects to a page that is requested with GET.
pub(super) fn see_other(path: &str) -> Response {
    redirect(StatusCode::SEE_OTHER, path)
}

/// Redirects to the canonical address of a page.
pub(super) fn permanent_redirect(path: &str) -> Response {
    redirect(StatusCode::PERMANENT_REDIRECT, path)
}

/// Omits the `Location` if the path is not a valid header value.
fn redirect(status: StatusCode, path: &str) -> Response {
    let mut response = content(status, "text/plain", Vec::new());
    if let Ok(path) = HeaderValue::try_from(path) {
        response.headers_mut().insert(header::LOCATION, path);
    }
    response
}

/// Sets the session cookie if the session is new.
pub(super) fn with_session(
    mut response: Response,
    session: &BrowserSession,
    base: &str,
) -> Response {
    if let Some(cookie) = session.cookie(base) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Adds the security headers. The referrer policy is `same-origin`: with `no-referrer`, browsers
/// would submit the form with the origin `null`.
pub(super) fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-security-policy", CONTENT_SECURITY_POLICY),
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
        // A page may have a stricter policy.
        let header = headers.entry(name);
        header.or_insert(HeaderValue::from_static(value));
    }
    response
}
