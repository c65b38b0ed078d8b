//! `/checkpoint`: the checkpoint line of a block, to be stored outside the node, in a form to print.

use askama::Template;
use http::StatusCode;
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::address;
use super::error_page::ErrorPage;
use super::format;
use super::qr::checkpoint_code;
use super::reply;
use super::request::PageRequest;
use super::site::{Layout, Section, Site};
use crate::client::ClientError;
use crate::wire::CheckpointView;

#[derive(Template)]
#[template(path = "checkpoint.html", config = "src/ui/askama.toml")]
struct CheckpointPage {
    layout: Layout,
    checkpoint: CheckpointView,
    /// An SVG drawing of the line.
    drawing: Option<String>,
}

#[derive(Deserialize)]
struct Query {
    #[serde(default = "tip")]
    at: String,
}

fn tip() -> String {
    "tip".to_owned()
}

/// `GET /checkpoint?at=`.
pub(super) async fn get(site: &Site, request: &PageRequest) -> Result<Response, ErrorPage> {
    let checkpoint = read(site, request).await?;
    let page = CheckpointPage {
        layout: site.layout(Section::None),
        drawing: draw(&checkpoint.checkpoint),
        checkpoint,
    };
    Ok(reply::page(StatusCode::OK, &page))
}

/// `GET /raw/checkpoint?at=`, for the script that verifies receipts.
pub(super) async fn raw(site: &Site, request: &PageRequest) -> Result<Response, ErrorPage> {
    Ok(reply::json(&read(site, request).await?))
}

async fn read(site: &Site, request: &PageRequest) -> Result<CheckpointView, ErrorPage> {
    let query: Query = request.parse_query()?;
    match site.client.checkpoint(&query.at).await {
        Err(ClientError::Rejected {
            status: 400 | 404, ..
        }) => Err(ErrorPage::new(
            StatusCode::NOT_FOUND,
            "No such block",
            "The query names a block by its index, its hash or tip. The chain has none of this name.",
        )),
        view => Ok(view?),
    }
}

/// Draws the QR code of a checkpoint line.
fn draw(line: &str) -> Option<String> {
    address::draw(&checkpoint_code(line)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;

    #[test]
    fn the_page_shows_the_line_and_draws_it() {
        let line = include_str!("../../tests/fixtures/receipts/checkpoints.txt")
            .lines()
            .next()
            .unwrap();
        let page = CheckpointPage {
            layout: samples::layout(),
            drawing: draw(line),
            checkpoint: CheckpointView {
                checkpoint: line.to_owned(),
                genesis: "a".repeat(64),
                index: 4,
                hash: "b".repeat(64),
                history_root: "c".repeat(64),
                seal: Some("sealed".to_owned()),
                time: None,
                confirmations: 8,
            },
        };
        let html = page.render().unwrap();
        assert!(html.contains(line) && html.contains("<svg"), "{html}");
    }
}
