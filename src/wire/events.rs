//! Events of `GET /events` (server-sent events). The name of an event is its kind, its data one of
//! these bodies as JSON, its id what `Last-Event-ID` resumes after.

use std::borrow::Cow;

use super::{Block, NeighbourNews, PendingMessage, Reorg};

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A block was put on the chain.
    Block(Block),
    /// Another branch is followed: blocks were taken off, and the connected ones follow as `block`.
    Reorg(Reorg),
    /// A message waits to be mined.
    Message(PendingMessage),
    /// A neighbour came, went or changed.
    Neighbour(NeighbourNews),
    /// More happened than is told one by one: ask for the state anew.
    Reset,
}

impl Event {
    /// The name of the event.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Block(_) => "block",
            Self::Reorg(_) => "reorg",
            Self::Message(_) => "message",
            Self::Neighbour(_) => "neighbour",
            Self::Reset => "reset",
        }
    }

    /// The body of the event as JSON on one line.
    pub fn data(&self) -> serde_json::Result<Cow<'static, str>> {
        let json = match self {
            Self::Block(body) => serde_json::to_string(body),
            Self::Reorg(body) => serde_json::to_string(body),
            Self::Message(body) => serde_json::to_string(body),
            Self::Neighbour(body) => serde_json::to_string(body),
            // An event without data is one that nobody is told.
            Self::Reset => return Ok("{}".into()),
        };
        json.map(Cow::Owned)
    }

    /// Reads an event as it came; none if this program knows none of this name.
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
    fn an_event_is_read_as_it_was_written() {
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
