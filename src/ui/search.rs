//! `/search?q=`: searches for an index, the start of a hash, a message id, a date or words.

mod disconnected;
mod exact;

use std::collections::BTreeSet;

use askama::Template;
use http::StatusCode;
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::format;
use super::parts::{BlockCard, Line, SealBadge};
use super::reply;
use super::request::PageRequest;
use super::site::{Layout, Section, Site};
use crate::client::ClientError;
use crate::wire::{Lookup, SearchField, SearchHit, SearchPage, Status};
use disconnected::DisconnectedHit;
pub(super) use disconnected::is_disconnected;

/// Maximum number of pending messages whose text is shown.
const MAX_PENDING_TEXTS: usize = 10;

/// Maximum number of characters shown of a pending message.
const MAX_CHARACTERS: usize = 140;

#[derive(Template)]
#[template(path = "search.html", config = "src/ui/askama.toml")]
struct ResultsPage {
    layout: Layout,
    /// The query as safe text.
    query_line: Line,
    query: String,
    status: Status,
    hits: Vec<HitRow>,
    disconnected: Vec<DisconnectedHit>,
    /// Index below which this page searched the texts; `None` on the first page.
    before: Option<u64>,
    /// Index below which the texts are not searched yet.
    next: Option<u64>,
    /// Query string of the next page.
    next_query: Option<String>,
    /// Reason why the results are incomplete.
    note: Option<String>,
}

impl ResultsPage {
    fn count(&self) -> u64 {
        (self.hits.len() + self.disconnected.len()) as u64
    }
}

/// A hit in the list.
#[derive(Debug)]
struct HitRow {
    /// The field that matched.
    matched: &'static str,
    card: Option<BlockCard>,
    message_id: String,
    /// Text of a pending message.
    pending: Option<Line>,
}

impl HitRow {
    fn new(base: &str, hit: &SearchHit, usual: SealBadge, words: &[String]) -> Self {
        Self {
            matched: match hit.field {
                SearchField::Index => "index",
                SearchField::Hash => "hash",
                SearchField::Id => "message id",
                SearchField::Date => "date",
                SearchField::Text => "text",
            },
            card: hit
                .block
                .as_ref()
                .map(|block| BlockCard::found(base, block, usual, words)),
            message_id: hit.message_id.clone(),
            pending: None,
        }
    }
}

#[derive(Deserialize)]
struct Query {
    q: Option<String>,
    before: Option<u64>,
}

/// `GET /search?q=&before=`. Redirects to the hit if there is exactly one.
pub(super) async fn get(site: &Site, request: &PageRequest) -> Result<Response, ErrorPage> {
    let query: Query = request.parse_query()?;
    let text = query.q.unwrap_or_default().trim().to_owned();
    let status = site.status().await?;
    let (mut found, mut note) = (SearchPage::default(), None);
    let mut disconnected = Vec::new();
    if !text.is_empty() {
        found = match site.client.search(&text, query.before).await {
            Ok(found) => found,
            Err(error) if error.is_not_found() => {
                note = Some(
                    "This node does not support text search. Only indexes, hashes, message ids \
                    and dates were searched."
                        .to_owned(),
                );
                exact::hits(site, &text, status.tip.index).await?
            }
            Err(ClientError::Rejected {
                status: 400,
                message,
                ..
            }) => {
                note = Some(format::sentence(&message));
                SearchPage::default()
            }
            Err(error) => return Err(error.into()),
        };
        if query.before.is_none() {
            disconnected = disconnected::hits(site, &text, status.reorgs).await?;
        }
        if let ([hit], [], None, None) = (&*found.hits, &*disconnected, found.next, query.before) {
            return Ok(reply::see_other(&site.path(&target(hit))));
        }
    }
    remove_repeated(&mut found.hits);
    let page = ResultsPage {
        layout: Layout {
            query: text.clone(),
            ..site.layout(Section::None)
        },
        query_line: Line::new(&text, 100),
        hits: rows(site, &found.hits, &status, &Lookup::words(&text)).await,
        disconnected,
        before: query.before,
        next: found.next,
        next_query: next_query(&text, found.next),
        note,
        query: text,
        status,
    };
    Ok(reply::page(StatusCode::OK, &page))
}

/// Removes the text hit of a block or message that was found by another field as well.
fn remove_repeated(hits: &mut Vec<SearchHit>) {
    let mut known = BTreeSet::new();
    hits.retain(|hit| known.insert(hit.message_id.clone()));
}

async fn rows(site: &Site, hits: &[SearchHit], status: &Status, words: &[String]) -> Vec<HitRow> {
    let usual = SealBadge::usual(status);
    let (mut rows, mut texts) = (Vec::new(), 0);
    for hit in hits {
        let mut row = HitRow::new(&site.base, hit, usual, words);
        if row.card.is_none() && texts < MAX_PENDING_TEXTS {
            texts += 1;
            // The message may have been mined or renamed meanwhile; its id is shown then.
            let message = site.client.message(&hit.message_id).await.ok();
            row.pending = message.map(|found| Line::found(&found.message, MAX_CHARACTERS, words));
        }
        rows.push(row);
    }
    rows
}

/// Returns the query string of the next page.
fn next_query(text: &str, next: Option<u64>) -> Option<String> {
    let next = next.filter(|_| !text.is_empty())?;
    serde_urlencoded::to_string([("q", text), ("before", &next.to_string())]).ok()
}

/// Returns the path of a hit.
fn target(hit: &SearchHit) -> String {
    match &hit.block {
        Some(block) if hit.field != SearchField::Id => format!("/block/{}", block.index),
        _ => format!("/message/{}", hit.message_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;

    fn hit(field: SearchField) -> SearchHit {
        SearchHit {
            field,
            block: Some(samples::block(7, samples::HOSTILE)),
            message_id: "e".repeat(32),
        }
    }

    #[test]
    fn hits_are_listed_and_inert() {
        let pending = SearchHit {
            block: None,
            ..hit(SearchField::Id)
        };
        let words = Lookup::words(samples::HOSTILE);
        let page = ResultsPage {
            layout: Layout {
                query: samples::HOSTILE.to_owned(),
                ..samples::layout()
            },
            query_line: Line::new(samples::HOSTILE, 100),
            query: samples::HOSTILE.to_owned(),
            status: samples::status(),
            hits: vec![
                HitRow::new("/x", &hit(SearchField::Text), SealBadge::Sealed, &words),
                HitRow::new("/x", &pending, SealBadge::Sealed, &words),
            ],
            disconnected: Vec::new(),
            before: None,
            next: Some(5),
            next_query: next_query(samples::HOSTILE, Some(5)),
            note: Some(samples::HOSTILE.to_owned()),
        };
        let html = page.render().unwrap();
        assert!(
            !html.contains("<script>alert") && !html.contains("<img src=x"),
            "{html}"
        );
        assert!(
            html.contains("/x/message/eee") && html.contains("before=5"),
            "{html}"
        );
    }

    #[test]
    fn a_block_found_twice_is_listed_once() {
        let mut hits = vec![hit(SearchField::Index), hit(SearchField::Text)];
        remove_repeated(&mut hits);
        assert_eq!(hits, [hit(SearchField::Index)]);
    }

    #[test]
    fn a_hit_links_to_its_block_or_message() {
        assert_eq!(target(&hit(SearchField::Hash)), "/block/7");
        assert_eq!(
            target(&hit(SearchField::Id)),
            format!("/message/{}", "e".repeat(32))
        );
    }
}
