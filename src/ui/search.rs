//! `/search?q=`: an index, the start of a hash, an id, a date or a text.

use askama::Template;
use http::StatusCode;
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::blocks;
use super::error_page::ErrorPage;
use super::parts::{Card, Line};
use super::reply;
use super::routes::PageRequest;
use super::site::{Frame, Place, Site};
use crate::client::ClientError;
use crate::wire::{Lookup, SearchField, SearchHit, SearchPage};

#[derive(Template)]
#[template(path = "search.html", config = "src/ui/askama.toml")]
struct ResultPage {
    frame: Frame,
    asked: Line,
    query: String,
    hits: Vec<Hit>,
    /// The query for older finds.
    more: Option<String>,
    /// What the list does not hold although it could.
    note: Option<String>,
}

/// A find.
#[derive(Debug)]
struct Hit {
    why: &'static str,
    card: Option<Card>,
    id: String,
}

impl Hit {
    fn new(base: &str, hit: &SearchHit) -> Self {
        Self {
            why: match hit.field {
                SearchField::Index => "index",
                SearchField::Hash => "hash",
                SearchField::Id => "message id",
                SearchField::Date => "first block at this date",
                SearchField::Text => "text",
            },
            card: hit.block.as_ref().map(|block| Card::new(base, block)),
            id: hit.message_id.clone(),
        }
    }
}

#[derive(Deserialize)]
struct Query {
    q: Option<String>,
    before: Option<u64>,
}

/// `GET /search?q=&before=`: exactly one find leads to it.
pub(super) async fn get(site: &Site, asked: &PageRequest) -> Result<Response, ErrorPage> {
    let query: Query = asked.query()?;
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
                    "This node cannot search in texts; only an index, a hash, an id or \
                    a date was looked for."
                        .to_owned(),
                );
                exact(site, &text).await?
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
    let page = ResultPage {
        frame: Frame {
            query: text.clone(),
            ..site.frame(Place::None)
        },
        asked: Line::new(&text, 100),
        hits: found
            .hits
            .iter()
            .map(|hit| Hit::new(&site.base, hit))
            .collect(),
        more: more(&text, found.next),
        note,
        query: text,
    };
    Ok(reply::page(StatusCode::OK, &page))
}

/// The query of the next page.
fn more(text: &str, next: Option<u64>) -> Option<String> {
    let next = next.filter(|_| !text.is_empty())?;
    serde_urlencoded::to_string([("q", text), ("before", &next.to_string())]).ok()
}

/// Where a find is.
fn target(hit: &SearchHit) -> String {
    match &hit.block {
        Some(block) if hit.field != SearchField::Id => format!("/block/{}", block.index),
        _ => format!("/message/{}", hit.message_id),
    }
}

/// What can be found without the node's own search.
async fn exact(site: &Site, text: &str) -> Result<SearchPage, ErrorPage> {
    let client = &site.client;
    let mut hits = Vec::new();
    let wanted = Lookup::parse(text);
    let mut blocks = Vec::new();
    if let Some(index) = wanted.index {
        blocks.push((SearchField::Index, index.to_string()));
    }
    if let Some((first, last)) = wanted.hashes
        && first == last
    {
        blocks.push((SearchField::Hash, first.to_string()));
    }
    if let Some(time) = wanted.time {
        let tip = client.status().await?.tip.index;
        let index = blocks::first_at(site, time, tip).await?;
        blocks.push((SearchField::Date, index.to_string()));
    }
    for (field, which) in blocks {
        if let Some(block) = known(client.block(&which).await)? {
            hits.push(SearchHit {
                field,
                message_id: block.block.data.id.clone(),
                block: Some(block.block),
            });
        }
    }
    if let Some(id) = wanted.id {
        let id = id.to_string();
        if known(client.message(&id).await)?.is_some() {
            hits.push(SearchHit {
                field: SearchField::Id,
                block: None,
                message_id: id,
            });
        }
    }
    Ok(SearchPage { hits, next: None })
}

/// An answer, or none if there is no such thing or it makes no sense to the node.
fn known<T>(answer: Result<T, ClientError>) -> Result<Option<T>, ErrorPage> {
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
    fn finds_are_listed_and_inert() {
        let waiting = SearchHit {
            block: None,
            ..hit(SearchField::Id)
        };
        let page = ResultPage {
            frame: Frame {
                query: samples::HOSTILE.to_owned(),
                ..samples::frame()
            },
            asked: Line::new(samples::HOSTILE, 100),
            query: samples::HOSTILE.to_owned(),
            hits: vec![
                Hit::new("/x", &hit(SearchField::Text)),
                Hit::new("/x", &waiting),
            ],
            more: more(samples::HOSTILE, Some(5)),
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
    fn a_find_leads_to_the_block_or_the_message() {
        assert_eq!(target(&hit(SearchField::Hash)), "/block/7");
        assert_eq!(
            target(&hit(SearchField::Id)),
            format!("/message/{}", "e".repeat(32))
        );
    }
}
