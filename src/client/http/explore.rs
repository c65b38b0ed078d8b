//! The requests that only the explorer sends.

use std::time::Duration;

use reqwest::{Method, Response};
use tokio::time::timeout;

use super::{ClientError, HttpClient};
use crate::wire::{
    Acknowledgement, BlockPage, DisconnectedPage, Event, Neighbours, ReorgPage, SearchPage,
};

/// Maximum time of an event stream.
const EVENTS_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// Time without a byte after which an event stream is considered broken: four intervals of the
/// comments that keep it alive.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Maximum number of bytes of one event: the largest message with every byte escaped, and the JSON
/// around it.
const MAX_EVENT_BYTES: usize = 2 * 1024 * 1024;

impl HttpClient {
    /// `GET /docs`, `/docs/style.css` and `/openapi.json`: the description of the API, as it is.
    pub async fn api_document(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        self.send(self.request(Method::GET, path)).await
    }

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

    /// `GET /api/v1/disconnected`, of one reorg from an index on.
    pub async fn disconnected(
        &self,
        reorg: u64,
        from: u64,
        limit: usize,
    ) -> Result<DisconnectedPage, ClientError> {
        let request = self.request(Method::GET, "/api/v1/disconnected").query(&[
            ("reorg", reorg),
            ("from", from),
            ("limit", limit as u64),
        ]);
        self.json(request).await
    }

    /// `GET /api/v1/disconnected`, of all reorgs, with this hash, message id or text.
    pub async fn find_disconnected(
        &self,
        text: &str,
        limit: usize,
    ) -> Result<DisconnectedPage, ClientError> {
        let request = self
            .request(Method::GET, "/api/v1/disconnected")
            .query(&[("q", text), ("limit", &limit.to_string())]);
        self.json(request).await
    }

    /// `POST /api/v1/reorgs/acknowledge`, with the token of the node.
    pub async fn acknowledge_reorgs(&self, number: u64, token: &str) -> Result<(), ClientError> {
        let request = self
            .request(Method::POST, "/api/v1/reorgs/acknowledge")
            .bearer_auth(token);
        let body = Acknowledgement { number };
        self.send(request.json(&body)).await.map(drop)
    }

    /// `GET /api/v1/search`; `before` continues an earlier search.
    pub async fn search(&self, text: &str, before: Option<u64>) -> Result<SearchPage, ClientError> {
        let request = self
            .request(Method::GET, "/api/v1/search")
            .query(&[("q", text)])
            .query(&before.map(|before| [("before", before)]));
        self.json(request).await
    }

    /// `GET /api/v1/events`.
    pub async fn events(&self) -> Result<Events, ClientError> {
        let request = self
            .request(Method::GET, "/api/v1/events")
            .header("accept", "text/event-stream")
            .timeout(EVENTS_TIMEOUT);
        let response = request
            .send()
            .await
            .map_err(|source| self.transport_error(source))?;
        if !response.status().is_success() {
            return Err(self.read_error(response).await);
        }
        Ok(Events {
            client: self.clone(),
            response,
            parser: EventParser::default(),
        })
    }
}

/// The event stream of a node.
#[derive(Debug)]
pub struct Events {
    client: HttpClient,
    response: Response,
    parser: EventParser,
}

impl Events {
    /// Returns the next event, or `None` when the stream ends or falls silent.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            if let Some(event) = self.parser.next() {
                return Ok(Some(event));
            }
            let Ok(chunk) = timeout(IDLE_TIMEOUT, self.response.chunk()).await else {
                return Ok(None);
            };
            match chunk.map_err(|source| self.client.transport_error(source))? {
                Some(chunk) if self.parser.received.len() + chunk.len() <= MAX_EVENT_BYTES => {
                    self.parser.received.extend_from_slice(&chunk);
                }
                Some(_) => {
                    let what = format!("an event of more than {MAX_EVENT_BYTES} bytes");
                    return Err(self.client.malformed(what));
                }
                None => return Ok(None),
            }
        }
    }
}

/// Parser of an event stream.
#[derive(Debug, Default)]
struct EventParser {
    received: Vec<u8>,
    name: String,
    data: String,
}

impl EventParser {
    /// Returns the next complete event. Unknown events are skipped.
    fn next(&mut self) -> Option<Event> {
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
                    // An event with invalid data is skipped like an unknown one.
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
    fn events_are_parsed_from_chunks_of_any_size() {
        let stream = b": hello\n\nid: 7\nevent: message\ndata: {\"sequence\":1,\"id\":\"a\",\n\
            data: \"message\":\"m\",\"age\":0.5}\n\nevent: later\ndata: {}\n\r\n\
            event: reset\r\ndata: {}\r\n\r\nevent: block\n";
        for size in [1, 2, 7, stream.len()] {
            let mut parser = EventParser::default();
            let mut events = Vec::new();
            for chunk in stream.chunks(size) {
                parser.received.extend_from_slice(chunk);
                while let Some(event) = parser.next() {
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
