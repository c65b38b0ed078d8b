//! Thousands of clients that are slow in every way, at the same time, beside honest ones: those
//! are answered soon, and the memory of the node stays within a limit.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::environment::variable;
use crate::support::http::{
    TransportResponse, connect, connect_from, put_message, read_answer, request, request_bytes,
};
use crate::support::test_node::TestNode;
use crate::support::{allow_many_files, wait_for};

/// Seconds of the short form, and how soon its honest requests are answered; a machine that does
/// other things needs some patience.
const SHORT: (u64, Duration) = (3, Duration::from_secs(5));

/// Maximum 99th percentile of honest response times in the long form.
const SOON: Duration = Duration::from_millis(500);

/// Maximum memory growth of a node under attack, in bytes.
const MEMORY: u64 = 128 * 1024 * 1024;

/// Interval between the actions of each client.
const TICK: Duration = Duration::from_millis(100);

/// Ticks after which a client that was cut off comes again.
const AGAIN: usize = 10;

/// A kind of bad client.
struct Kind {
    name: &'static str,
    count: usize,
    /// Sent at once.
    opening: Vec<u8>,
    /// Sent at each tick.
    trickle: &'static [u8],
    /// Read at each tick, in bytes.
    reads: usize,
}

fn kinds() -> Vec<Kind> {
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes();
    let kind = |name, count, opening: &[u8], trickle, reads| Kind {
        name,
        count,
        opening: opening.to_vec(),
        trickle,
        reads,
    };
    let post = b"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
        Content-Length: 60000\r\n\r\n{\"message\":\"";
    let long_post = String::from_utf8_lossy(post).replace("60000", "390000");
    let long_post = [long_post.as_bytes(), &b"x".repeat(389_000)].concat();
    let long_head = [
        &b"GET / HTTP/1.1\r\nHost: x\r\nX: "[..],
        &b"y".repeat(120_000),
    ]
    .concat();
    let chunks = b"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
        Transfer-Encoding: chunked\r\n\r\n";
    vec![
        kind("idle connections", 2000, b"", b"", 0),
        kind(
            "slow heads",
            200,
            b"GET /health HTTP/1.1\r\nHost: x\r\nX: ",
            b"y",
            0,
        ),
        kind("slow bodies", 150, post, b"y", 0),
        kind("long bodies without their end", 100, &long_post, b"", 0),
        kind("long heads without their end", 100, &long_head, b"", 0),
        kind("slow chunks", 50, chunks, b"1\r\n \r\n", 0),
        kind("silent readers of /chain", 20, &get("/chain"), b"", 0),
        kind("silent readers of /data", 20, &get("/data"), b"", 0),
        kind(
            "silent readers of events",
            80,
            &get("/api/v1/events"),
            b"",
            0,
        ),
        kind(
            "silent readers of pages",
            200,
            &get("/api/v1/mempool?limit=1000"),
            b"",
            0,
        ),
        kind("slow readers of /data", 20, &get("/data"), b"", 10),
        kind(
            "slow readers of pages",
            50,
            &get("/api/v1/mempool?limit=1000"),
            b"",
            100,
        ),
        kind(
            "pipelines nobody reads",
            30,
            &get("/api/v1/mempool").repeat(20),
            b"",
            0,
        ),
        kind(
            "searches nobody reads",
            30,
            &get("/api/v1/search?q=zzz").repeat(20),
            b"",
            0,
        ),
        kind(
            "requests one after the other",
            30,
            &get("/api/v1/blocks"),
            b"GET /chain HTTP/1.1\r\nHost: x\r\n\r\n",
            1 << 20,
        ),
    ]
}

/// Opens a connection, or returns `None` if the machine has no free one.
fn open(address: SocketAddr, kind: &Kind) -> Option<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(500)).ok()?;
    // The node may stop reading: the rest of a long opening is not needed.
    stream
        .set_write_timeout(Some(Duration::from_millis(200)))
        .ok()?;
    let _ = stream.write_all(&kind.opening);
    stream.set_nonblocking(true).ok()?;
    Some(stream)
}

/// Repeats the actions of a kind until the end, and counts connections.
fn attack(address: SocketAddr, kind: &Kind, ended: &AtomicBool, opened: &AtomicUsize) {
    let mut streams: Vec<Option<TcpStream>> = Vec::new();
    streams.resize_with(kind.count, || None);
    let mut buffer = vec![0; kind.reads.max(1)];
    for tick in 0_usize.. {
        for slot in &mut streams {
            let is_open = slot.as_mut().is_some_and(|stream| {
                let would_block = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
                let is_read = match stream.peek(&mut [0]) {
                    Ok(0) => false,
                    Ok(_) if kind.reads > 0 => stream.read(&mut buffer).is_ok(),
                    Ok(_) => true,
                    Err(error) => would_block(error),
                };
                is_read
                    && (kind.trickle.is_empty()
                        || stream
                            .write(kind.trickle)
                            .map_or_else(would_block, |_| true))
            });
            if !is_open {
                *slot = None;
            }
            if !is_open && tick.is_multiple_of(AGAIN) {
                *slot = open(address, kind);
                opened.fetch_add(1, Ordering::Relaxed);
            }
            if ended.load(Ordering::Relaxed) {
                return;
            }
        }
        // The clients are slow on purpose.
        thread::sleep(TICK);
    }
}

/// Results of the honest clients.
#[derive(Default)]
struct Seen {
    times: Vec<Duration>,
    /// Requests that were cut off and sent again, as every client of HTTP does.
    again: usize,
    failed: usize,
}

/// Sends honest requests, each on a connection of its own, until the end.
fn ask(address: SocketAddr, ended: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    while !ended.load(Ordering::Relaxed) {
        let number = seen.times.len();
        let once = || match number % 4 {
            0 => request(address, "GET", "/health", &[], &[]),
            1 => put_message(address, &format!("honest {number}")),
            2 => ask_from_elsewhere(address, "/api/v1/mempool?limit=1000"),
            _ => request(address, "GET", "/api/v1/status", &[], &[]),
        };
        let begun = Instant::now();
        let response = once().or_else(|_| {
            seen.again += 1;
            once()
        });
        seen.times.push(begun.elapsed());
        seen.failed += usize::from(!response.is_ok_and(|response| response.status == 200));
        // The interval between honest requests.
        thread::sleep(Duration::from_millis(5));
    }
    seen
}

/// Sends a request from another address than the attackers, who use all the slots of theirs.
fn ask_from_elsewhere(address: SocketAddr, target: &str) -> io::Result<TransportResponse> {
    // Other systems have only one loopback address.
    if !cfg!(target_os = "linux") {
        return request(address, "GET", "/health", &[], &[]);
    }
    let stream = connect_from([127, 0, 0, 2].into(), address)?;
    (&stream).write_all(&request_bytes("GET", target, &[], &[]))?;
    read_answer(&stream, false)
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

/// Returns the duration of the long form in seconds, if it is requested.
fn long_form() -> Option<u64> {
    variable("BLOCKCHAIN_ATTACK_SECONDS")
}

/// A node whose pages are as long as they may be. On loopback the system takes such a page whole.
fn full() -> TestNode {
    let node = TestNode::start(&["--threads", "0"]);
    // In the long form, the page has the maximum size as JSON.
    let character = if long_form().is_some() { "\u{1}" } else { "x" };
    let text = character.repeat(64 * 1024);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20).for_each(|_| drop(node.add(&text))));
        }
    });
    node
}

/// Attacks a node and checks the responses to honest clients.
#[expect(
    clippy::print_stderr,
    reason = "the figures are shown with --nocapture"
)]
fn withstand(node: &TestNode, kinds: &[Kind]) {
    let (seconds, soon) = long_form().map_or(SHORT, |seconds| (seconds, SOON));
    let address = node.address();
    for target in [
        "/health",
        "/api/v1/mempool?limit=1000",
        "/data",
        "/api/v1/status",
    ] {
        node.get(target).expect(200);
    }
    let before = node.resident();
    let ended = AtomicBool::new(false);
    let opened: Vec<_> = kinds.iter().map(|_| AtomicUsize::new(0)).collect();
    let (mut most, mut open) = (0, 0);
    let mut seen = thread::scope(|scope| {
        for (kind, opened) in kinds.iter().zip(&opened) {
            let ended = &ended;
            scope.spawn(move || attack(address, kind, ended, opened));
        }
        // Every client has connected before the measurement begins.
        thread::sleep(Duration::from_millis(500));
        let honest = scope.spawn(|| ask(address, &ended));
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(seconds) {
            most = most.max(node.resident().unwrap_or(0));
            open = open.max(open_files(node));
            // A sampling interval.
            thread::sleep(Duration::from_millis(50));
        }
        ended.store(true, Ordering::Relaxed);
        honest.join().unwrap()
    });
    let more = before.map_or(0, |before| most.saturating_sub(before));
    let times = &mut seen.times;
    let (median, p99) = (percentile(times, 50), percentile(times, 99));
    for (kind, opened) in kinds.iter().zip(opened) {
        eprintln!("{:6} connections: {}", opened.into_inner(), kind.name);
    }
    eprintln!(
        "{seconds} s, {} honest requests, {} sent again, {} failed: median {median:.1?}, p99 {p99:.1?}, \
         longest {:.1?}; {} MiB before, {} MiB more at most; {open} files open at most",
        times.len(),
        seen.again,
        seen.failed,
        times[times.len() - 1],
        before.unwrap_or(0) >> 20,
        more >> 20,
    );
    // The short form runs beside other tests, on a machine that may be too slow for both.
    let some = 2 + times.len() / 20;
    assert!(
        seen.failed == 0 || soon > SOON && seen.failed <= some,
        "honest requests failed"
    );
    assert!(seen.again <= some, "too many were cut off");
    assert!(p99 < soon, "{p99:?}");
    assert!(more < MEMORY, "{} MiB more", more >> 20);
    // The attackers leave no connection behind.
    wait_for("all connections to end", || {
        let status = request(address, "GET", "/metrics", &[], &[]).ok()?;
        let text = status.text().to_owned();
        let line = text
            .lines()
            .find(|line| line.starts_with("blockchain_http_connections "))?;
        let count: u64 = line.rsplit_once(' ')?.1.parse().ok()?;
        (count <= 1).then_some(())
    });
}

fn open_files(node: &TestNode) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", node.process())).map_or(0, Iterator::count)
}

#[test]
fn slow_clients_do_not_delay_honest_ones() {
    allow_many_files();
    let mut node = full();
    withstand(&node, &kinds());
    let stderr = node.stop();
    assert!(!stderr.contains("WARN"), "{stderr}");
}

#[test]
fn clients_that_hold_many_buffers_are_evicted() {
    const COUNT: usize = 600;
    allow_many_files();
    let node = full();
    let holds = [
        "long bodies without their end",
        "long heads without their end",
        "silent readers of pages",
        "silent readers of events",
    ];
    for mut kind in kinds() {
        if holds.contains(&kind.name) {
            kind.count = COUNT;
            withstand(&node, &[kind]);
        }
    }
}

#[test]
fn idle_connections_make_room_for_new_ones() {
    const PLACES: usize = 512;
    allow_many_files();
    let node = TestNode::start(&["--threads", "0"]);
    let mut working = connect(node.address()).unwrap();
    let ask = |stream: &mut TcpStream| {
        stream
            .write_all(b"GET /neighbours HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        let mut response = [0; 4096];
        let read = stream.read(&mut response).unwrap();
        response[..read].starts_with(b"HTTP/1.1 200")
    };
    let mut idle = Vec::new();
    for number in 0..2 * PLACES {
        idle.push(connect(node.address()).unwrap());
        // A connection in use is not the longest idle one.
        if number % 100 == 0 {
            // The node accepts connections in order, so the earlier ones are open.
            node.get("/health").expect(200);
            assert!(ask(&mut working), "{number}");
        }
    }
    node.get("/health").expect(200);
    assert!(ask(&mut working));
    let is_open = |stream: &&TcpStream| {
        stream.set_nonblocking(true).unwrap();
        let read = stream.peek(&mut [0]);
        read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    };
    let open = wait_for("room", || {
        let open = idle.iter().filter(is_open).count();
        (open < PLACES).then_some(open)
    });
    assert!(open > PLACES - 10, "{open} are open");
    // The longest idle connections are closed first.
    assert!(is_open(&idle.last().unwrap()) && !is_open(&&idle[0]));
}
