//! `/raw/…`: blocks as the node describes them, in JSON.

use http::StatusCode;
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::reply;
use super::routes::{PageRequest, is_plain};
use super::site::Site;

/// Most blocks in one answer.
const MOST: usize = 25;

#[derive(Deserialize)]
struct Query {
    newest: Option<usize>,
}

/// `GET /raw/block/{index|hash|tip}`.
pub(super) async fn block(site: &Site, which: &str) -> Result<Response, ErrorPage> {
    if !is_plain(which) {
        return Err(ErrorPage::no_page());
    }
    match site.client.block(which).await {
        Ok(block) => Ok(reply::json(&block)),
        Err(error) if error.is_not_found() => Err(ErrorPage::nothing(
            "block",
            "The chain of this node does not hold it.",
        )),
        Err(error) => Err(error.into()),
    }
}

/// `GET /raw/blocks?newest=N`: the last blocks, newest first.
pub(super) async fn blocks(site: &Site, asked: &PageRequest) -> Result<Response, ErrorPage> {
    let count = asked.query::<Query>()?.newest.unwrap_or(MOST);
    if !(1..=MOST).contains(&count) {
        let title = format!("Only 1 to {MOST} blocks can be asked for");
        return Err(ErrorPage::new(StatusCode::BAD_REQUEST, title, ""));
    }
    Ok(reply::json(&site.client.blocks_down(None, count).await?))
}
