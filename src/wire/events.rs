//! Events of `GET /events` (server-sent events). The data of an event is one of these bodies as JSON;
//! its id is the value of `Last-Event-ID` that resumes the stream after it.

use std::borrow::Cow;

use super::{Block, NeighbourEvent, PendingMessage, Reorg};

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A block was connected.
    Block(Block),
    /// A reorg disconnected blocks; the connected ones follow as `block` events.
    Reorg(Reorg),
    /// A message was added to the mempool.
    Message(PendingMessage),
    /// A neighbour was added, removed or changed.
    Neighbour(NeighbourEvent),
    /// Events were dropped; the client must reload its state.
    Reset,
}

impl Event {
    /// Returns the name of the event.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Block(_) => "block",
            Self::Reorg(_) => "reorg",
            Self::Message(_) => "message",
            Self::Neighbour(_) => "neighbour",
            Self::Reset => "reset",
        }
    }

    /// Returns the body of the event as one line of JSON.
    pub fn data(&self) -> serde_json::Result<Cow<'static, str>> {
        let json = match self {
            Self::Block(body) => serde_json::to_string(body),
            Self::Reorg(body) => serde_json::to_string(body),
            Self::Message(body) => serde_json::to_string(body),
            Self::Neighbour(body) => serde_json::to_string(body),
            // Browsers drop an event without data.
            Self::Reset => return Ok("{}".into()),
        };
        json.map(Cow::Owned)
    }

    /// Parses an event; `None` if its name is unknown.
    pub fn read(name: &str, data: &str) -> serde_json::Result<Option<Self>> {
        Ok(Some(match name {
            "block" => Self::Block(serde_json::from_str(data)?),
            "reorg" => Self::Reorg(serde_json::from_str(data)?),
            "message" => Self::Message(serde_json::from_str(data)?),
            "neighbour" => Self::Neighbour(serde_json::from_str(data)?),
            "reset" => Self::Reset,
            _ => return Ok(None),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_survive_the_round_trip() {
        let message = PendingMessage {
            sequence: 7,
            id: "0".repeat(32),
            message: "two\nlines\u{2028}".to_owned(),
            age: 0.5,
        };
        for event in [Event::Message(message), Event::Reset] {
            let data = event.data().unwrap();
            assert!(!data.contains('\n') && !data.is_empty(), "{data}");
            assert_eq!(Event::read(event.name(), &data).unwrap(), Some(event));
        }
        assert_eq!(Event::read("unheard", "{").unwrap(), None);
        assert!(Event::read("message", "{}").is_err());
    }
}
