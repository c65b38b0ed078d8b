//! `/mempool`: the messages that wait to be mined.

use askama::Template;
use http::StatusCode;
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::format;
use super::parts::{Line, When, now};
use super::reply;
use super::routes::PageRequest;
use super::site::{Form, Frame, Place, Site};
use crate::wire::PendingMessage;

/// Rows of a page.
const ROWS: usize = 100;

#[derive(Template)]
#[template(path = "mempool.html", config = "src/ui/askama.toml")]
struct MempoolPage {
    frame: Frame,
    form: Form,
    count: u64,
    rows: Vec<PendingRow>,
    next: Option<u64>,
    is_first: bool,
}

/// A message that waits.
#[derive(Debug)]
pub(super) struct PendingRow {
    pub(super) id: String,
    pub(super) line: Line,
    pub(super) since: When,
    pub(super) size: String,
}

impl PendingRow {
    pub(super) fn new(message: &PendingMessage) -> Self {
        Self {
            id: message.id.clone(),
            line: Line::new(&message.message, 140),
            since: When::at(now() - message.age),
            size: format::bytes(message.message.len()),
        }
    }
}

#[derive(Deserialize)]
struct Query {
    after: Option<u64>,
}

/// Messages on a page.
const PAGE: usize = 1000;

/// `GET /mempool?after=SEQ`.
pub(super) async fn get(site: &Site, asked: &PageRequest) -> Result<Response, ErrorPage> {
    let after = asked.query::<Query>()?.after;
    let pool = site.client.mempool(after, PAGE).await?;
    let (form, session) = site.form(&asked.headers);
    let shown = &pool.messages[..pool.messages.len().min(ROWS)];
    let has_more = shown.len() < pool.messages.len() || pool.next.is_some();
    let page = MempoolPage {
        frame: site.frame(Place::Mempool),
        form,
        count: pool.count,
        rows: shown.iter().map(PendingRow::new).collect(),
        next: shown.last().map(|last| last.sequence).filter(|_| has_more),
        is_first: after.is_none(),
    };
    let response = reply::page(StatusCode::OK, &page);
    Ok(reply::remember(response, &session, &site.base))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;

    #[test]
    fn waiting_messages_are_listed_and_inert() {
        let waiting = PendingMessage {
            sequence: 3,
            id: "e".repeat(32),
            message: samples::HOSTILE.to_owned(),
            age: 65.0,
        };
        let page = MempoolPage {
            frame: samples::frame(),
            form: samples::form(),
            count: 1001,
            rows: vec![PendingRow::new(&waiting)],
            next: Some(3),
            is_first: true,
        };
        let html = page.render().unwrap();
        samples::is_inert(&html);
        assert!(
            html.contains("1,001") && html.contains("65 s ago"),
            "{html}"
        );
        assert!(html.contains("/x/mempool?after=3"), "{html}");
    }
}
