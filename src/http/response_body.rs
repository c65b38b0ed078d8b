//! A response body that restarts the idle timer of its connection at its end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};

use super::pool::SlotGuard;

/// A response body as it is sent. When it is dropped, the server waits for the client again.
#[derive(Debug)]
pub(super) struct TrackedResponseBody<B> {
    body: B,
    slot: Arc<SlotGuard>,
}

impl<B: Body> TrackedResponseBody<B> {
    /// Tracks a body that keeps this many bytes in memory until they are sent.
    pub(super) fn new(body: B, held_bytes: u64, slot: Arc<SlotGuard>) -> Self {
        slot.set_server_busy(true);
        slot.record_response(held_bytes);
        Self { body, slot }
    }
}

impl<B: Body + Unpin> Body for TrackedResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for TrackedResponseBody<B> {
    fn drop(&mut self) {
        self.slot.set_server_busy(false);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::http::pool::ConnectionPool;

    #[tokio::test]
    async fn a_connection_is_not_evicted_while_the_server_responds() {
        let connections = ConnectionPool::with_slots(1);
        let slot = Arc::new(connections.acquire([127, 0, 0, 1].into()).await);
        slot.record_read();
        let response = TrackedResponseBody::new(String::new(), 0, Arc::clone(&slot));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let mut next = Box::pin(connections.acquire([127, 0, 0, 1].into()));
        assert!(next.as_mut().now_or_never().is_none());
        drop(response);
        next.await;
        slot.evicted().await;
    }
}
