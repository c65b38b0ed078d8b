//! Changes of the neighbours for one event stream.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::wire::{Neighbour, NeighbourChange, NeighbourEvent, PeerKind, PeerOrigin};

/// Interval between two comparisons.
const INTERVAL: Duration = Duration::from_secs(1);

/// The properties of a neighbour whose changes are events.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    kind: PeerKind,
    origin: PeerOrigin,
    refused: Option<String>,
}

/// The neighbours that a client knows.
#[derive(Debug)]
pub(super) struct NeighbourDiff {
    known: BTreeMap<String, Seen>,
    next_update: Instant,
}

impl NeighbourDiff {
    /// Creates the difference to the current neighbours, which the client is expected to know.
    pub(super) fn new(list: Vec<Neighbour>) -> Self {
        Self {
            known: seen(list),
            next_update: Instant::now() + INTERVAL,
        }
    }

    /// Waits until the next comparison is due.
    pub(super) async fn wait(&self) {
        tokio::time::sleep_until(self.next_update).await;
    }

    /// Returns the changes since the last call.
    pub(super) fn update(&mut self, list: Vec<Neighbour>) -> Vec<NeighbourEvent> {
        self.next_update = Instant::now() + INTERVAL;
        let mut before = std::mem::replace(&mut self.known, seen(list));
        let mut changes = Vec::new();
        for (address, now) in &self.known {
            match before.remove(address) {
                None => changes.push(change(address, NeighbourChange::Came, now)),
                Some(then) if then != *now => {
                    changes.push(change(address, NeighbourChange::Changed, now));
                }
                Some(_) => {}
            }
        }
        let went = before
            .iter()
            .map(|(address, then)| change(address, NeighbourChange::Went, then));
        changes.extend(went);
        changes
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

fn change(address: &str, change: NeighbourChange, seen: &Seen) -> NeighbourEvent {
    NeighbourEvent {
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
            name: None,
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
    fn only_relevant_changes_are_sent_and_once() {
        let (ours, unknown) = (PeerKind::Ours, PeerKind::Unknown);
        let mut client = NeighbourDiff::new(vec![
            neighbour(1, ours, 1.0),
            neighbour(2, unknown, 1.0),
            neighbour(3, ours, 1.0),
        ]);
        // The third has an older answer, the second is identified, the first removed, the fourth new.
        let now = || {
            vec![
                neighbour(2, ours, 1.0),
                neighbour(3, ours, 2.0),
                neighbour(4, unknown, 0.0),
            ]
        };
        let changes = client.update(now());
        let pairs: Vec<_> = changes
            .iter()
            .map(|event| (&*event.address, event.change))
            .collect();
        let expected = [
            ("host:2", NeighbourChange::Changed),
            ("host:4", NeighbourChange::Came),
            ("host:1", NeighbourChange::Went),
        ];
        assert_eq!(pairs, expected);
        assert_eq!(client.update(now()), []);
        let mut refused = now();
        refused[0].refused = Some("different genesis block".to_owned());
        let changes = client.update(refused);
        assert_eq!(changes.len(), 1);
        assert_eq!(
            changes[0].refused.as_deref(),
            Some("different genesis block")
        );
    }
}
