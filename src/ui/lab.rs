//! `/lab`: five steps that show why tampering with a chain fails, from a hash to the comparison of a
//! repaired copy with the chain that the other nodes hold. The experiments run as scripts in the
//! browser, on the blocks of [`stretch`]; the tables use the difficulty of this chain and the hash
//! rate of the node.

use askama::Template;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::format;
use super::parts::HashLink;
use super::reply;
use super::request::PageRequest;
use super::site::{Layout, Section, Site};
use crate::wire::{Block, Status};

/// Hashes per second of one core of a current server, used until the node has measured its own.
const TYPICAL_HASH_RATE: f64 = 65e6;

/// Maximum number of zeros in the table of costs.
const MAX_ZEROS: i32 = 9;

/// Maximum difficulty of a chain that is called easy: a block takes about a second at most.
const MAX_EASY_ZEROS: u8 = 5;

/// Number of blocks that the page shows if no first block is given.
const DEFAULT_BLOCKS: u64 = 6;

/// Maximum number of blocks in a stretch.
const MAX_STRETCH: usize = 100;

#[derive(Template)]
#[template(path = "lab.html", config = "src/ui/askama.toml")]
struct LabPage {
    layout: Layout,
    difficulty: u8,
    /// `true` if every new block of this chain must be sealed.
    is_sealed: bool,
    sealed_from: Option<u64>,
    /// Number of nodes that may hold a copy of the chain, too.
    neighbours: usize,
    hash_rate_text: String,
    is_measured: bool,
    tip: u64,
    /// First block to tamper with.
    from: u64,
    /// First block in the link, if the chain has no such block.
    missing: Option<u64>,
    /// `true` if the link names the first block.
    is_given: bool,
    examples: [Example; 3],
    costs: Vec<PuzzleCost>,
    repairs: Vec<RepairCost>,
}

/// The query of the page.
#[derive(Debug, Default, Deserialize)]
struct LabQuery {
    from: Option<u64>,
}

/// A text and its hash.
struct Example {
    text: &'static str,
    hash: HashLink,
}

/// The cost of finding a number of zeros.
#[derive(Debug)]
struct PuzzleCost {
    zeros: i32,
    tries: String,
    time: String,
    /// Width of the bar in percent, on a logarithmic scale.
    width: i32,
    /// `true` for the difficulty of this chain.
    is_current: bool,
}

/// The cost of a valid branch that replaces a number of blocks.
#[derive(Debug)]
struct RepairCost {
    blocks: String,
    hashes: String,
    sealed_time: String,
    open_time: String,
}

impl LabPage {
    fn new(layout: Layout, status: &Status, from: Option<u64>) -> Self {
        let is_measured = status.mining.hash_rate > 0.0;
        let hash_rate = if is_measured {
            status.mining.hash_rate
        } else {
            TYPICAL_HASH_RATE
        };
        let row = |zeros: i32| PuzzleCost {
            zeros,
            tries: format::large_number(16_f64.powi(zeros)),
            time: format::duration(16_f64.powi(zeros) / hash_rate),
            width: zeros * 100 / MAX_ZEROS,
            is_current: zeros == i32::from(status.difficulty),
        };
        let mut counts = vec![1, 10, 100, 10_000];
        counts.retain(|count| *count < status.tip.index);
        counts.push(status.tip.index.max(1));
        let tries = 16_f64.powi(i32::from(status.difficulty));
        let tip = status.tip.index;
        let newest = tip.saturating_sub(DEFAULT_BLOCKS - 1);
        let example = |text: &'static str| Example {
            text,
            hash: HashLink::new(&layout.base, &hex::encode(Sha256::digest(text))),
        };
        Self {
            examples: [
                "I owe Ben 5 coins.",
                "I owe Ben 6 coins.",
                "I owe Ben 5 coins",
            ]
            .map(example),
            layout,
            difficulty: status.difficulty,
            is_sealed: status.sealed_from.is_some(),
            sealed_from: status.sealed_from,
            neighbours: status.sync.neighbours,
            tip,
            from: from.filter(|from| *from <= tip).unwrap_or(newest),
            missing: from.filter(|from| *from > tip),
            is_given: from.is_some(),
            hash_rate_text: format::hash_rate(hash_rate),
            is_measured,
            costs: (1..=MAX_ZEROS).map(row).collect(),
            repairs: counts
                .into_iter()
                .map(|count| RepairCost::new(count, tries, hash_rate))
                .collect(),
        }
    }

    /// Returns `true` if nobody else holds a copy of the chain.
    fn is_alone(&self) -> bool {
        self.neighbours == 0
    }

    /// Returns `true` if a block of this chain takes no noticeable time.
    fn is_easy(&self) -> bool {
        self.difficulty <= MAX_EASY_ZEROS
    }

    /// Returns the time for a block with the maximum number of zeros in the table.
    fn longest_time(&self) -> &str {
        self.costs.last().map_or("", |cost| &cost.time)
    }

    /// Returns the owners of the chain that a copy is compared with.
    fn others(&self) -> &'static str {
        if self.is_alone() {
            "this node"
        } else {
            "the others"
        }
    }
}

impl RepairCost {
    /// The replacing branch must be longer, so it has one block more.
    fn new(blocks: u64, tries: f64, hash_rate: f64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let hashes = (blocks as f64 + 1.0) * tries;
        Self {
            blocks: format::number(blocks),
            hashes: format::large_number(hashes),
            sealed_time: format::duration(hashes / hash_rate),
            open_time: format::duration(tries / hash_rate),
        }
    }
}

/// `GET /lab?from=INDEX`.
pub(super) async fn get(site: &Site, request: &PageRequest) -> Result<Response, ErrorPage> {
    let query: LabQuery = request.parse_query()?;
    let status = site.status().await?;
    let page = LabPage::new(site.layout(Section::Lab), &status, query.from);
    Ok(reply::page(StatusCode::OK, &page))
}

/// Consecutive blocks of the chain, with what it takes to seal them again.
#[derive(Debug, Serialize)]
struct Stretch {
    /// The block before the first one; `None` if that is the genesis block.
    before: Option<Before>,
    blocks: Vec<Block>,
    tip: Tip,
}

#[derive(Debug, Serialize)]
struct Before {
    block: Block,
    /// Inclusion path of the block in the history that ends with it. As it is the last leaf, these
    /// are the peaks of the tree before it, smallest first.
    path: serde_json::Value,
}

#[derive(Debug, Serialize)]
struct Tip {
    index: u64,
    hash: String,
}

#[derive(Debug, Deserialize)]
struct StretchQuery {
    from: u64,
    limit: usize,
}

/// `GET /raw/lab?from=INDEX&limit=N`: a stretch of the chain, from older to newer.
pub(super) async fn stretch(site: &Site, request: &PageRequest) -> Result<Response, ErrorPage> {
    let StretchQuery { from, limit } = request.parse_query()?;
    if !(1..=MAX_STRETCH).contains(&limit) {
        return Err(ErrorPage::new(
            StatusCode::BAD_REQUEST,
            "Invalid number of blocks",
            format!("limit must be between 1 and {MAX_STRETCH}."),
        ));
    }
    let status = site.client.status().await?;
    if from > status.tip.index {
        let text = "The chain of this node has no such block.";
        return Err(ErrorPage::no_such("Block", text));
    }
    let mut blocks = site
        .client
        .blocks(from.saturating_sub(1), limit + 1)
        .await?
        .blocks;
    let before = if from == 0 || blocks.is_empty() {
        blocks.truncate(limit);
        None
    } else {
        let block = blocks.remove(0);
        let path = path_of_last(site, &block, from).await?;
        Some(Before { block, path })
    };
    let tip = Tip {
        index: status.tip.index,
        hash: status.tip.hash,
    };
    Ok(reply::json(&Stretch {
        before,
        blocks,
        tip,
    }))
}

/// Returns the inclusion path of the block before block `at`, from its receipt.
async fn path_of_last(site: &Site, block: &Block, at: u64) -> Result<serde_json::Value, ErrorPage> {
    let receipt = site
        .client
        .block_receipt(&block.index.to_string(), &at.to_string())
        .await?;
    let receipt: serde_json::Value =
        serde_json::from_slice(&receipt).map_err(|_| ErrorPage::internal())?;
    Ok(receipt["entries"][0]["path"].clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;

    #[test]
    fn the_costs_follow_difficulty_and_hash_rate() {
        let mut status = samples::status();
        status.tip.index = 500;
        let page = LabPage::new(samples::layout(), &status, None);
        let blocks: Vec<_> = page.repairs.iter().map(|row| row.blocks.as_str()).collect();
        assert_eq!(blocks, ["1", "10", "100", "500"]);
        assert_eq!(page.repairs[2].sealed_time, "1.6 s");
        assert_eq!(page.repairs[2].open_time, "16 ms");
        assert!(page.is_easy());
        let html = page.render().unwrap();
        let longest = format!("a single block would take {}", page.costs[8].time);
        assert!(html.contains(&longest), "{html}");
        assert!(!html.contains("has no block"), "{html}");
        assert!(
            html.contains("1,048,576") && html.contains("65.0 MH/s"),
            "{html}"
        );
    }

    #[test]
    fn a_missing_first_block_is_named_and_replaced_by_the_newest_ones() {
        let mut status = samples::status();
        status.tip.index = 500;
        let page = LabPage::new(samples::layout(), &status, Some(999));
        assert_eq!(page.from, 495);
        let html = page.render().unwrap();
        assert!(html.contains("The chain has no block 999"), "{html}");
    }
}
