//! Style sheets and scripts, embedded in the binary. Browsers revalidate their copies by entity tag.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::reply;
use crate::http::is_unchanged;

/// Returns the content of an embedded file.
fn content(name: &str) -> Option<&'static str> {
    Some(match name {
        "base.css" => include_str!("assets/base.css"),
        "parts.css" => include_str!("assets/parts.css"),
        "modes.css" => include_str!("assets/modes.css"),
        "inspector.css" => include_str!("assets/inspector.css"),
        "theme.js" => include_str!("assets/theme.js"),
        "page.js" => include_str!("assets/page.js"),
        "chain.js" => include_str!("assets/chain.js"),
        "sha256.js" => include_str!("assets/sha256.js"),
        "inspector.js" => include_str!("assets/inspector.js"),
        "solver.js" => include_str!("assets/solver.js"),
        "receipt.js" => include_str!("assets/receipt.js"),
        "verifier.js" => include_str!("assets/verifier.js"),
        "lab.css" => include_str!("assets/lab.css"),
        "lab.js" => include_str!("assets/lab.js"),
        "lab-build.js" => include_str!("assets/lab-build.js"),
        "lab-copies.js" => include_str!("assets/lab-copies.js"),
        "lab-hash.js" => include_str!("assets/lab-hash.js"),
        "lab-miner.js" => include_str!("assets/lab-miner.js"),
        "lab-rules.js" => include_str!("assets/lab-rules.js"),
        "lab-tamper.js" => include_str!("assets/lab-tamper.js"),
        "lab-verdict.js" => include_str!("assets/lab-verdict.js"),
        "lab-view.js" => include_str!("assets/lab-view.js"),
        "icon.svg" => include_str!("assets/icon.svg"),
        _ => return None,
    })
}

/// `GET /assets/{name}`.
pub(super) fn get(name: &str, headers: &HeaderMap) -> Result<Response, ErrorPage> {
    let content = content(name).ok_or_else(ErrorPage::not_found)?;
    let kind = match name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        _ => "image/svg+xml",
    };
    let tag = format!("\"{}\"", hex::encode(&Sha256::digest(content)[..16]));
    let mut response = if is_unchanged(headers, &tag) {
        reply::content(StatusCode::NOT_MODIFIED, kind, Vec::new())
    } else {
        reply::content(StatusCode::OK, kind, content.into())
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}
