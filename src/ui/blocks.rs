//! `/blocks`: all blocks in pages, newest first.

use askama::Template;
use http::StatusCode;
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::format;
use super::parts::{BlockCard, SealBadge};
use super::reply;
use super::request::PageRequest;
use super::site::{Layout, Section, Site};
use crate::wire::Lookup;

/// Number of blocks of a page.
const ROWS: u64 = 25;

#[derive(Template)]
#[template(path = "blocks.html", config = "src/ui/askama.toml")]
struct BlocksPage {
    layout: Layout,
    tip: u64,
    rows: Vec<BlockCard>,
    newer: Option<u64>,
    older: Option<u64>,
}

#[derive(Deserialize)]
struct Query {
    from: Option<u64>,
    at: Option<String>,
}

/// `GET /blocks?from=&at=`: the blocks from index `from` downwards, or a redirect to the block at an
/// index or date.
pub(super) async fn get(site: &Site, request: &PageRequest) -> Result<Response, ErrorPage> {
    let query: Query = request.parse_query()?;
    let status = site.status().await?;
    let tip = status.tip.index;
    if let Some(at) = query.at {
        let index = resolve(site, at.trim(), tip).await?;
        return Ok(reply::see_other(
            &site.path(&format!("/blocks?from={index}#b{index}")),
        ));
    }
    let from = query.from.map(|from| from.min(tip));
    let rows = usize::try_from(ROWS).unwrap_or(usize::MAX);
    let page = site.client.blocks_down(from, rows).await?;
    let top = page.blocks.first().map_or(tip, |first| first.index);
    let page = BlocksPage {
        layout: site.layout(Section::Blocks),
        tip,
        rows: page
            .blocks
            .iter()
            .map(|block| BlockCard::new(&site.base, block, SealBadge::usual(&status)))
            .collect(),
        newer: from.filter(|_| top < tip).map(|_| (top + ROWS).min(tip)),
        older: page.next,
    };
    Ok(reply::page(StatusCode::OK, &page))
}

/// Returns the block index that a user entered as an index or a date.
async fn resolve(site: &Site, at: &str, tip: u64) -> Result<u64, ErrorPage> {
    let lookup = Lookup::parse(at);
    match (lookup.index, lookup.time) {
        (Some(index), _) => Ok(index.min(tip)),
        (None, Some(time)) => first_block_at(site, time, tip).await,
        (None, None) => Err(ErrorPage::new(
            StatusCode::BAD_REQUEST,
            "Not a block index or date",
            "Enter an index such as 42, or a date in UTC such as 2026-11-22 or 2026-11-22 14:30.",
        )),
    }
}

/// Returns the index of the first block at or after a date, or the tip if all blocks are earlier.
/// Timestamps rise along the chain, so this is a binary search.
pub(super) async fn first_block_at(site: &Site, date: f64, tip: u64) -> Result<u64, ErrorPage> {
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
            layout: samples::layout(),
            tip: 1200,
            rows: vec![BlockCard::new(
                "/x",
                &samples::block(1, samples::HOSTILE),
                SealBadge::Open,
            )],
            newer: Some(26),
            older: None,
        };
        let html = page.render().unwrap();
        samples::assert_inert(&html);
        assert!(
            html.contains("/x/blocks?from=26") && html.contains("/x/block/1"),
            "{html}"
        );
    }
}
