//! `blockchain get neighbours`: prints the neighbours of a node, in detail or, from a reference
//! miner, as it sends them.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::cli::error::Error;
use crate::cli::output::{Output, escape, table};
use crate::client::HttpClient;
use crate::text::{Span, clock_offset, counted};
use crate::wire::{Neighbour, Neighbours, PeerKind, PeerOrigin};

/// Prints the neighbours of a node.
pub(super) async fn run(client: &HttpClient, output: &Output) -> Result<(), Error> {
    match client.neighbour_list().await {
        Ok(neighbours) => output.print(&DetailedList(neighbours)),
        Err(error) if error.is_reference() => {
            output.print(&ReferenceList(client.neighbours().await?))
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct DetailedList(Neighbours);

impl fmt::Display for DetailedList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let neighbours = &self.0.neighbours;
        write!(f, "{}", counted(neighbours.len() as u64, "neighbour"))?;
        if neighbours.is_empty() {
            return Ok(());
        }
        let head = [
            "ADDRESS", "RUNS", "FROM", "TIP", "CLOCK", "ANSWERED", "FAILURES", "REASON",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(neighbours.iter().map(row));
        write!(f, "\n{}", table(&rows))
    }
}

fn row(neighbour: &Neighbour) -> [String; 8] {
    let none = || "-".to_owned();
    let kind = match neighbour.kind {
        PeerKind::Unknown => "unknown",
        PeerKind::Ours => "this program",
        PeerKind::Reference => "reference",
    };
    let origin = match neighbour.origin {
        PeerOrigin::Configured => "manual",
        PeerOrigin::Learned => "learned",
        PeerOrigin::Guest => "guest",
    };
    let tip = neighbour.tip.as_ref().map(|tip| {
        let start: String = tip.hash.chars().take(12).collect();
        format!("{} {}", tip.index, escape(&start))
    });
    [
        match &neighbour.name {
            Some(name) => format!("{} ({})", escape(&neighbour.address), escape(name)),
            None => escape(&neighbour.address).into_owned(),
        },
        kind.to_owned(),
        origin.to_owned(),
        tip.unwrap_or_else(none),
        neighbour
            .clock_offset
            .map_or_else(none, |offset| clock_offset(offset, Span)),
        neighbour
            .last_answer
            .map_or_else(|| "never".to_owned(), |age| format!("{age:.0} s ago")),
        neighbour.failures.to_string(),
        neighbour
            .refused
            .as_deref()
            .or(neighbour.held_back.as_deref())
            .map_or_else(none, |why| escape(why).into_owned()),
    ]
}

#[derive(Serialize)]
#[serde(transparent)]
struct ReferenceList(Value);

impl fmt::Display for ReferenceList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.0["neighbours"].as_str().unwrap_or_default();
        let inner: Value = serde_json::from_str(inner).unwrap_or_default();
        let neighbours = inner["py/set"].as_array().map_or(&[][..], Vec::as_slice);
        write!(f, "{}", counted(neighbours.len() as u64, "neighbour"))?;
        for neighbour in neighbours {
            let tuple = &neighbour["py/tuple"];
            let host = escape(tuple[0].as_str().unwrap_or("?"));
            write!(f, "\n{host}:{}", tuple[1])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_of_a_reference_miner_is_shown() {
        let inner = r#"{"py/set": [{"py/tuple": ["h\u001b", 12345]}]}"#;
        let body = ReferenceList(serde_json::json!({"length": 1, "neighbours": inner}));
        assert_eq!(body.to_string(), "1 neighbour\nh\\u{1b}:12345");
    }

    #[test]
    fn columns_are_aligned_and_show_the_reason() {
        let list = serde_json::json!({"neighbours": [
            {"address": "a:1", "kind": "ours", "origin": "configured",
             "tip": {"index": 7, "hash": "c0f0de3647e32b"}, "last_answer": 3.2, "failures": 0,
             "retry_in": null, "refused": null, "network": null, "version": "1",
             "clock_offset": 10_801.0, "held_back": "has block 8, dated"},
            {"address": "a-longer-name:12345", "kind": "unknown", "origin": "guest", "tip": null,
             "last_answer": null, "failures": 12, "retry_in": 4.0, "refused": "has\u{1b} left",
             "network": null, "version": null},
        ]});
        let list = DetailedList(serde_json::from_value(list).unwrap());
        assert_eq!(
            list.to_string(),
            "2 neighbours\n\
             ADDRESS              RUNS          FROM    TIP             CLOCK            ANSWERED  FAILURES  REASON\n\
             a:1                  this program  manual  7 c0f0de3647e3  3 h 0 min ahead  3 s ago   0         has block 8, dated\n\
             a-longer-name:12345  unknown       guest   -               -                never     12        has\\u{1b} left"
        );
    }
}
