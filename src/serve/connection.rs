//! A connection under the HTTP server. To a request that it cannot read, the server itself answers
//! with a status alone and hangs up; here that answer gets a body, and its reader the time to
//! read it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;

use super::connections::Place;
use crate::wire::{ErrorBody, ErrorDetail};

/// How long and how much a client may go on sending after its request was refused: if it were cut
/// off, it would miss the answer.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: u64 = 16 * 1024 * 1024;

/// Most bytes of one read. The server makes room for twice as much as the last read brought, which
/// would be much for all connections together.
const READ_BYTES: u64 = 8 * 1024;

/// How slow a reader may be on the whole, in bytes a second, and how long it may hesitate on top of
/// that. While a stream goes on, the database cannot use any space anew.
const PACE: u64 = 64 * 1024;
const HESITATION: Duration = Duration::from_secs(30);

/// A connection that keeps back what looks like an error without a body until something follows.
#[derive(Debug)]
pub(super) struct Connection<S> {
    stream: S,
    held: Vec<u8>,
    /// Where the bytes that pass are counted.
    place: Option<Arc<Place>>,
    reader: Reader,
}

/// How fast the other end takes what it is sent.
#[derive(Debug, Default)]
struct Reader {
    taken: u64,
    waited_for: Duration,
    waited_since: Option<Instant>,
}

impl Reader {
    /// Hears of every attempt to write; an error if the reader is too slow.
    fn watch(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match polled {
            Poll::Pending => {
                self.waited_since.get_or_insert_with(Instant::now);
            }
            Poll::Ready(Ok(bytes)) => {
                self.taken += bytes as u64;
                let waited = self.waited_since.take().map(|since| since.elapsed());
                self.waited_for += waited.unwrap_or_default();
                let allowed = HESITATION + Duration::from_secs(self.taken / PACE);
                if self.waited_for > allowed {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
            Poll::Ready(Err(_)) => {}
        }
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(stream: S, place: Option<Arc<Place>>) -> Self {
        Self {
            stream,
            held: Vec::new(),
            place,
            reader: Reader::default(),
        }
    }

    /// Ends the connection after the server is done with it.
    pub(super) async fn end(mut self) -> io::Result<()> {
        let Some(status) = bare_error(&self.held) else {
            return Ok(());
        };
        let linger = async {
            self.stream.write_all(&explained(status)).await?;
            self.stream.shutdown().await?;
            let mut rest = self.stream.take(LINGER_BYTES);
            tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
            Ok(())
        };
        tokio::time::timeout(LINGER, linger).await.unwrap_or(Ok(()))
    }

    fn count(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let polled = self.reader.watch(polled);
        if let (Poll::Ready(Ok(bytes)), Some(place)) = (&polled, &self.place) {
            place.sent(*bytes);
        }
        polled
    }

    fn write_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.held))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.held.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

/// The status of an answer that is an error without a body.
fn bare_error(answer: &[u8]) -> Option<StatusCode> {
    let head = answer.strip_prefix(b"HTTP/1.1 ")?;
    let head = head.strip_suffix(b"\r\n\r\n")?;
    let is_bare = head
        .split(|byte| *byte == b'\n')
        .any(|line| line.trim_ascii_end() == b"content-length: 0");
    let status = StatusCode::from_bytes(head.get(..3)?).ok()?;
    (is_bare && status.is_client_error()).then_some(status)
}

/// The answer with this status and a body that says what it means.
fn explained(status: StatusCode) -> Vec<u8> {
    let (code, message) = match status {
        StatusCode::URI_TOO_LONG => ("uri_too_long", "the request line is too long"),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            ("head_too_large", "the head of the request is too long")
        }
        _ => ("bad_request", "this is no request of HTTP/1.1"),
    };
    let body = ErrorBody {
        error: ErrorDetail {
            code: code.to_owned(),
            message: message.to_owned(),
            id: None,
        },
    };
    // Texts and nothing else can always be written.
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let mut some = (&mut self.stream).take(READ_BYTES);
        let polled = Pin::new(&mut some).poll_read(cx, buffer);
        if let Some(place) = &self.place {
            place.received(buffer.filled().len() - before);
            place.listened();
        }
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.write_held(cx))?;
        if bare_error(bytes).is_some() {
            self.held = bytes.to_vec();
            return Poll::Ready(Ok(bytes.len()));
        }
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.count(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut filled = slices.iter().filter(|slice| !slice.is_empty());
        if let (Some(only), None) = (filled.next(), filled.next()) {
            return self.poll_write(cx, only);
        }
        ready!(self.write_held(cx))?;
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.count(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.held.is_empty() {
            // The end comes after the body.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\ndate: x\r\n\r\n";

    #[test]
    fn only_an_error_without_a_body_is_one() {
        assert_eq!(bare_error(BARE), Some(StatusCode::BAD_REQUEST));
        for answer in [
            &b""[..],
            b"HTTP/1.1 ",
            b"HTTP/1.1 4",
            b"HTTP/1.1 400\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 05\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\nx",
            b"xHTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
        ] {
            assert_eq!(bare_error(answer), None, "{answer:?}");
        }
        assert_eq!(bare_error(&explained(StatusCode::URI_TOO_LONG)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_a_little_for_ever_is_too_slow() {
        for (bytes, is_in_time) in [(PACE / 4, false), (PACE * 2, true)] {
            let (near, far) = tokio::io::duplex(1024);
            let mut connection = Connection::new(near, None);
            let reading = tokio::spawn(async move {
                let mut some = far.take(0);
                loop {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    some.set_limit(bytes);
                    tokio::io::copy(&mut some, &mut tokio::io::sink())
                        .await
                        .unwrap();
                }
            });
            let written = connection.write_all(&vec![0; 100 * 64 * 1024]).await;
            assert_eq!(written.is_ok(), is_in_time, "{bytes} bytes a second");
            reading.abort();
        }
    }

    #[tokio::test]
    async fn what_is_kept_back_comes_before_what_follows() {
        let (near, mut far) = tokio::io::duplex(1000);
        let mut connection = Connection::new(near, None);
        connection.write_all(BARE).await.unwrap();
        connection.write_all(b"more").await.unwrap();
        connection.shutdown().await.unwrap();
        connection.end().await.unwrap();
        let mut read = Vec::new();
        far.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, [BARE, b"more"].concat());
    }

    #[tokio::test]
    async fn what_nothing_follows_is_explained() {
        let (near, mut far) = tokio::io::duplex(1000);
        let mut connection = Connection::new(near, None);
        connection.write_all(BARE).await.unwrap();
        connection.flush().await.unwrap();
        connection.shutdown().await.unwrap();
        let end = tokio::spawn(connection.end());
        let mut read = Vec::new();
        far.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, explained(StatusCode::BAD_REQUEST));
        drop(far);
        end.await.unwrap().unwrap();
    }
}
