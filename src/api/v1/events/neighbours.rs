//! Changes among the neighbours for one stream of events: what is different from the last time it looked.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::wire::{Neighbour, NeighbourChange, NeighbourNews, PeerKind, PeerOrigin};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// What is told of a neighbour.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    kind: PeerKind,
    origin: PeerOrigin,
    refused: Option<String>,
}

/// The neighbours as a client knows them.
#[derive(Debug)]
pub(super) struct NeighbourDiff {
    known: BTreeMap<String, Seen>,
    next_look: Instant,
}

impl NeighbourDiff {
    /// The client is expected to know those of now.
    pub(super) fn new(list: Vec<Neighbour>) -> Self {
        Self {
            known: seen(list),
            next_look: Instant::now() + PAUSE,
        }
    }

    /// Waits until it is time to look again.
    pub(super) async fn pause(&self) {
        tokio::time::sleep_until(self.next_look).await;
    }

    /// What is different from the last look.
    pub(super) fn look(&mut self, list: Vec<Neighbour>) -> Vec<NeighbourNews> {
        self.next_look = Instant::now() + PAUSE;
        let mut before = std::mem::replace(&mut self.known, seen(list));
        let mut news = Vec::new();
        for (address, now) in &self.known {
            match before.remove(address) {
                None => news.push(tell(address, NeighbourChange::Came, now)),
                Some(then) if then != *now => {
                    news.push(tell(address, NeighbourChange::Changed, now));
                }
                Some(_) => {}
            }
        }
        let went = before
            .iter()
            .map(|(address, then)| tell(address, NeighbourChange::Went, then));
        news.extend(went);
        news
    }
}

fn seen(list: Vec<Neighbour>) -> BTreeMap<String, Seen> {
    let seen = list.into_iter().map(|neighbour| {
        let seen = Seen {
            kind: neighbour.kind,
            origin: neighbour.origin,
            refused: neighbour.refused,
        };
        (neighbour.address, seen)
    });
    seen.collect()
}

fn tell(address: &str, change: NeighbourChange, seen: &Seen) -> NeighbourNews {
    NeighbourNews {
        address: address.to_owned(),
        change,
        kind: seen.kind,
        origin: seen.origin,
        refused: seen.refused.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbour(port: u16, kind: PeerKind, age: f64) -> Neighbour {
        Neighbour {
            address: format!("host:{port}"),
            kind,
            origin: PeerOrigin::Learned,
            tip: None,
            last_answer: Some(age),
            failures: 0,
            retry_in: None,
            refused: None,
            network: None,
            version: None,
            clock_offset: None,
            held_back: None,
        }
    }

    #[test]
    fn only_what_matters_is_told_and_once() {
        let (ours, unknown) = (PeerKind::Ours, PeerKind::Unknown);
        let mut client = NeighbourDiff::new(vec![
            neighbour(1, ours, 1.0),
            neighbour(2, unknown, 1.0),
            neighbour(3, ours, 1.0),
        ]);
        // The third is older, the second known by now, the first gone, and the fourth new.
        let now = || {
            vec![
                neighbour(2, ours, 1.0),
                neighbour(3, ours, 2.0),
                neighbour(4, unknown, 0.0),
            ]
        };
        let news = client.look(now());
        let news: Vec<_> = news
            .iter()
            .map(|news| (&*news.address, news.change))
            .collect();
        let expected = [
            ("host:2", NeighbourChange::Changed),
            ("host:4", NeighbourChange::Came),
            ("host:1", NeighbourChange::Went),
        ];
        assert_eq!(news, expected);
        assert_eq!(client.look(now()), []);
        let mut refused = now();
        refused[0].refused = Some("has another genesis".to_owned());
        let news = client.look(refused);
        assert_eq!(news.len(), 1);
        assert_eq!(news[0].refused.as_deref(), Some("has another genesis"));
    }
}
