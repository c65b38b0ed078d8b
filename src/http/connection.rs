//! The byte stream under a connection. It counts the bytes received and sent, enforces a minimum
//! read rate, and closes in a way that lets a client that is still sending read its response.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;

use super::pool::SlotGuard;

/// Maximum time that a client may continue to send after its last response. Closing the connection
/// at once would make the client lose that response.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// Maximum number of bytes that a client may send in that time.
const MAX_LINGER_BYTES: u64 = 16 * 1024 * 1024;

/// Maximum number of bytes of one read. `hyper` allocates twice the size of the last read, which
/// would add up over all connections.
const MAX_READ_BYTES: u64 = 8 * 1024;

/// Minimum average rate in bytes per second at which a client must read its responses. The number
/// of streams is limited, and a slow client keeps others from one.
const MIN_READ_RATE: u64 = 64 * 1024;

/// Time that a client may stall in addition to that.
const STALL_ALLOWANCE: Duration = Duration::from_secs(30);

/// A connection to a client.
#[derive(Debug)]
pub(super) struct Connection<S> {
    stream: S,
    /// Slot whose counters are updated; tests have none.
    slot: Option<Arc<SlotGuard>>,
    read_rate: ReadRate,
}

/// The rate at which the client reads what is sent to it.
#[derive(Debug, Default)]
struct ReadRate {
    sent: u64,
    stalled: Duration,
    stalled_since: Option<Instant>,
}

impl ReadRate {
    /// Records the result of a write, and turns it into an error if the client reads too slowly.
    fn check(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match polled {
            Poll::Pending => {
                self.stalled_since.get_or_insert_with(Instant::now);
            }
            Poll::Ready(Ok(bytes)) => {
                self.sent += bytes as u64;
                let stalled = self.stalled_since.take().map(|since| since.elapsed());
                self.stalled += stalled.unwrap_or_default();
                let allowed = STALL_ALLOWANCE + Duration::from_secs(self.sent / MIN_READ_RATE);
                if self.stalled > allowed {
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
            read_rate: ReadRate::default(),
        }
    }

    /// Closes the connection after its last response. Reads what still arrives, because TCP resets a
    /// connection that is closed with unread bytes, and the client would lose the response.
    pub(super) async fn linger(mut self) {
        let end = async {
            self.stream.shutdown().await?;
            let mut rest = self.stream.take(MAX_LINGER_BYTES);
            tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
        };
        // The connection is closed in any case.
        let _ = tokio::time::timeout(LINGER_TIMEOUT, end).await;
    }

    fn record_write(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let polled = self.read_rate.check(polled);
        if let (Poll::Ready(Ok(bytes)), Some(slot)) = (&polled, &self.slot) {
            slot.record_sent(*bytes);
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
        let mut limited = (&mut self.stream).take(MAX_READ_BYTES);
        let polled = Pin::new(&mut limited).poll_read(cx, buffer);
        if let Some(slot) = &self.slot {
            slot.record_received(buffer.filled().len() - before);
            slot.record_read();
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
        self.record_write(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.record_write(polled)
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
    async fn a_client_must_read_at_the_minimum_rate() {
        for (bytes, is_in_time) in [(MIN_READ_RATE / 4, false), (MIN_READ_RATE * 2, true)] {
            let (near, far) = tokio::io::duplex(1024);
            let mut connection = Connection::new(near, None);
            let reading = tokio::spawn(async move {
                let mut limited = far.take(0);
                loop {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    limited.set_limit(bytes);
                    tokio::io::copy(&mut limited, &mut tokio::io::sink())
                        .await
                        .unwrap();
                }
            });
            let written = connection.write_all(&vec![0; 100 * 64 * 1024]).await;
            assert_eq!(written.is_ok(), is_in_time, "{bytes} bytes per second");
            reading.abort();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn remaining_request_bytes_are_drained_for_a_limited_time() {
        let (near, mut far) = tokio::io::duplex(1000);
        let linger = tokio::spawn(Connection::new(near, None).linger());
        far.write_all(&vec![0; 100_000]).await.unwrap();
        tokio::time::timeout(2 * LINGER_TIMEOUT, linger)
            .await
            .unwrap()
            .unwrap();
        assert!(far.write_all(&[0; 2000]).await.is_err());
    }
}
