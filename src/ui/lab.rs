//! `/lab`: two experiments, solving the puzzle and tampering with a copy of the chain. Both run as
//! scripts in the browser; the tables use the difficulty of this chain and the hash rate of the node.

use askama::Template;
use http::StatusCode;
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::format;
use super::reply;
use super::site::{Layout, Section, Site};
use crate::pow::NO_PROOF;
use crate::wire::Status;

/// Hashes per second of one core of a current server, used until the node has measured its own.
const TYPICAL_HASH_RATE: f64 = 65e6;

/// Maximum number of zeros in the table of costs.
const MAX_ZEROS: i32 = 9;

#[derive(Template)]
#[template(path = "lab.html", config = "src/ui/askama.toml")]
struct LabPage {
    layout: Layout,
    difficulty: u8,
    /// `true` if every new block of this chain must be sealed.
    is_sealed: bool,
    hash_rate: f64,
    hash_rate_text: String,
    is_measured: bool,
    tip_proof: String,
    costs: Vec<PuzzleCost>,
    repairs: Vec<RepairCost>,
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
    fn new(layout: Layout, status: &Status, tip_proof: String) -> Self {
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
        Self {
            layout,
            difficulty: status.difficulty,
            is_sealed: status.sealed_from.is_some(),
            hash_rate,
            hash_rate_text: format::hash_rate(hash_rate),
            is_measured,
            tip_proof,
            costs: (1..=MAX_ZEROS).map(row).collect(),
            repairs: counts
                .into_iter()
                .map(|count| RepairCost::new(count, tries, hash_rate))
                .collect(),
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

/// `GET /lab`.
pub(super) async fn get(site: &Site) -> Result<Response, ErrorPage> {
    let (status, tip) = tokio::join!(site.status(), site.client.block("tip"));
    let tip_proof = tip?.block.proof.unwrap_or_else(|| NO_PROOF.to_owned());
    let page = LabPage::new(site.layout(Section::Lab), &status?, tip_proof);
    Ok(reply::page(StatusCode::OK, &page))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;

    #[test]
    fn the_costs_follow_difficulty_and_hash_rate() {
        let mut status = samples::status();
        status.tip.index = 500;
        let page = LabPage::new(samples::layout(), &status, "<script>1".to_owned());
        let blocks: Vec<_> = page.repairs.iter().map(|row| row.blocks.as_str()).collect();
        assert_eq!(blocks, ["1", "10", "100", "500"]);
        assert_eq!(page.repairs[2].sealed_time, "1.6 s");
        assert_eq!(page.repairs[2].open_time, "16 ms");
        let html = page.render().unwrap();
        assert!(!html.contains("<script>1"), "{html}");
        assert!(
            html.contains("1,048,576") && html.contains("65.0 MH/s"),
            "{html}"
        );
    }
}
