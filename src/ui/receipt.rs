//! `/receipt`: verifies a receipt or a stamp against this node or against what the visitor trusts. With
//! scripts, the browser does it and nothing is uploaded; without them, the server does.

use askama::Template;
use bytes::Buf;
use futures_util::Stream;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::format::{self, sentence};
use super::parts::Text;
use super::reply;
use super::request::is_plain_segment;
use super::site::{Layout, Section, Site};
use crate::chain::{Block, BlockHash};
use crate::http::read_body;
use crate::proofs::checkpoint::read_trust_file;
use crate::proofs::stamp::{self, Carrier, Stamp};
use crate::proofs::{Checkpoint, NotProven, Receipt, Trusted, Verified};
use crate::wire::calendar_time;

/// Maximum size of a form in bytes: a receipt of 1 MiB, percent-encoded.
const MAX_BODY_BYTES: usize = 3 << 20;

/// Maximum size of a receipt that the server verifies, in bytes.
const MAX_RECEIPT_BYTES: usize = 1 << 20;

#[derive(Template)]
#[template(path = "receipt.html", config = "src/ui/askama.toml")]
struct ReceiptPage {
    layout: Layout,
    form: ReceiptForm,
    verdict: Option<Verdict>,
}

/// The form as it was sent.
#[derive(Clone, Debug, Default, Deserialize)]
struct ReceiptForm {
    #[serde(default)]
    receipt: String,
    #[serde(default)]
    trust: String,
    /// SHA-256 of the stamped file, for a stamp. The file itself is never uploaded.
    #[serde(default)]
    digest: String,
    /// `node` to trust this node, `text` to trust what is in `trust`.
    #[serde(default)]
    by: String,
}

impl ReceiptForm {
    fn trusts_node(&self) -> bool {
        self.by != "text"
    }
}

enum Verdict {
    Proven {
        by: String,
        blocks: Vec<ProvenBlock>,
        is_itself: bool,
        /// Meaning of a stamp for its file.
        stamped: Option<String>,
    },
    NotProven {
        reason: &'static str,
        text: String,
    },
}

struct ProvenBlock {
    index: u64,
    seal: String,
    time: String,
    id: String,
    text: Text,
}

impl ProvenBlock {
    fn new(block: &Block, verified: &Verified) -> Self {
        let time = calendar_time(block.timestamp.seconds());
        Self {
            index: verified.index,
            seal: verified
                .seal
                .map_or_else(|| "genesis".to_owned(), |seal| seal.to_string()),
            time: time.unwrap_or_else(|| block.timestamp.to_string()),
            id: block.message.id().to_string(),
            text: Text::new(block.message.text()),
        }
    }
}

/// `GET /receipt`.
pub(super) fn form(site: &Site) -> Response {
    page(site, StatusCode::OK, ReceiptForm::default(), None)
}

/// `POST /receipt`: the verdict of the server.
pub(super) async fn submit(
    site: &Site,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
) -> Result<Response, ErrorPage> {
    let Ok(_slot) = site.receipt_forms.try_acquire() else {
        return Err(ErrorPage::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many receipts at the same time",
            "Try again in a few seconds, or verify the receipt with the command line.",
        ));
    };
    let body = read_body(headers, body, MAX_BODY_BYTES).await;
    let body = body.map_err(|error| {
        let text = sentence(&error.to_string());
        ErrorPage::new(error.status(), "The receipt did not arrive", text)
    })?;
    let form: ReceiptForm = serde_urlencoded::from_bytes(&body).map_err(|_| {
        let text = "Nothing was verified.";
        ErrorPage::new(StatusCode::BAD_REQUEST, "Invalid form data", text)
    })?;
    let verdict = judge(site, &form).await?;
    Ok(page(site, StatusCode::OK, form, Some(verdict)))
}

/// `GET /block/{name}/receipt`: the file, under the tip of the node.
pub(super) async fn of_block(site: &Site, name: &str) -> Result<Response, ErrorPage> {
    if !is_plain_segment(name) {
        return Err(ErrorPage::not_found());
    }
    Ok(file(name, site.client.block_receipt(name, "tip").await?))
}

/// `GET /message/{id}/receipt`: the file, under the tip of the node.
pub(super) async fn of_message(site: &Site, id: &str) -> Result<Response, ErrorPage> {
    if !is_plain_segment(id) {
        return Err(ErrorPage::not_found());
    }
    Ok(file(id, site.client.message_receipt(id, "tip").await?))
}

fn file(name: &str, content: Vec<u8>) -> Response {
    let mut response = reply::content(StatusCode::OK, "application/json", content);
    let disposition = format!("attachment; filename=\"{name}.receipt.json\"");
    if let Ok(disposition) = HeaderValue::try_from(disposition) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}

async fn judge(site: &Site, form: &ReceiptForm) -> Result<Verdict, ErrorPage> {
    // Browsers submit every line break as CR LF, and may drop the last one.
    let file = form.receipt.replace("\r\n", "\n");
    let file = format!("{}\n", file.trim_end_matches('\n'));
    if file.len() > MAX_RECEIPT_BYTES {
        let text = "The receipt has more than 1 MiB. Verify it with the command line.";
        return Ok(not_proven("not_readable", text));
    }
    let found = match SubmittedReceipt::read(&file, &form.digest) {
        Ok(found) => found,
        Err(verdict) => return Ok(verdict),
    };
    let SubmittedReceipt { receipt, stamped } = found;
    let (under, entries) = match receipt.check() {
        Ok(checked) => checked,
        Err(error) => return Ok(error.into()),
    };
    let trusted = if form.trusts_node() {
        of_node(site, under.index).await?
    } else {
        match of_text(&form.trust) {
            Ok(trusted) => trusted,
            Err(text) => return Ok(not_proven("not_trusted", &text)),
        }
    };
    let at = match receipt.verify_against(&under, &trusted) {
        Ok(at) => at,
        Err(error) => return Ok(error.into()),
    };
    let kind = match trusted[at] {
        _ if form.trusts_node() => "this node's checkpoint",
        Trusted::Hash(_) => "the hash",
        Trusted::Checkpoint(_) => "the checkpoint",
    };
    let blocks = if entries.is_empty() {
        vec![ProvenBlock::new(&receipt.under, &under)]
    } else {
        let blocks = receipt.entries.iter().map(|entry| &entry.block);
        let both = blocks.zip(&entries);
        both.map(|(block, found)| ProvenBlock::new(block, found))
            .collect()
    };
    Ok(Verdict::Proven {
        by: format!("{kind} of block {}", under.index),
        blocks,
        is_itself: entries.is_empty(),
        stamped,
    })
}

/// A receipt, or that of a stamp.
struct SubmittedReceipt {
    receipt: Receipt,
    /// Meaning of a stamp for its file.
    stamped: Option<String>,
}

impl SubmittedReceipt {
    /// Reads a file. The message of a stamp must stand for the file with the given SHA-256.
    fn read(file: &str, digest: &str) -> Result<Self, Verdict> {
        if !is_stamp(file) {
            let receipt = Receipt::read(file.as_bytes())?;
            return Ok(Self {
                receipt,
                stamped: None,
            });
        }
        let stamp = Stamp::read(file.as_bytes())?;
        let digest = parse_digest(digest)?;
        let message = stamp.check(&digest)?;
        match stamp.carrier {
            Carrier::Pending { id, .. } => Err(NotProven::Pending { id }.into()),
            Carrier::Mined(receipt) => {
                let entry = receipt.entries.first().map(|entry| &entry.block);
                let block = entry.unwrap_or(&receipt.under).index;
                let files = format::number(message.files);
                let were = if message.files == 1 { " was" } else { "s were" };
                let stamped = format!(
                    "{files} file{were} stamped by this message, and this is one of them: it existed \
                     before block {block} was mined."
                );
                Ok(Self {
                    receipt: *receipt,
                    stamped: Some(stamped),
                })
            }
        }
    }
}

/// Returns `true` if the file says that it is a stamp.
fn is_stamp(file: &str) -> bool {
    #[derive(Deserialize)]
    struct Named {
        format: String,
    }
    serde_json::from_str::<Named>(file).is_ok_and(|named| named.format == stamp::FORMAT)
}

/// Reads the SHA-256 of a file, as `sha256sum` prints it: the name of the file may follow.
fn parse_digest(text: &str) -> Result<[u8; 32], Verdict> {
    let mut digest = [0; 32];
    let Some(first) = text.split_whitespace().next() else {
        let text = "This is a stamp: give the SHA-256 of the stamped file, too.";
        return Err(not_proven("no_file", text));
    };
    hex::decode_to_slice(first, &mut digest).map_err(|_| {
        let text = "The SHA-256 of the file is not 64 hex digits.";
        not_proven("not_readable", text)
    })?;
    Ok(digest)
}

impl From<NotProven> for Verdict {
    fn from(error: NotProven) -> Self {
        not_proven(error.reason(), &sentence(&error.to_string()))
    }
}

fn not_proven(reason: &'static str, text: &str) -> Verdict {
    Verdict::NotProven {
        reason,
        text: text.to_owned(),
    }
}

/// Returns the checkpoint of this node at an index; none if its chain is shorter.
async fn of_node(site: &Site, index: u64) -> Result<Vec<Trusted>, ErrorPage> {
    match site.client.checkpoint(&index.to_string()).await {
        Ok(view) => {
            let checkpoint = view.checkpoint.parse().ok();
            Ok(checkpoint.map(Trusted::Checkpoint).into_iter().collect())
        }
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// Reads what a visitor trusts: a hash, a checkpoint line, which may be wrapped, or several lines.
fn of_text(text: &str) -> Result<Vec<Trusted>, String> {
    let trimmed = text.trim().to_ascii_lowercase();
    if let Ok(hash) = trimmed.parse::<BlockHash>() {
        return Ok(vec![Trusted::Hash(hash)]);
    }
    if let Ok(checkpoint) = trimmed.parse::<Checkpoint>() {
        return Ok(vec![Trusted::Checkpoint(checkpoint)]);
    }
    let kept = read_trust_file(text).map_err(|error| sentence(&error.to_string()))?;
    if kept.is_empty() {
        let text = "Say what you trust: the hash of a sealed block, or a checkpoint line.";
        return Err(text.to_owned());
    }
    let kept = kept.into_iter();
    Ok(kept.map(|(_, kept)| Trusted::Checkpoint(kept)).collect())
}

fn page(site: &Site, status: StatusCode, form: ReceiptForm, verdict: Option<Verdict>) -> Response {
    let layout = site.layout(Section::None);
    let page = ReceiptPage {
        layout,
        form,
        verdict,
    };
    reply::page(status, &page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;

    #[test]
    fn trust_is_a_hash_a_wrapped_line_or_several_lines() {
        let lines = include_str!("../../tests/fixtures/receipts/checkpoints.txt");
        let line = lines.lines().next().unwrap();
        let hash = line.split(' ').nth(3).unwrap();
        assert!(matches!(
            of_text(&hash.to_uppercase()).unwrap()[..],
            [Trusted::Hash(_)]
        ));
        assert_eq!(of_text(&line.replace(' ', "\n")).unwrap().len(), 1);
        assert_eq!(of_text(lines).unwrap().len(), 4);
        assert!(of_text(" ").unwrap_err().starts_with("Say what you trust"));
        assert!(of_text("> quoted").is_err());
    }

    #[test]
    fn a_proven_message_is_shown_inert() {
        let block = ProvenBlock {
            index: 3,
            seal: "sealed".to_owned(),
            time: "2023-11-14T22:13:20.624456Z".to_owned(),
            id: "e".repeat(32),
            text: Text::new(samples::HOSTILE),
        };
        let page = ReceiptPage {
            layout: samples::layout(),
            form: ReceiptForm {
                receipt: samples::HOSTILE.to_owned(),
                ..ReceiptForm::default()
            },
            verdict: Some(Verdict::Proven {
                by: "the checkpoint of block 11".to_owned(),
                blocks: vec![block],
                is_itself: false,
                stamped: None,
            }),
        };
        let html = page.render().unwrap();
        assert!(!html.contains("<script>alert"), "{html}");
        assert!(html.contains("PROVEN") && html.contains("data-proven=\"true\""));
    }
}
