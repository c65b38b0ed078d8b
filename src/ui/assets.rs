//! Styles and scripts, embedded. A browser asks each time whether its copy is still good.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use rust_embed::Embed;
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::reply;

#[derive(Embed)]
#[folder = "src/ui/assets"]
struct Assets;

/// `GET /assets/{name}`.
pub(super) fn get(name: &str, headers: &HeaderMap) -> Result<Response, ErrorPage> {
    let file = Assets::get(name).ok_or_else(ErrorPage::no_page)?;
    let kind = match name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let tag = format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..16]));
    let known = headers.get(header::IF_NONE_MATCH);
    let mut response = if known.is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        reply::content(StatusCode::NOT_MODIFIED, kind, Vec::new())
    } else {
        reply::content(StatusCode::OK, kind, file.data.into_owned())
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}
