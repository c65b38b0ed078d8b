//! `/raw/…`: blocks as the node describes them, in JSON.

use http::StatusCode;
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::problem::Problem;
use super::reply;
use super::routes::{Asked, is_plain};
use super::site::Site;

/// Most blocks in one answer.
const MOST: usize = 25;

#[derive(Deserialize)]
struct Query {
    newest: Option<usize>,
}

/// `GET /raw/block/{index|hash|tip}`.
pub(super) async fn block(site: &Site, which: &str) -> Result<Response, Problem> {
    if !is_plain(which) {
        return Err(Problem::no_page());
    }
    match site.client.block(which).await {
        Ok(block) => Ok(reply::json(&block)),
        Err(error) if error.is_not_found() => Err(Problem::nothing(
            "block",
            "The chain of this node does not hold it.",
        )),
        Err(error) => Err(error.into()),
    }
}

/// `GET /raw/blocks?newest=N`: the last blocks, newest first.
pub(super) async fn blocks(site: &Site, asked: &Asked) -> Result<Response, Problem> {
    let count = asked.query::<Query>()?.newest.unwrap_or(MOST);
    if !(1..=MOST).contains(&count) {
        let title = format!("Only 1 to {MOST} blocks can be asked for");
        return Err(Problem::new(StatusCode::BAD_REQUEST, title, ""));
    }
    Ok(reply::json(&site.client.blocks_down(None, count).await?))
}
