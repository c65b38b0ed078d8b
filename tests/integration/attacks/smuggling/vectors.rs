//! Requests of more than one reading, and how this node may read each.

/// A request hidden where one reader sees a body and another does not.
const HIDDEN: &str = "PUT /add?message=hidden HTTP/1.1\r\nHost: x\r\n\r\n";

/// The allowed reading of a vector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reading {
    /// One request with a clear end: it and the next one are answered.
    Clear,
    /// No request: 400 and the connection is closed, or it is just closed.
    Rejected,
    /// Either of the two, as long as the hidden request stays hidden.
    Either,
}

/// Returns a `POST` with these header lines and this body.
fn post(lines: &str, body: &str) -> String {
    format!("POST /api/v1/announce HTTP/1.1\r\nHost: x\r\n{lines}\r\n{body}")
}

/// The hidden request as one chunk.
fn chunked() -> String {
    format!("{:x}\r\n{HIDDEN}\r\n0\r\n\r\n", HIDDEN.len())
}

/// Name, bytes and reading of each.
#[expect(clippy::too_many_lines, reason = "a list of one line for each")]
pub(super) fn vectors() -> Vec<(&'static str, String, Reading)> {
    use Reading::{Clear, Either, Rejected};
    let length = HIDDEN.len();
    let clear = post(&format!("Content-Length: {length}\r\n"), HIDDEN);
    let end = format!("0\r\n\r\n{HIDDEN}");
    let ended = end.len();
    let both = |lines: &str| post(lines, &end);
    let chunks = |lines: &str| post(lines, &chunked());
    let get = |line: &str| format!("{line}\r\nHost: x\r\n\r\n");
    let chunk = "Transfer-Encoding: chunked\r\n";
    let raw = |body: &str| post(chunk, body);
    vec![
        ("a body with its length", clear, Clear),
        ("a chunked body", chunks(chunk), Clear),
        (
            "length and chunks",
            both(&format!("Content-Length: {ended}\r\n{chunk}")),
            Rejected,
        ),
        (
            "chunks and length",
            both(&format!("{chunk}Content-Length: {ended}\r\n")),
            Rejected,
        ),
        (
            "two lengths",
            both(&format!("Content-Length: {ended}\r\nContent-Length: 5\r\n")),
            Rejected,
        ),
        (
            "two lengths in a line",
            both(&format!("Content-Length: {ended}, 5\r\n")),
            Rejected,
        ),
        (
            "the same length twice",
            both(&format!(
                "Content-Length: {ended}\r\nContent-Length: {ended}\r\n"
            )),
            Either,
        ),
        (
            "a signed length",
            both(&format!("Content-Length: +{ended}\r\n")),
            Rejected,
        ),
        (
            "a negative length",
            both("Content-Length: -1\r\n"),
            Rejected,
        ),
        (
            "a hexadecimal length",
            both("Content-Length: 0x10\r\n"),
            Rejected,
        ),
        ("an empty length", both("Content-Length: \r\n"), Rejected),
        (
            "a length beyond 64 bits",
            both("Content-Length: 18446744073709551621\r\n"),
            Rejected,
        ),
        (
            "a length with a blank in it",
            both("Content-Length: 1 0\r\n"),
            Rejected,
        ),
        (
            "a blank before the colon of a length",
            both(&format!("Content-Length : {ended}\r\n")),
            Rejected,
        ),
        (
            "a blank before the colon of an encoding",
            chunks("Transfer-Encoding : chunked\r\n"),
            Rejected,
        ),
        (
            "a tab before the colon",
            chunks("Transfer-Encoding\t: chunked\r\n"),
            Rejected,
        ),
        (
            "an unknown encoding",
            chunks("Transfer-Encoding: xchunked\r\n"),
            Rejected,
        ),
        (
            "chunks and another encoding after them",
            chunks("Transfer-Encoding: chunked, identity\r\n"),
            Rejected,
        ),
        (
            "chunks in quotes",
            chunks("Transfer-Encoding: \"chunked\"\r\n"),
            Rejected,
        ),
        (
            "two encodings, the last unknown",
            chunks(&format!("{chunk}Transfer-Encoding: x\r\n")),
            Rejected,
        ),
        (
            "two encodings, the first unknown",
            chunks(&format!("Transfer-Encoding: x\r\n{chunk}")),
            Either,
        ),
        ("chunks twice", chunks(&format!("{chunk}{chunk}")), Either),
        (
            "chunks after identity",
            chunks("Transfer-Encoding: identity, chunked\r\n"),
            Either,
        ),
        (
            "chunks in capitals",
            chunks("Transfer-Encoding: CHUNKED\r\n"),
            Clear,
        ),
        (
            "chunks after a tab",
            chunks("Transfer-Encoding:\tchunked\r\n"),
            Clear,
        ),
        (
            "chunks after a vertical tab",
            chunks("Transfer-Encoding: \u{b}chunked\r\n"),
            Rejected,
        ),
        (
            "an encoding on a folded line",
            chunks("Transfer-Encoding:\r\n chunked\r\n"),
            Rejected,
        ),
        (
            "a folded line",
            both("X: y\r\n Content-Length: 1\r\n"),
            Rejected,
        ),
        ("a folded first line", both(" X: y\r\n"), Rejected),
        (
            "a line without a colon",
            both("Content-Length 5\r\n"),
            Rejected,
        ),
        ("a null in a header", both("X: a\0b\r\n"), Rejected),
        (
            "a carriage return in a header",
            both("X: a\rContent-Length: 5\r\n"),
            Rejected,
        ),
        ("a header without a name", both(": 5\r\n"), Rejected),
        (
            "a header beyond ASCII",
            both("Contént-Length: 5\r\n"),
            Rejected,
        ),
        (
            "chunks by HTTP/1.0",
            chunks(chunk).replacen("HTTP/1.1", "HTTP/1.0", 1),
            Rejected,
        ),
        (
            "a chunk of no size",
            raw(&format!("\r\n{HIDDEN}")),
            Rejected,
        ),
        (
            "a chunk of negative size",
            raw(&format!("-1\r\n{HIDDEN}")),
            Rejected,
        ),
        (
            "a chunk of hexadecimal with its sign",
            raw(&format!("0x2f\r\n{HIDDEN}")),
            Rejected,
        ),
        (
            "a chunk beyond 64 bits",
            raw(&format!("10000000000000000\r\n{HIDDEN}")),
            Rejected,
        ),
        (
            "a chunk that is longer than its size",
            raw(&format!("1\r\n{HIDDEN}\r\n0\r\n\r\n")),
            Rejected,
        ),
        (
            "a chunk with an endless extension",
            raw(&format!("1;{}\r\n", "x".repeat(100_000))),
            Rejected,
        ),
        (
            "an extension with a bare line end",
            raw(&format!("5;\n{HIDDEN}")),
            Rejected,
        ),
        (
            "a size that ends with a bare carriage return",
            raw(&format!("5\r{HIDDEN}")),
            Rejected,
        ),
        (
            "a chunk that ends with a bare line end",
            raw(&format!("1\r\na\n0\r\n\r\n{HIDDEN}")),
            Rejected,
        ),
        (
            "chunks without their end",
            raw(&format!("1\r\na\r\n{HIDDEN}")),
            Rejected,
        ),
        (
            "trailers that name a length",
            raw("1\r\na\r\n0\r\nContent-Length: 50\r\n\r\n"),
            Either,
        ),
        ("a trailer without a colon", raw("0\r\nx\r\n\r\n"), Either),
        (
            "endless trailers",
            raw(&format!("0\r\n{}\r\n", "x: y\r\n".repeat(20_000))),
            Either,
        ),
        (
            "a whole address",
            get("GET http://other/neighbours HTTP/1.1"),
            Clear,
        ),
        (
            "a whole address of another scheme",
            get("GET gopher://x/neighbours HTTP/1.1"),
            Rejected,
        ),
        (
            "a tunnel, and what would go through it",
            format!("{}{HIDDEN}", get("CONNECT other:80 HTTP/1.1")),
            Rejected,
        ),
        ("an asterisk", get("OPTIONS * HTTP/1.1"), Clear),
        (
            "an asterisk of another method",
            get("GET * HTTP/1.1"),
            Rejected,
        ),
        (
            "a target without a slash",
            get("GET neighbours HTTP/1.1"),
            Rejected,
        ),
        (
            "a host and a port as the target",
            get("PUT other:80 HTTP/1.1"),
            Rejected,
        ),
        (
            "no host",
            "GET /neighbours HTTP/1.1\r\n\r\n".to_owned(),
            Rejected,
        ),
        (
            "two hosts",
            get("GET /neighbours HTTP/1.1\r\nHost: y"),
            Rejected,
        ),
        (
            "the same host twice",
            get("GET /neighbours HTTP/1.1\r\nHost: x"),
            Rejected,
        ),
        (
            "a host on a folded line",
            get("GET /neighbours HTTP/1.1\r\nX: y\r\n\t"),
            Rejected,
        ),
        (
            "a host with a path",
            "GET /neighbours HTTP/1.1\r\nHost: x/y\r\n\r\n".to_owned(),
            Rejected,
        ),
        (
            "an expectation nobody knows",
            post(
                &format!("Expect: x\r\nContent-Length: {length}\r\n"),
                HIDDEN,
            ),
            Rejected,
        ),
        (
            "a blank in the target",
            get("GET /neigh bours HTTP/1.1"),
            Rejected,
        ),
        (
            "two blanks before the target",
            get("GET  /neighbours HTTP/1.1"),
            Rejected,
        ),
        (
            "a tab before the target",
            get("GET\t/neighbours HTTP/1.1"),
            Rejected,
        ),
        ("a fragment", get("GET /neighbours#x HTTP/1.1"), Either),
        ("no target", get("GET HTTP/1.1"), Rejected),
        ("HTTP/0.9", "GET /neighbours\r\n\r\n".to_owned(), Rejected),
        ("HTTP/1.2", get("GET /neighbours HTTP/1.2"), Rejected),
        (
            "HTTP/2",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            Rejected,
        ),
        (
            "http in small letters",
            get("GET /neighbours http/1.1"),
            Rejected,
        ),
        (
            "a line end in front",
            format!("\r\n{}", get("GET /neighbours HTTP/1.1")),
            Clear,
        ),
        (
            "a method of another kind",
            get("G\u{e9}T /neighbours HTTP/1.1"),
            Rejected,
        ),
        (
            "bare line ends",
            "GET /neighbours HTTP/1.1\nHost: x\n\n".to_owned(),
            Either,
        ),
        (
            "a bare line end after a length",
            format!(
                "POST /api/v1/announce HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\n\r\n{HIDDEN}"
            ),
            Either,
        ),
        (
            "bare carriage returns",
            "GET /neighbours HTTP/1.1\rHost: x\r\r".to_owned(),
            Rejected,
        ),
        ("TLS", "\u{16}\u{3}\u{1}\0\u{5}hello".to_owned(), Rejected),
    ]
}
