//! Reads a long response on a blocking thread while it arrives.
//!
//! `tokio_util::io::SyncIoBridge` would keep its thread blocked when the future is dropped. With this
//! reader, it reads the end of the response instead.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc::{Receiver, channel};

use super::peer::{Body, PeerError};

/// Maximum number of received chunks that are not read yet.
const MAX_QUEUED_CHUNKS: usize = 16;

/// The bytes of a response as they arrive. It ends when the response ends or fails.
pub struct BodyReader {
    chunks: Receiver<Bytes>,
    chunk: Bytes,
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// Runs `read` over a response on a blocking thread. If this future is dropped, `read` meets the end of
/// the response.
///
/// # Errors
/// The error of the response if it failed, because it explains any error of `read`; else the error of
/// `read`, or [`PeerError::Interrupted`] if `read` panicked or the runtime is shutting down.
pub async fn read_blocking<T, E>(
    mut body: Body,
    read: impl FnOnce(BodyReader) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<PeerError> + Send + 'static,
{
    let (sender, chunks) = channel(MAX_QUEUED_CHUNKS);
    let reader = BodyReader {
        chunks,
        chunk: Bytes::new(),
    };
    let reading = tokio::task::spawn_blocking(move || read(reader));
    let pump = async move {
        while let Some(chunk) = body.next().await? {
            if sender.send(chunk).await.is_err() {
                // `read` returned without reading the rest.
                break;
            }
        }
        Ok::<_, PeerError>(())
    };
    let pumped = pump.await;
    let outcome = reading.await;
    pumped?;
    outcome.unwrap_or_else(|_| Err(PeerError::Interrupted.into()))
}
