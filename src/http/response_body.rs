//! The body of an answer; with its end the server is done with the request.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};

use super::pool::SlotGuard;

/// The body of an answer, as it is sent.
#[derive(Debug)]
pub(super) struct TrackedResponseBody<B> {
    body: B,
    slot: Arc<SlotGuard>,
}

impl<B: Body> TrackedResponseBody<B> {
    pub(super) fn new(body: B, is_head: bool, slot: Arc<SlotGuard>) -> Self {
        slot.set_server_busy(true);
        // What is streamed is made as it is read, and a HEAD is answered without it.
        let bytes = body.size_hint().exact().filter(|_| !is_head);
        slot.answers(bytes.unwrap_or(0));
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
    async fn who_is_answered_stays_and_the_next_one_waits() {
        let connections = ConnectionPool::with_slots(1);
        let slot = Arc::new(connections.acquire().await);
        slot.listened();
        let answer = TrackedResponseBody::new(String::new(), false, Arc::clone(&slot));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let mut next = Box::pin(connections.acquire());
        assert!(next.as_mut().now_or_never().is_none());
        drop(answer);
        next.await;
        slot.cut().await;
    }
}
