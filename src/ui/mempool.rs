//! `/mempool`: the pending messages.

use askama::Template;
use http::StatusCode;
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::format;
use super::parts::PendingRow;
use super::reply;
use super::request::PageRequest;
use super::site::{Layout, MessageForm, Section, Site};

/// Number of messages of a page.
const ROWS: usize = 100;

#[derive(Template)]
#[template(path = "mempool.html", config = "src/ui/askama.toml")]
struct MempoolPage {
    layout: Layout,
    form: MessageForm,
    count: u64,
    rows: Vec<PendingRow>,
    next: Option<u64>,
    is_first: bool,
}

#[derive(Deserialize)]
struct Query {
    after: Option<u64>,
}

/// `GET /mempool?after=SEQ`.
pub(super) async fn get(site: &Site, request: &PageRequest) -> Result<Response, ErrorPage> {
    let after = request.parse_query::<Query>()?.after;
    // Only the status tells whether the node is closed; a reference miner has none.
    let (mempool, _) = tokio::join!(site.client.mempool(after, ROWS), site.status());
    let mempool = mempool?;
    let (form, session) = site.form(&request.headers, request.is_local());
    let page = MempoolPage {
        layout: site.layout(Section::Mempool),
        form,
        count: mempool.count,
        rows: mempool.messages.iter().map(PendingRow::new).collect(),
        next: mempool.next,
        is_first: after.is_none(),
    };
    let response = reply::page(StatusCode::OK, &page);
    Ok(reply::with_session(response, &session, &site.base))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;
    use crate::wire::PendingMessage;

    #[test]
    fn pending_messages_are_listed_and_inert() {
        let pending = PendingMessage {
            sequence: 3,
            id: "e".repeat(32),
            message: samples::HOSTILE.to_owned(),
            age: 65.0,
        };
        let page = MempoolPage {
            layout: samples::layout(),
            form: samples::form(),
            count: 1001,
            rows: vec![PendingRow::new(&pending)],
            next: Some(3),
            is_first: true,
        };
        let html = page.render().unwrap();
        samples::assert_inert(&html);
        assert!(
            html.contains("1,001") && html.contains("65 s ago"),
            "{html}"
        );
        assert!(html.contains("/x/mempool?after=3"), "{html}");
    }
}
