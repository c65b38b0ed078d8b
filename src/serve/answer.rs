//! The body of an answer; with its end the server is done with the request.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};

use super::connections::Place;

/// The body of an answer, as it is sent.
#[derive(Debug)]
pub(super) struct Answer<B> {
    body: B,
    place: Arc<Place>,
}

impl<B: Body> Answer<B> {
    pub(super) fn new(body: B, is_head: bool, place: Arc<Place>) -> Self {
        place.is_at_work(true);
        // What is streamed is made as it is read, and a HEAD is answered without it.
        let bytes = body.size_hint().exact().filter(|_| !is_head);
        place.answers(bytes.unwrap_or(0));
        Self { body, place }
    }
}

impl<B: Body + Unpin> Body for Answer<B> {
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

impl<B> Drop for Answer<B> {
    fn drop(&mut self) {
        self.place.is_at_work(false);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::serve::connections::Connections;

    #[tokio::test]
    async fn who_is_answered_stays_and_the_next_one_waits() {
        let connections = Connections::with_places(1);
        let place = Arc::new(connections.place().await);
        place.listened();
        let answer = Answer::new(String::new(), false, Arc::clone(&place));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let mut next = Box::pin(connections.place());
        assert!(next.as_mut().now_or_never().is_none());
        drop(answer);
        next.await;
        place.cut().await;
    }
}
