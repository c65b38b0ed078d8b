//! `blockchain get search`: prints blocks and pending messages that match a text.

use std::fmt;

use serde::Serialize;

use super::chain::Line;
use crate::cli::error::Error;
use crate::cli::output::{Output, escape};
use crate::client::HttpClient;
use crate::wire::{SearchHit, SearchPage};

/// Prints a page of hits.
pub(super) async fn run(
    client: &HttpClient,
    text: &str,
    before: Option<u64>,
    output: &Output,
) -> Result<(), Error> {
    let page = client.search(text, before).await?;
    let is_found = !page.hits.is_empty();
    output.print_verdict(&Hits(page), is_found)
}

#[derive(Serialize)]
#[serde(transparent)]
struct Hits(SearchPage);

impl fmt::Display for Hits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.hits[..] {
            [] => f.write_str("nothing was found")?,
            hits => f.write_str(&hits.iter().map(line).collect::<Vec<_>>().join("\n"))?,
        }
        match self.0.next {
            Some(next) => write!(f, "\nolder blocks were not searched: --before {next}"),
            None => Ok(()),
        }
    }
}

fn line(hit: &SearchHit) -> String {
    match &hit.block {
        Some(block) => escape(&Line(block).to_string()).into_owned(),
        None => format!("{:>8}  message {}", "pending", escape(&hit.message_id)),
    }
}
