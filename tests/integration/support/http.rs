//! A minimal HTTP client: one request per connection, the response as received.

use std::cmp::Ordering;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use serde::de::DeserializeOwned;
use tokio::net::TcpSocket;

use super::TIMEOUT;

/// A whole response. Its body is as long as it says.
#[derive(Debug)]
pub(crate) struct TransportResponse {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl TransportResponse {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn content_length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {:?}", self.head, self.body))
    }

    /// Expects this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status,
            status,
            "{}{}",
            self.head,
            String::from_utf8_lossy(&self.body)
        );
        self
    }

    /// Asserts this status and an error body of `/api/v1` with this code.
    #[track_caller]
    pub(crate) fn expect_error(self, status: u16, code: &str) -> String {
        let response = self.expect(status);
        assert_eq!(response.header("content-type"), Some("application/json"));
        let body: blockchain::wire::ErrorBody = response.json();
        assert_eq!(body.error.code, code, "{body:?}");
        assert!(!body.error.message.is_empty(), "{body:?}");
        body.error.message
    }
}

/// Connects with a limit on every wait.
pub(crate) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Connects from this loopback address, or from the default one on systems that have only that.
pub(crate) fn connect_from(source: Ipv4Addr, address: SocketAddr) -> io::Result<TcpStream> {
    if !cfg!(target_os = "linux") {
        return connect(address);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.bind((source, 0).into())?;
        socket.connect(address).await?.into_std()
    })?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// Sends a request and reads the response to the end of the connection.
pub(crate) fn request(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<TransportResponse> {
    exchange(address, &request_bytes(method, target, headers, body))
}

/// Sends these bytes and reads the response to the end of the connection.
pub(crate) fn exchange(address: SocketAddr, request: &[u8]) -> io::Result<TransportResponse> {
    let mut stream = connect(address)?;
    stream.write_all(request)?;
    read_answer(stream, request.starts_with(b"HEAD "))
}

/// Returns a request that asks for the connection to be closed after the response.
pub(crate) fn request_bytes(
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    if !body.is_empty() {
        head.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// Reads a response to the end of the connection. A body that is shorter or longer than its head
/// says is an error.
pub(crate) fn read_answer(mut stream: impl Read, is_head: bool) -> io::Result<TransportResponse> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8(bytes[..end + 2].to_vec()).map_err(io::Error::other)?;
    let status = head
        .get(9..12)
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| io::Error::other(head.clone()))?;
    let response = TransportResponse {
        status,
        head,
        body: bytes.split_off(end + 4),
    };
    if response.header("transfer-encoding") == Some("chunked") && !is_head {
        let body = dechunk(&response.body).ok_or(io::ErrorKind::UnexpectedEof)?;
        return Ok(TransportResponse { body, ..response });
    }
    let announced = response.content_length();
    let expected = match announced {
        _ if is_head || matches!(status, 204 | 304) => 0,
        Some(bytes) => bytes,
        None => return Err(io::Error::other(format!("no length: {}", response.head))),
    };
    match (response.body.len() as u64).cmp(&expected) {
        Ordering::Equal => Ok(response),
        Ordering::Less => Err(io::ErrorKind::UnexpectedEof.into()),
        Ordering::Greater => Err(io::Error::other("more bytes than announced")),
    }
}

/// Decodes a chunked body, which must be complete.
fn dechunk(mut chunks: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&chunks[..end]).ok()?;
        let size = usize::from_str_radix(size, 16).ok()?;
        let chunk = chunks.get(end + 2..end + 2 + size)?;
        chunks = chunks[end + 2 + size..].strip_prefix(b"\r\n")?;
        if size == 0 {
            return chunks.is_empty().then_some(body);
        }
        body.extend_from_slice(chunk);
    }
}

/// Adds a message by `PUT /add`.
pub(crate) fn put_message(address: SocketAddr, text: &str) -> io::Result<TransportResponse> {
    let target = format!("/add?message={}", percent_encode(text));
    request(address, "PUT", &target, &[], &[])
}

/// Adds a message by `POST /api/v1/messages`.
pub(crate) fn post_message(
    address: SocketAddr,
    text: &str,
    key: Option<&str>,
) -> io::Result<TransportResponse> {
    let body = serde_json::json!({"message": text}).to_string();
    let mut headers = vec![("Content-Type", "application/json")];
    headers.extend(key.map(|key| ("Idempotency-Key", key)));
    request(
        address,
        "POST",
        "/api/v1/messages",
        &headers,
        body.as_bytes(),
    )
}

/// Percent-encodes a text for a query.
pub(crate) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&hex::encode_upper([byte]));
        }
    }
    encoded
}
