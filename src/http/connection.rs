//! A connection under the HTTP server: what passes is counted, a reader has a minimum speed, and a
//! client that is still sending when the server is done with it has the time to read its answer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;

use super::pool::SlotGuard;

/// How long and how much a client may continue to send after its last answer: if it were cut off,
/// it would miss that answer.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: u64 = 16 * 1024 * 1024;

/// Most bytes of one read. The server makes room for twice as much as the last read brought, which
/// would be much for all connections together.
const READ_BYTES: u64 = 8 * 1024;

/// How slow a reader may be on the whole, in bytes a second, and how long it may hesitate on top of
/// that. There are few streams, and a slow reader keeps others from one.
const MIN_READ_RATE: u64 = 64 * 1024;
const STALL_ALLOWANCE: Duration = Duration::from_secs(30);

/// A connection to a client.
#[derive(Debug)]
pub(super) struct Connection<S> {
    stream: S,
    /// Where the bytes that pass are counted.
    slot: Option<Arc<SlotGuard>>,
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
                let allowed = STALL_ALLOWANCE + Duration::from_secs(self.taken / MIN_READ_RATE);
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
    pub(super) fn new(stream: S, slot: Option<Arc<SlotGuard>>) -> Self {
        Self {
            stream,
            slot,
            reader: Reader::default(),
        }
    }

    /// Ends the connection after the server is done with it: reads what still arrives, because bytes
    /// that nobody reads make the system take back the answer.
    pub(super) async fn linger(mut self) {
        let end = async {
            self.stream.shutdown().await?;
            let mut rest = self.stream.take(LINGER_BYTES);
            tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
        };
        // The other end may be gone already; in any case the connection ends.
        let _ = tokio::time::timeout(LINGER, end).await;
    }

    fn count(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let polled = self.reader.watch(polled);
        if let (Poll::Ready(Ok(bytes)), Some(slot)) = (&polled, &self.slot) {
            slot.sent(*bytes);
        }
        polled
    }
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
        if let Some(slot) = &self.slot {
            slot.received(buffer.filled().len() - before);
            slot.listened();
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
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.count(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
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
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_reads_a_little_for_ever_is_too_slow() {
        for (bytes, is_in_time) in [(MIN_READ_RATE / 4, false), (MIN_READ_RATE * 2, true)] {
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

    #[tokio::test(start_paused = true)]
    async fn a_client_that_still_sends_is_listened_to_for_a_while() {
        let (near, mut far) = tokio::io::duplex(1000);
        let linger = tokio::spawn(Connection::new(near, None).linger());
        far.write_all(&vec![0; 100_000]).await.unwrap();
        tokio::time::timeout(2 * LINGER, linger)
            .await
            .unwrap()
            .unwrap();
        assert!(far.write_all(&[0; 2000]).await.is_err());
    }
}
