//! `/search?q=`: searches for an index, the start of a hash, a message id, a date or text.

use askama::Template;
use http::StatusCode;
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::blocks;
use super::error_page::ErrorPage;
use super::parts::{BlockCard, Line};
use super::reply;
use super::request::PageRequest;
use super::site::{Layout, Section, Site};
use crate::client::ClientError;
use crate::wire::{Lookup, SearchField, SearchHit, SearchPage};

#[derive(Template)]
#[template(path = "search.html", config = "src/ui/askama.toml")]
struct ResultsPage {
    layout: Layout,
    /// The query as safe text.
    query_line: Line,
    query: String,
    hits: Vec<HitRow>,
    /// Query string of the next page.
    next: Option<String>,
    /// Reason why the results are incomplete.
    note: Option<String>,
}

/// A hit in the list.
#[derive(Debug)]
struct HitRow {
    /// The field that matched.
    matched: &'static str,
    card: Option<BlockCard>,
    message_id: String,
}

impl HitRow {
    fn new(base: &str, hit: &SearchHit) -> Self {
        Self {
            matched: match hit.field {
                SearchField::Index => "index",
                SearchField::Hash => "hash",
                SearchField::Id => "message id",
                SearchField::Date => "date",
                SearchField::Text => "text",
            },
            card: hit.block.as_ref().map(|block| BlockCard::new(base, block)),
            message_id: hit.message_id.clone(),
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
    let (mut found, mut note) = (
        SearchPage {
            hits: Vec::new(),
            next: query.before,
        },
        None,
    );
    if !text.is_empty() {
        found = match site.client.search(&text, query.before).await {
            Ok(found) => found,
            Err(error) if error.is_not_found() => {
                note = Some(
                    "This node does not support text search. Only indices, hashes, message ids \
                    and dates were searched."
                        .to_owned(),
                );
                exact_hits(site, &text).await?
            }
            Err(ClientError::Refused {
                status: 400,
                message,
                ..
            }) => {
                note = Some(message);
                SearchPage {
                    hits: Vec::new(),
                    next: None,
                }
            }
            Err(error) => return Err(error.into()),
        };
        if let ([hit], None, None) = (&*found.hits, found.next, query.before) {
            return Ok(reply::see_other(&site.path(&target(hit))));
        }
    }
    let page = ResultsPage {
        layout: Layout {
            query: text.clone(),
            ..site.layout(Section::None)
        },
        query_line: Line::new(&text, 100),
        hits: found
            .hits
            .iter()
            .map(|hit| HitRow::new(&site.base, hit))
            .collect(),
        next: next_query(&text, found.next),
        note,
        query: text,
    };
    Ok(reply::page(StatusCode::OK, &page))
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

/// Searches a node without a search endpoint by single requests.
async fn exact_hits(site: &Site, text: &str) -> Result<SearchPage, ErrorPage> {
    let client = &site.client;
    let mut hits = Vec::new();
    let lookup = Lookup::parse(text);
    let mut blocks = Vec::new();
    if let Some(index) = lookup.index {
        blocks.push((SearchField::Index, index.to_string()));
    }
    if let Some((first, last)) = lookup.hashes
        && first == last
    {
        blocks.push((SearchField::Hash, first.to_string()));
    }
    if let Some(time) = lookup.time {
        let tip = client.status().await?.tip.index;
        let index = blocks::first_block_at(site, time, tip).await?;
        blocks.push((SearchField::Date, index.to_string()));
    }
    for (field, name) in blocks {
        if let Some(block) = if_found(client.block(&name).await)? {
            hits.push(SearchHit {
                field,
                message_id: block.block.data.id.clone(),
                block: Some(block.block),
            });
        }
    }
    if let Some(id) = lookup.id {
        let id = id.to_string();
        if if_found(client.message(&id).await)?.is_some() {
            hits.push(SearchHit {
                field: SearchField::Id,
                block: None,
                message_id: id,
            });
        }
    }
    Ok(SearchPage { hits, next: None })
}

/// Returns `None` if the node has no such block or message, or rejects the name as invalid.
fn if_found<T>(answer: Result<T, ClientError>) -> Result<Option<T>, ErrorPage> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(ClientError::Refused {
            status: 400 | 404, ..
        }) => Ok(None),
        Err(error) => Err(error.into()),
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
        let page = ResultsPage {
            layout: Layout {
                query: samples::HOSTILE.to_owned(),
                ..samples::layout()
            },
            query_line: Line::new(samples::HOSTILE, 100),
            query: samples::HOSTILE.to_owned(),
            hits: vec![
                HitRow::new("/x", &hit(SearchField::Text)),
                HitRow::new("/x", &pending),
            ],
            next: next_query(samples::HOSTILE, Some(5)),
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
    fn a_hit_links_to_its_block_or_message() {
        assert_eq!(target(&hit(SearchField::Hash)), "/block/7");
        assert_eq!(
            target(&hit(SearchField::Id)),
            format!("/message/{}", "e".repeat(32))
        );
    }
}
