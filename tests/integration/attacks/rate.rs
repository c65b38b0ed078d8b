//! `--add-rate`: an address of another machine adds at most that many messages a second.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::support::command::Blockchain;
use crate::support::http::{put_message, request};
use crate::support::test_node::TestNode;

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Address of a client behind a proxy on this machine.
const FORWARDED: (&str, &str) = ("X-Forwarded-For", "192.0.2.1");

#[test]
fn exceeding_the_add_rate_is_429_with_retry_after() {
    let node = TestNode::start(&["--threads", "0", "--add-rate", "5"]);
    let post = || {
        node.request(
            "POST",
            "/api/v1/messages",
            &[JSON, FORWARDED],
            b"{\"message\":\"a\"}",
        )
    };
    let put = || node.request("PUT", "/add?message=a", &[FORWARDED], &[]);
    let begun = Instant::now();
    for _ in 0..2 {
        post().expect(201);
        put().expect(200);
        if begun.elapsed() > Duration::from_millis(100) {
            break;
        }
    }
    // Both addresses share one rate, and rejected messages are not added.
    let rejected = std::iter::repeat_with(|| (post(), put())).take(50);
    let (post_rejected, put_rejected) = rejected
        .filter(|(post, put)| post.status == 429 && put.status == 429)
        .last()
        .expect("one after the other at more than five a second");
    for response in [post_rejected, put_rejected] {
        assert_eq!(response.header("retry-after"), Some("1"));
        response.expect_error(429, "too_many_requests");
    }
    // Reads and local additions continue.
    node.request("GET", "/api/v1/status", &[FORWARDED], &[])
        .expect(200);
    for _ in 0..20 {
        put_message(node.address(), "local").unwrap().expect(200);
    }
    // The rate limit allows more after a second of real time.
    std::thread::sleep(Duration::from_millis(1100));
    put().expect(200);
}

#[test]
fn a_rate_limited_body_is_read_before_the_response() {
    let node = TestNode::start(&["--threads", "0", "--add-rate", "1"]);
    let body = format!("{{\"message\":\"{}\"}}", "x".repeat(60_000));
    let statuses: Vec<_> = (0..10)
        .map(|_| {
            let headers = [JSON, ("Forwarded", "for=192.0.2.1")];
            let response = request(
                node.address(),
                "POST",
                "/api/v1/messages",
                &headers,
                body.as_bytes(),
            );
            response.unwrap().status
        })
        .collect();
    assert!(
        statuses.contains(&201) && statuses.contains(&429),
        "{statuses:?}"
    );
}

#[test]
fn without_a_rate_nothing_is_rejected() {
    let node = TestNode::start(&["--threads", "0", "--add-rate", "0"]);
    let put = || node.request("PUT", "/add?message=a", &[FORWARDED], &[]);
    for _ in 0..60 {
        put().expect(200);
    }
}

/// Starts a proxy on this machine that reports remote clients.
fn proxy(node: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut server = TcpStream::connect(node).unwrap();
            let (mut back, mut forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut back, &mut forth));
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                // Requests are small enough to arrive in one read.
                while let Ok(read @ 1..) = client.read(&mut bytes) {
                    let text = std::str::from_utf8(&bytes[..read]).unwrap();
                    let (name, value) = FORWARDED;
                    let text = text.replacen("\r\n", &format!("\r\n{name}: {value}\r\n"), 1);
                    server.write_all(text.as_bytes()).unwrap();
                }
            });
        }
    });
    address
}

#[test]
fn add_honours_retry_after() {
    let node = TestNode::start(&["--threads", "0", "--add-rate", "5"]);
    let port = proxy(node.address()).port().to_string();
    let begun = Instant::now();
    // In parallel, so that some are rejected repeatedly.
    std::thread::scope(|scope| {
        for number in 0..10 {
            let add = Blockchain::new(["add", "--lines", "--port", &port]);
            let lines = format!("{number} first\n{number} second\n");
            scope.spawn(move || add.stdin(lines).succeeds());
        }
    });
    assert!(
        begun.elapsed() > Duration::from_secs(2),
        "nothing was rejected"
    );
    assert_eq!(node.status().mempool.count, 20);
}
