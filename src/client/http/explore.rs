//! What the explorer asks a node beyond the common calls.

use reqwest::{Method, Response};
use std::time::Duration;

use super::{ClientError, HttpClient};
use crate::wire::{BlockPage, Event, Neighbours, ReorgPage, SearchPage};

/// How long events are followed before they are asked for anew.
const EVENTS_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// Most bytes of one event: the largest message with every byte escaped, and its frame.
const EVENT_BYTES: usize = 2 * 1024 * 1024;

impl HttpClient {
    /// `GET /api/v1/blocks`, newest first, from this index downwards or from the tip.
    pub async fn blocks_down(
        &self,
        from: Option<u64>,
        limit: usize,
    ) -> Result<BlockPage, ClientError> {
        let request = self
            .request(Method::GET, "/api/v1/blocks")
            .query(&[("order", "desc"), ("limit", &limit.to_string())])
            .query(&from.map(|from| [("from", from)]));
        self.json(request).await
    }

    /// `GET /api/v1/neighbours`.
    pub async fn neighbour_list(&self) -> Result<Neighbours, ClientError> {
        self.json(self.request(Method::GET, "/api/v1/neighbours"))
            .await
    }

    /// `GET /api/v1/reorgs`, the latest first.
    pub async fn reorgs(&self, from: Option<u64>, limit: usize) -> Result<ReorgPage, ClientError> {
        let request = self
            .request(Method::GET, "/api/v1/reorgs")
            .query(&[("limit", limit)])
            .query(&from.map(|from| [("from", from)]));
        self.json(request).await
    }

    /// `GET /api/v1/search`; `before` goes on where an earlier answer ended.
    pub async fn search(&self, text: &str, before: Option<u64>) -> Result<SearchPage, ClientError> {
        let request = self
            .request(Method::GET, "/api/v1/search")
            .query(&[("q", text)])
            .query(&before.map(|before| [("before", before)]));
        self.json(request).await
    }

    /// `GET /api/v1/events`, as they happen.
    pub async fn events(&self) -> Result<Events, ClientError> {
        let request = self
            .request(Method::GET, "/api/v1/events")
            .header("accept", "text/event-stream")
            .timeout(EVENTS_TIMEOUT);
        let response = request
            .send()
            .await
            .map_err(|source| self.transport(source))?;
        if !response.status().is_success() {
            return Err(self.refused(response).await);
        }
        Ok(Events {
            client: self.clone(),
            response,
            text: EventText::default(),
        })
    }
}

/// The events of a node while the connection lasts.
#[derive(Debug)]
pub struct Events {
    client: HttpClient,
    response: Response,
    text: EventText,
}

impl Events {
    /// The next one; none when the node ended the answer.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            if let Some(event) = self.text.take() {
                return Ok(Some(event));
            }
            let chunk = self.response.chunk().await;
            match chunk.map_err(|source| self.client.transport(source))? {
                Some(chunk) if self.text.received.len() + chunk.len() <= EVENT_BYTES => {
                    self.text.received.extend_from_slice(&chunk);
                }
                Some(_) => {
                    let what = format!("an event of more than {EVENT_BYTES} bytes");
                    return Err(self.client.malformed(what));
                }
                None => return Ok(None),
            }
        }
    }
}

/// The text of a stream of events, as far as it was received and not yet taken.
#[derive(Debug, Default)]
struct EventText {
    received: Vec<u8>,
    name: String,
    data: String,
}

impl EventText {
    /// Takes the next whole event; kinds that are not known are passed over.
    fn take(&mut self) -> Option<Event> {
        let mut start = 0;
        let mut found = None;
        while let Some(length) = self.received[start..]
            .iter()
            .position(|byte| *byte == b'\n')
        {
            let line = String::from_utf8_lossy(&self.received[start..start + length]);
            start += length + 1;
            let line = line.trim_end_matches('\r');
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(&mut self.name),
                "data" if self.data.is_empty() => value.clone_into(&mut self.data),
                "data" => self.data.extend(["\n", value]),
                "" if line.is_empty() => {
                    // One that cannot be read tells as little as an unknown one.
                    found = Event::read(&self.name, &self.data).ok().flatten();
                    self.name.clear();
                    self.data.clear();
                    if found.is_some() {
                        break;
                    }
                }
                _ => {}
            }
        }
        self.received.drain(..start);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::PendingMessage;

    #[test]
    fn events_are_read_whatever_pieces_they_come_in() {
        let stream = b": hello\n\nid: 7\nevent: message\ndata: {\"sequence\":1,\"id\":\"a\",\n\
            data: \"message\":\"m\",\"age\":0.5}\n\nevent: later\ndata: {}\n\r\n\
            event: reset\r\ndata: {}\r\n\r\nevent: block\n";
        for size in [1, 2, 7, stream.len()] {
            let mut text = EventText::default();
            let mut events = Vec::new();
            for piece in stream.chunks(size) {
                text.received.extend_from_slice(piece);
                while let Some(event) = text.take() {
                    events.push(event);
                }
            }
            let message = PendingMessage {
                sequence: 1,
                id: "a".to_owned(),
                message: "m".to_owned(),
                age: 0.5,
            };
            assert_eq!(events, [Event::Message(message), Event::Reset], "{size}");
        }
    }
}
