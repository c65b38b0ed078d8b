//! `blockchain get reorgs`: prints the reorgs of a node.

use std::fmt;

use serde::Serialize;

use crate::cli::error::Error;
use crate::cli::output::{Output, escape, table};
use crate::client::HttpClient;
use crate::text::counted;
use crate::wire::{Reorg, ReorgPage};

/// Number of reorgs that are printed.
const LIMIT: usize = 100;

/// Prints the latest reorgs, or those from number `from` down.
pub(super) async fn run(
    client: &HttpClient,
    from: Option<u64>,
    output: &Output,
) -> Result<(), Error> {
    output.print(&Reorgs(client.reorgs(from, LIMIT).await?))
}

#[derive(Serialize)]
#[serde(transparent)]
struct Reorgs(ReorgPage);

impl fmt::Display for Reorgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reorgs = &self.0.reorgs;
        write!(f, "{}", counted(reorgs.len() as u64, "reorg"))?;
        if !reorgs.is_empty() {
            let head = [
                "NUMBER",
                "TIME",
                "FROM BLOCK",
                "DISCONNECTED",
                "CONNECTED",
                "SOURCE",
            ];
            let mut rows = vec![head.map(str::to_owned)];
            rows.extend(reorgs.iter().map(row));
            write!(f, "\n{}", table(&rows))?;
        }
        match self.0.next {
            Some(next) => write!(f, "\nearlier ones: --from {next}"),
            None => Ok(()),
        }
    }
}

fn row(reorg: &Reorg) -> [String; 6] {
    [
        reorg.number.to_string(),
        escape(reorg.time.as_deref().unwrap_or("-")).into_owned(),
        reorg.from.to_string(),
        reorg.disconnected.to_string(),
        reorg.connected.to_string(),
        escape(&reorg.source).into_owned(),
    ]
}
