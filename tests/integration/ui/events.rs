//! Events of the node reach every open page.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::json;

use crate::support::explorer::{Explorer, StubNode};
use crate::support::http::{connect, request_bytes};
use crate::support::wait_for;

fn request_events(address: SocketAddr) -> BufReader<TcpStream> {
    let mut stream = connect(address).unwrap();
    let request = request_bytes("GET", "/events", &[], &[]);
    stream.write_all(&request).unwrap();
    BufReader::new(stream)
}

/// Opens `/events`, and retries until the relay is connected to the node.
pub(super) fn listen(address: SocketAddr) -> BufReader<TcpStream> {
    wait_for("the event stream", || {
        let mut reader = request_events(address);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.contains(" 200 ").then_some(reader)
    })
}

fn wait_for_line(reader: &mut BufReader<TcpStream>, expected: &str) {
    wait_for(expected, || {
        let mut line = String::new();
        assert!(
            reader.read_line(&mut line).unwrap() > 0,
            "the event stream ended"
        );
        (line.trim_end() == expected).then_some(())
    });
}

#[test]
fn every_page_receives_events_without_message_text() {
    let message = json!({"sequence": 1, "id": "e", "message": "<script>secret", "age": 0.0});
    let events = format!("event: message\nid: 1\ndata: {message}\n\nevent: reset\ndata: {{}}\n\n");
    let node = StubNode::start(&[("/api/v1/events", &events)]);
    let explorer = Explorer::of(node.address(), &[]);
    let mut listeners = [listen(explorer.address()), listen(explorer.address())];
    for listener in &mut listeners {
        wait_for_line(listener, "event:message");
        wait_for_line(listener, "data:{}");
        wait_for_line(listener, "event:reset");
    }
}

#[test]
fn a_node_without_events_closes_the_stream() {
    let node = StubNode::start(&[]);
    let explorer = Explorer::of(node.address(), &[]);
    // A stream that opened before the relay knew this ends.
    wait_for("the rejection", || {
        let mut response = String::new();
        request_events(explorer.address())
            .read_to_string(&mut response)
            .unwrap();
        response.starts_with("HTTP/1.1 503 ").then_some(())
    });
}
