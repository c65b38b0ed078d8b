//! `/block/{index|hash|tip}`: all fields of a block, and its [inspector].

mod inspector;

use askama::Template;
use http::StatusCode;
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::format;
use super::parts::{HashLink, RelativeTime, SealBadge, StampSummary, Text};
use super::reply;
use super::request::is_plain_segment;
use super::search;
use super::site::{Layout, Section, Site};
use crate::client::ClientError;
use crate::wire::{Block, SingleBlock, Status};
use inspector::Inspector;

#[derive(Template)]
#[template(path = "block.html", config = "src/ui/askama.toml")]
struct BlockPage {
    layout: Layout,
    block: Block,
    confirmations: u64,
    hash: HashLink,
    previous: Option<HashLink>,
    time: RelativeTime,
    seal: SealBadge,
    /// The seal state, if it is not the usual one of the chain.
    badge: Option<SealBadge>,
    text: Text,
    stamp: Option<StampSummary>,
    inspector: Inspector,
    difficulty: u8,
}

impl BlockPage {
    fn new(layout: Layout, single: SingleBlock, previous: Option<&Block>, status: &Status) -> Self {
        let block = single.block;
        Self {
            confirmations: single.confirmations,
            hash: HashLink::new(&layout.base, &block.hash),
            previous: block
                .previous_hash
                .as_deref()
                .map(|hash| HashLink::new(&layout.base, hash)),
            time: RelativeTime::of(&block),
            seal: SealBadge::of(&block),
            badge: SealBadge::unusual(&block, SealBadge::usual(status)),
            text: Text::new(&block.data.message),
            stamp: StampSummary::of(&layout.base, &block.data.message),
            inspector: Inspector::new(&block, previous, status),
            difficulty: status.difficulty,
            block,
            layout,
        }
    }
}

/// `GET /block/{index|hash|tip}`.
pub(super) async fn get(site: &Site, name: &str) -> Result<Response, ErrorPage> {
    if !is_plain_segment(name) {
        return Err(ErrorPage::not_found());
    }
    let (status, block) = tokio::join!(site.status(), site.client.block(name));
    let status = status?;
    let block = match block {
        Ok(block) => block,
        Err(error)
            if error.is_not_found()
                || matches!(error, ClientError::Rejected { status: 400, .. }) =>
        {
            if search::is_disconnected(site, name).await {
                return Ok(reply::see_other(&site.path(&format!("/search?q={name}"))));
            }
            let text = "The chain of this node has no such block. It is not mined yet, or it \
                belongs to another chain.";
            return Err(ErrorPage::no_such("Block", text));
        }
        Err(error) => return Err(error.into()),
    };
    let previous = match block.block.index.checked_sub(1) {
        Some(index) => {
            let page = site.client.blocks(index, 1).await?;
            page.blocks.into_iter().next()
        }
        None => None,
    };
    let page = BlockPage::new(
        site.layout(Section::Blocks),
        block,
        previous.as_ref(),
        &status,
    );
    Ok(reply::page(StatusCode::OK, &page))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;

    #[test]
    fn a_block_is_shown_in_full_and_inert() {
        let block = SingleBlock {
            block: samples::block(1, samples::HOSTILE),
            confirmations: 3,
        };
        let page = BlockPage::new(samples::layout(), block, None, &samples::status());
        let html = page.render().unwrap();
        samples::assert_inert(&html);
        for text in ["3 confirmations", "/x/raw/block/", "1406000", ">RLO<"] {
            assert!(html.contains(text), "{text} {html}");
        }
        assert!(
            html.contains("/x/block/0") && html.contains("/x/block/2"),
            "{html}"
        );
    }
}
