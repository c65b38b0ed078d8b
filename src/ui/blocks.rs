//! `/blocks`: the chain page by page, newest first.

use askama::Template;
use http::StatusCode;
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::format;
use super::parts::Card;
use super::reply;
use super::routes::PageRequest;
use super::site::{Frame, Place, Site};
use crate::wire::Lookup;

/// Blocks of a page.
const ROWS: u64 = 25;

#[derive(Template)]
#[template(path = "blocks.html", config = "src/ui/askama.toml")]
struct BlocksPage {
    frame: Frame,
    tip: u64,
    rows: Vec<Card>,
    newer: Option<u64>,
    older: Option<u64>,
}

#[derive(Deserialize)]
struct Query {
    from: Option<u64>,
    at: Option<String>,
}

/// `GET /blocks?from=&at=`: from an index downwards, or to an index or date.
pub(super) async fn get(site: &Site, asked: &PageRequest) -> Result<Response, ErrorPage> {
    let query: Query = asked.query()?;
    let tip = site.client.status().await?.tip.index;
    if let Some(at) = query.at {
        let index = find(site, at.trim(), tip).await?;
        return Ok(reply::see_other(
            &site.path(&format!("/blocks?from={index}#b{index}")),
        ));
    }
    let from = query.from.map(|from| from.min(tip));
    let rows = usize::try_from(ROWS).unwrap_or(usize::MAX);
    let page = site.client.blocks_down(from, rows).await?;
    let top = page.blocks.first().map_or(tip, |first| first.index);
    let page = BlocksPage {
        frame: site.frame(Place::Blocks),
        tip,
        rows: page
            .blocks
            .iter()
            .map(|block| Card::new(&site.base, block))
            .collect(),
        newer: from.filter(|_| top < tip).map(|_| (top + ROWS).min(tip)),
        older: page.next,
    };
    Ok(reply::page(StatusCode::OK, &page))
}

/// Returns the index that a person means: an index, or the first block at or after a date.
async fn find(site: &Site, at: &str, tip: u64) -> Result<u64, ErrorPage> {
    let wanted = Lookup::parse(at);
    match (wanted.index, wanted.time) {
        (Some(index), _) => Ok(index.min(tip)),
        (None, Some(time)) => first_at(site, time, tip).await,
        (None, None) => Err(ErrorPage::new(
            StatusCode::BAD_REQUEST,
            "This is no index and no date",
            "Write an index such as 42, or a date in UTC such as 2026-11-22 or 2026-11-22 14:30.",
        )),
    }
}

/// Times rise along the chain, so halving finds the first block at or after a date; the tip if all
/// are earlier.
pub(super) async fn first_at(site: &Site, date: f64, tip: u64) -> Result<u64, ErrorPage> {
    let (mut low, mut high) = (0, tip);
    while low < high {
        let middle = low + (high - low) / 2;
        let page = site.client.blocks(middle, 1).await?;
        let time = page
            .blocks
            .first()
            .and_then(|block| block.timestamp.as_f64());
        if time.is_some_and(|time| Lookup::is_before(time, date)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;

    #[test]
    fn blocks_are_listed_and_inert() {
        let page = BlocksPage {
            frame: samples::frame(),
            tip: 1200,
            rows: vec![Card::new("/x", &samples::block(1, samples::HOSTILE))],
            newer: Some(26),
            older: None,
        };
        let html = page.render().unwrap();
        samples::is_inert(&html);
        assert!(
            html.contains("/x/blocks?from=26") && html.contains("/x/block/1"),
            "{html}"
        );
    }
}
