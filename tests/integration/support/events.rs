//! A client of server-sent events on a plain socket.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use blockchain::wire::Event;

use super::http::connect;

/// An open stream of events.
pub(crate) struct Events(BufReader<TcpStream>);

/// One event, as received.
#[derive(Debug, Default)]
pub(crate) struct ReceivedEvent {
    pub(crate) id: Option<String>,
    name: String,
    data: String,
}

impl ReceivedEvent {
    #[track_caller]
    pub(crate) fn event(&self) -> Event {
        Event::read(&self.name, &self.data).unwrap().unwrap()
    }
}

impl Events {
    /// Opens a stream, after a known event id.
    #[track_caller]
    pub(crate) fn open(address: SocketAddr, last_event_id: Option<&str>) -> Self {
        let mut stream = connect(address).unwrap();
        let id = last_event_id.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        // HTTP/1.0, so that the body is not chunked.
        let request = format!("GET /api/v1/events HTTP/1.0\r\n{id}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut events = Self(BufReader::new(stream));
        let head = events.lines();
        assert!(head[0].starts_with("HTTP/1.0 200"), "{head:?}");
        let kind = "content-type: text/event-stream";
        assert!(head.iter().any(|line| line == kind), "{head:?}");
        events
    }

    /// Opens a stream from now on, and where that is.
    #[track_caller]
    pub(crate) fn from_now(address: SocketAddr) -> (Self, String) {
        let mut events = Self::open(address, None);
        let opening = events.next().unwrap();
        assert_eq!(opening.name, "", "{opening:?}");
        (events, opening.id.unwrap())
    }

    /// Returns the next event, or `None` after the end of the stream.
    pub(crate) fn next(&mut self) -> Option<ReceivedEvent> {
        let mut told = ReceivedEvent::default();
        let lines = self.lines();
        for line in &lines {
            match line.split_once(':').unwrap() {
                ("id", id) => told.id = Some(id.to_owned()),
                ("event", name) => name.clone_into(&mut told.name),
                ("data", data) => told.data.push_str(data),
                ("retry" | "", _) => {}
                _ => panic!("{line}"),
            }
        }
        (!lines.is_empty()).then_some(told)
    }

    /// Returns the next event with one of these names.
    #[track_caller]
    pub(crate) fn expect(&mut self, name: &str) -> ReceivedEvent {
        let told = self.next().unwrap();
        assert_eq!(told.name, name, "{told:?}");
        told
    }

    /// Lines up to an empty one or the end.
    fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            // A node that stops may cut the connection.
            let read = self.0.read_line(&mut line).unwrap_or(0);
            let line = line.trim_end();
            if read == 0 || line.is_empty() {
                return lines;
            }
            lines.push(line.to_owned());
        }
    }
}
