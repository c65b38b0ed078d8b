//! `/raw/…`: blocks as the node returns them, in JSON.

use http::StatusCode;
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::reply;
use super::request::{PageRequest, is_plain_segment};
use super::site::Site;

/// Maximum number of blocks in a response.
const MAX_BLOCKS: usize = 25;

#[derive(Deserialize)]
struct Query {
    newest: Option<usize>,
}

/// `GET /raw/block/{index|hash|tip}`.
pub(super) async fn block(site: &Site, name: &str) -> Result<Response, ErrorPage> {
    if !is_plain_segment(name) {
        return Err(ErrorPage::not_found());
    }
    match site.client.block(name).await {
        Ok(block) => Ok(reply::json(&block)),
        Err(error) if error.is_not_found() => Err(ErrorPage::no_such(
            "Block",
            "The chain of this node has no such block.",
        )),
        Err(error) => Err(error.into()),
    }
}

/// `GET /raw/blocks?newest=N`: the newest blocks, tip first.
pub(super) async fn blocks(site: &Site, request: &PageRequest) -> Result<Response, ErrorPage> {
    let count = request.parse_query::<Query>()?.newest;
    let count = count.unwrap_or(MAX_BLOCKS);
    if !(1..=MAX_BLOCKS).contains(&count) {
        return Err(ErrorPage::new(
            StatusCode::BAD_REQUEST,
            "Invalid number of blocks",
            format!("newest must be between 1 and {MAX_BLOCKS}."),
        ));
    }
    Ok(reply::json(&site.client.blocks_down(None, count).await?))
}
