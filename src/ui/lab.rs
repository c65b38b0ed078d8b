//! `/lab`: solve the puzzle, and tamper with a copy of the chain. The experiments are scripts; the
//! figures are those of this chain and of the node's machine.

use askama::Template;
use http::StatusCode;
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::format;
use super::reply;
use super::site::{Frame, Place, Site};
use crate::pow::NO_PROOF;
use crate::wire::Status;

/// Hashes a second of one core of a current server, where the node has not measured its own.
const USUAL_RATE: f64 = 65e6;

/// Zeros shown in the table of the puzzle.
const ZEROS: i32 = 9;

#[derive(Template)]
#[template(path = "lab.html", config = "src/ui/askama.toml")]
struct LabPage {
    frame: Frame,
    difficulty: u8,
    /// Whether every new block of this chain must be sealed.
    is_sealed: bool,
    rate: f64,
    rate_text: String,
    is_measured: bool,
    last_proof: String,
    zeros: Vec<ZerosRow>,
    repairs: Vec<RepairRow>,
}

/// What a number of zeros costs.
#[derive(Debug)]
struct ZerosRow {
    zeros: i32,
    tries: String,
    takes: String,
    /// Width of its bar on a scale where each step is sixteen times the last.
    width: i32,
    is_ours: bool,
}

/// What it costs to make a chain whole again after a change.
#[derive(Debug)]
struct RepairRow {
    blocks: String,
    hashes: String,
    sealed: String,
    open: String,
}

impl LabPage {
    fn new(frame: Frame, status: &Status, last_proof: String) -> Self {
        let is_measured = status.mining.hash_rate > 0.0;
        let rate = if is_measured {
            status.mining.hash_rate
        } else {
            USUAL_RATE
        };
        let row = |zeros: i32| ZerosRow {
            zeros,
            tries: format::large(16_f64.powi(zeros)),
            takes: format::duration(16_f64.powi(zeros) / rate),
            width: zeros * 100 / ZEROS,
            is_ours: zeros == i32::from(status.difficulty),
        };
        let mut counts = vec![1, 10, 100, 10_000];
        counts.retain(|count| *count < status.tip.index);
        counts.push(status.tip.index.max(1));
        let tries = 16_f64.powi(i32::from(status.difficulty));
        Self {
            frame,
            difficulty: status.difficulty,
            is_sealed: status.sealed_from.is_some(),
            rate,
            rate_text: format::rate(rate),
            is_measured,
            last_proof,
            zeros: (1..=ZEROS).map(row).collect(),
            repairs: counts
                .into_iter()
                .map(|count| RepairRow::new(count, tries, rate))
                .collect(),
        }
    }
}

impl RepairRow {
    /// A branch must be longer than the one it replaces, so one block more than were changed.
    fn new(blocks: u64, tries: f64, rate: f64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a cost for people")]
        let sealed = (blocks as f64 + 1.0) * tries;
        Self {
            blocks: format::number(blocks),
            hashes: format::large(sealed),
            sealed: format::duration(sealed / rate),
            open: format::duration(tries / rate),
        }
    }
}

/// `GET /lab`.
pub(super) async fn get(site: &Site) -> Result<Response, ErrorPage> {
    let (status, tip) = tokio::join!(site.client.status(), site.client.block("tip"));
    let last_proof = tip?.block.proof.unwrap_or_else(|| NO_PROOF.to_owned());
    let page = LabPage::new(site.frame(Place::Lab), &status?, last_proof);
    Ok(reply::page(StatusCode::OK, &page))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;

    #[test]
    fn the_figures_are_those_of_this_chain() {
        let mut status = samples::status();
        status.tip.index = 500;
        let page = LabPage::new(samples::frame(), &status, "<script>1".to_owned());
        let blocks: Vec<_> = page.repairs.iter().map(|row| row.blocks.as_str()).collect();
        assert_eq!(blocks, ["1", "10", "100", "500"]);
        assert_eq!(page.repairs[2].sealed, "1.6 s");
        assert_eq!(page.repairs[2].open, "16 ms");
        let html = page.render().unwrap();
        assert!(!html.contains("<script>1"), "{html}");
        assert!(
            html.contains("1,048,576") && html.contains("65.0 MH/s"),
            "{html}"
        );
    }
}
