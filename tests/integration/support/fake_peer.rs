//! A server with scripted responses, valid or not: a plain listener with a thread for each
//! connection, and one request per connection.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{TIMEOUT, wait_for};

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedRequest {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
}

impl ReceivedRequest {
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// A number in the query.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        let query = self.target.split_once('?')?.1;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name)?.1.parse().ok()
    }
}

/// A step of a response.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Bytes(Vec<u8>),
    /// Bytes one by one, with a pause before each.
    Trickle(Vec<u8>, Duration),
    /// The same bytes repeated until the client leaves.
    Endless(Vec<u8>),
    /// Nothing, until the client leaves.
    Silence,
}

/// A response; after its last step the connection is closed.
pub(crate) type Reply = Vec<Step>;

/// The head of a response; without a length the body extends to the end of the connection.
pub(crate) fn head(status: u16, headers: &[(&str, &str)], length: Option<u64>) -> Step {
    let mut head = format!("HTTP/1.1 {status} Whatever\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    if let Some(length) = length {
        head.extend(["Content-Length: ", &length.to_string(), "\r\n"]);
    }
    Step::Bytes((head + "\r\n").into_bytes())
}

/// A whole response.
pub(crate) fn response(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Reply {
    let body = body.into();
    let head = head(status, headers, Some(body.len() as u64));
    vec![head, Step::Bytes(body)]
}

/// A good response of JSON.
pub(crate) fn json(body: &Value) -> Reply {
    response(200, &[], body.to_string())
}

type Script = Box<dyn Fn(&ReceivedRequest) -> Reply + Send + Sync>;

/// A running fake peer; it stops when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct FakePeer(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<ReceivedRequest>>>,
    stopped: Arc<AtomicBool>,
}

impl FakePeer {
    /// Starts a peer that answers each request with the result of `script`.
    pub(crate) fn start(
        script: impl Fn(&ReceivedRequest) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST, script)
    }

    /// The same on another address of the loopback.
    pub(crate) fn start_at(
        host: Ipv4Addr,
        script: impl Fn(&ReceivedRequest) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let peer = Inner {
            address: listener.local_addr().unwrap(),
            requests: Arc::default(),
            stopped: Arc::default(),
        };
        let (asked, stopped) = (Arc::clone(&peer.requests), Arc::clone(&peer.stopped));
        let script: Arc<Script> = Arc::new(Box::new(script));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (asked, script) = (Arc::clone(&asked), Arc::clone(&script));
                // The client may leave at any time, so that an error is expected.
                thread::spawn(move || serve(&stream, &asked, &script));
            }
        });
        Self(Arc::new(peer))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<ReceivedRequest> {
        self.0.requests.lock().unwrap().clone()
    }

    /// Returns the number of requests for a path.
    pub(crate) fn count(&self, method: &str, path: &str) -> usize {
        let is_this =
            |request: &&ReceivedRequest| request.method == method && request.path() == path;
        self.0
            .requests
            .lock()
            .unwrap()
            .iter()
            .filter(is_this)
            .count()
    }
}

impl FakePeer {
    /// Waits for this many further requests for a path, and thus for as many rounds of the node.
    #[track_caller]
    pub(crate) fn wait_for_requests(&self, method: &str, path: &str, more: usize) {
        let before = self.count(method, path);
        wait_for(&format!("{more} requests for {path}"), || {
            (self.count(method, path) >= before + more).then_some(())
        });
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(
    mut stream: &TcpStream,
    asked: &Mutex<Vec<ReceivedRequest>>,
    script: &Script,
) -> io::Result<()> {
    stream.set_read_timeout(Some(2 * TIMEOUT))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let request = read_request(&mut reader)?;
    asked.lock().unwrap().push(request.clone());
    let is_head = request.method == "HEAD";
    for step in script(&request) {
        match step {
            Step::Bytes(bytes) => stream.write_all(&bytes)?,
            Step::Trickle(bytes, pause) => {
                for byte in bytes {
                    // The pause is the fault under test.
                    thread::sleep(pause);
                    stream.write_all(&[byte])?;
                }
            }
            Step::Endless(bytes) => loop {
                stream.write_all(&bytes)?;
            },
            Step::Silence => {
                io::copy(&mut reader, &mut io::sink())?;
            }
        }
        if is_head {
            break;
        }
    }
    Ok(())
}

fn read_request(reader: &mut impl BufRead) -> io::Result<ReceivedRequest> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (method, target) = words
        .next()
        .zip(words.next())
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let (method, target) = (method.to_owned(), target.to_owned());
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(ReceivedRequest {
        method,
        target,
        body,
    })
}
