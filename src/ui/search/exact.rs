//! The exact hits of a node without a search endpoint.

use crate::client::ClientError;
use crate::ui::blocks;
use crate::ui::error_page::ErrorPage;
use crate::ui::site::Site;
use crate::wire::{Lookup, SearchField, SearchHit, SearchPage};

/// Searches a node without a search endpoint by single requests.
pub(super) async fn hits(site: &Site, text: &str, tip: u64) -> Result<SearchPage, ErrorPage> {
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
fn if_found<T>(found: Result<T, ClientError>) -> Result<Option<T>, ErrorPage> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(ClientError::Rejected {
            status: 400 | 404, ..
        }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
