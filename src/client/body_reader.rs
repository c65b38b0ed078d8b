//! Reads a long answer on a thread that may block, while it arrives.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc::{Receiver, channel};

use super::peer::{Body, PeerError};

/// Maximum pieces of an answer that wait to be read.
const PIECES: usize = 16;

/// The bytes of an answer as they arrive. It ends when the answer does, or breaks off.
pub struct BodyReader {
    pieces: Receiver<Bytes>,
    piece: Bytes,
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// Runs `read` over an answer. If this future is dropped, `read` meets the end of the answer.
///
/// # Errors
/// That of the answer if it broke off, for it explains whatever `read` made of the rest; else that
/// of `read`, or [`PeerError::Interrupted`] if it panicked or the runtime is shutting down.
pub async fn read_blocking<T, E>(
    mut body: Body,
    read: impl FnOnce(BodyReader) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<PeerError> + Send + 'static,
{
    let (sender, pieces) = channel(PIECES);
    let reader = BodyReader {
        pieces,
        piece: Bytes::new(),
    };
    let reading = tokio::task::spawn_blocking(move || read(reader));
    let pump = async move {
        while let Some(piece) = body.next().await? {
            if sender.send(piece).await.is_err() {
                // The reader has all it wants.
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
