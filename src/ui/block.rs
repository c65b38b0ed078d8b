//! `/block/{index|hash|tip}`: one block in every detail, with its [workbench](mod@bench).

mod inspector;

use askama::Template;
use http::StatusCode;
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::format;
use super::parts::{Hash, Seal, Text, When};
use super::reply;
use super::routes::is_plain;
use super::site::{Frame, Place, Site};
use crate::wire::{Block, SingleBlock, Status};
use inspector::Inspector;

#[derive(Template)]
#[template(path = "block.html", config = "src/ui/askama.toml")]
struct BlockPage {
    frame: Frame,
    block: Block,
    confirmations: u64,
    hash: Hash,
    previous: Option<Hash>,
    when: When,
    seal: Seal,
    text: Text,
    bench: Inspector,
    difficulty: u8,
}

impl BlockPage {
    fn new(frame: Frame, single: SingleBlock, previous: Option<&Block>, status: &Status) -> Self {
        let block = single.block;
        Self {
            confirmations: single.confirmations,
            hash: Hash::new(&frame.base, &block.hash),
            previous: block
                .previous_hash
                .as_deref()
                .map(|hash| Hash::new(&frame.base, hash)),
            when: When::of(&block),
            seal: Seal::of(&block),
            text: Text::new(&block.data.message),
            bench: Inspector::new(&block, previous, status),
            difficulty: status.difficulty,
            block,
            frame,
        }
    }

    /// What the depth of the block means.
    fn depth(&self) -> String {
        let above = self.confirmations.saturating_sub(1);
        match above {
            0 => "the tip: no block stands on it yet".to_owned(),
            1 => "1 block stands on it".to_owned(),
            above => format!("{} blocks stand on it", format::number(above)),
        }
    }
}

/// `GET /block/{index|hash|tip}`.
pub(super) async fn get(site: &Site, which: &str) -> Result<Response, ErrorPage> {
    if !is_plain(which) {
        return Err(ErrorPage::no_page());
    }
    let (status, block) = tokio::join!(site.client.status(), site.client.block(which));
    let status = status?;
    let block = match block {
        Ok(block) => block,
        Err(error)
            if error.is_not_found()
                || matches!(
                    error,
                    crate::client::ClientError::Refused { status: 400, .. }
                ) =>
        {
            let text = "The chain of this node does not hold it. It may be a block of a branch \
                that was left, or one that is not made yet.";
            return Err(ErrorPage::nothing("block", text));
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
    let page = BlockPage::new(site.frame(Place::Blocks), block, previous.as_ref(), &status);
    Ok(reply::page(StatusCode::OK, &page))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;

    #[test]
    fn a_block_is_shown_in_full_and_nothing_hostile_runs() {
        let block = SingleBlock {
            block: samples::block(1, samples::HOSTILE),
            confirmations: 3,
        };
        let page = BlockPage::new(samples::frame(), block, None, &samples::status());
        let html = page.render().unwrap();
        samples::is_inert(&html);
        for text in ["2 blocks stand on it", "/x/raw/block/", "1406000", ">RLO<"] {
            assert!(html.contains(text), "{text} {html}");
        }
        assert!(
            html.contains("/x/block/0") && html.contains("/x/block/2"),
            "{html}"
        );
    }
}
