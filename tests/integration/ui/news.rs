//! What happens at the node reaches every page that listens.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::json;

use crate::support::explorer::{Explorer, FakeNode};
use crate::support::http::{connect, request_bytes};
use crate::support::wait_for;

fn ask(address: SocketAddr) -> BufReader<TcpStream> {
    let mut stream = connect(address).unwrap();
    let request = request_bytes("GET", "/events", &[], &[]);
    stream.write_all(&request).unwrap();
    BufReader::new(stream)
}

/// Opens `/events`, also after a moment in which the node was not followed yet.
pub(super) fn listen(address: SocketAddr) -> BufReader<TcpStream> {
    wait_for("news", || {
        let mut reader = ask(address);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.contains(" 200 ").then_some(reader)
    })
}

fn wait_for_line(reader: &mut BufReader<TcpStream>, expected: &str) {
    wait_for(expected, || {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the news ended");
        (line.trim_end() == expected).then_some(())
    });
}

#[test]
fn every_page_that_listens_is_told_and_of_the_text_nothing() {
    let message = json!({"sequence": 1, "id": "e", "message": "<script>secret", "age": 0.0});
    let events = format!("event: message\nid: 1\ndata: {message}\n\nevent: reset\ndata: {{}}\n\n");
    let node = FakeNode::start(&[("/api/v1/events", &events)]);
    let explorer = Explorer::of(node.address(), &[]);
    let mut listeners = [listen(explorer.address()), listen(explorer.address())];
    for listener in &mut listeners {
        wait_for_line(listener, "event:message");
        wait_for_line(listener, "data:{}");
        wait_for_line(listener, "event:reset");
    }
}

#[test]
fn a_node_that_tells_no_news_leaves_pages_to_look_for_themselves() {
    let node = FakeNode::start(&[]);
    let explorer = Explorer::of(node.address(), &[]);
    // A page that came before this was known is let go: its answer ends.
    wait_for("the refusal", || {
        let mut answer = String::new();
        ask(explorer.address()).read_to_string(&mut answer).unwrap();
        answer.starts_with("HTTP/1.1 503 ").then_some(())
    });
}
