//! A request body that stops the idle timer of its connection at its end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::pool::SlotGuard;

/// A request body as it arrives. At its end the server no longer waits for the client.
#[derive(Debug)]
pub struct TrackedRequestBody<B = Incoming> {
    body: B,
    slot: Arc<SlotGuard>,
}

impl<B: Body> TrackedRequestBody<B> {
    pub(super) fn new(body: B, slot: Arc<SlotGuard>) -> Self {
        Self { body, slot }
    }
}

impl<B: Body + Unpin> Body for TrackedRequestBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.slot.set_server_busy(true);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::http::pool::ConnectionPool;

    /// A body of unknown length.
    struct Chunked(String);

    impl Body for Chunked {
        type Data = <String as Body>::Data;
        type Error = <String as Body>::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
            Pin::new(&mut self.0).poll_frame(cx)
        }
    }

    /// Returns `true` if the only slot can be acquired again after reading `frames` frames of a body.
    async fn is_evictable(body: impl Body + Unpin, frames: usize) -> bool {
        let connections = ConnectionPool::with_slots(1);
        let slot = Arc::new(connections.acquire([127, 0, 0, 1].into()).await);
        slot.set_server_busy(body.is_end_stream());
        let mut body = TrackedRequestBody::new(body, Arc::clone(&slot));
        for _ in 0..frames {
            std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        connections
            .acquire([127, 0, 0, 1].into())
            .now_or_never()
            .is_some()
    }

    #[tokio::test]
    async fn a_client_that_has_sent_the_whole_body_keeps_its_slot() {
        assert!(!is_evictable(String::new(), 0).await);
        let sized = || "body".to_owned();
        assert!(is_evictable(sized(), 0).await);
        assert!(!is_evictable(sized(), 1).await);
        let chunked = || Chunked("body".to_owned());
        assert!(is_evictable(chunked(), 1).await);
        assert!(!is_evictable(chunked(), 2).await);
    }
}
