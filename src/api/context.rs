//! The state that all handlers share: the node, and the limits of what may be in progress.

use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use warp::reply::Response;

use super::admin::Caller;
use super::fair_slots::{FairSlot, FairSlots, NoSlot};
use super::reject::ApiError;
use super::request_metrics::RequestMetrics;
use crate::http::ConnectionPool;
use crate::node::Node;
use crate::store::StoreError;

/// Maximum number of responses that are streamed at the same time.
const MAX_STREAMS: usize = 16;

/// Maximum number of pages that are read and rendered at the same time. Each takes a few times its
/// own length of memory.
const MAX_PAGES_IN_FLIGHT: usize = 4;

/// Maximum number of open event streams.
const MAX_EVENT_STREAMS: usize = 64;

/// Maximum number of searches at the same time: two for the explorer and one for another client.
const MAX_SEARCHES: usize = 3;

/// Maximum number of long responses that are rendered or queued, so that they do not take all
/// connections.
const MAX_LONG_RESPONSES: usize = 32;

/// The permit to stream one response.
#[derive(Debug)]
pub(crate) struct StreamPermit {
    _slot: FairSlot,
    /// Limits the pages that all streams render at the same time.
    pub(crate) pages: Arc<Semaphore>,
}

/// The state that all handlers share. Cheap to clone, because every request clones it several times.
#[derive(Clone)]
pub(crate) struct Context(Arc<ContextInner>);

impl Deref for Context {
    type Target = ContextInner;

    fn deref(&self) -> &ContextInner {
        &self.0
    }
}

/// The fields of a [`Context`].
pub(crate) struct ContextInner {
    pub(crate) node: Arc<Node>,
    streams: FairSlots,
    pub(crate) event_streams: FairSlots,
    pub(crate) searches: FairSlots,
    long_responses: FairSlots,
    /// Limits the pages that are rendered at the same time, so that short requests are not delayed.
    pub(crate) pages: Arc<Semaphore>,
    pub(crate) request_metrics: Arc<RequestMetrics>,
    pub(crate) connections: ConnectionPool,
    /// Ends the event streams, which would otherwise never end.
    pub(crate) shutdown: CancellationToken,
}

impl Context {
    pub(super) fn new(node: Arc<Node>, shutdown: CancellationToken) -> Self {
        Self(Arc::new(ContextInner {
            node,
            streams: FairSlots::new(MAX_STREAMS, "streamed responses"),
            event_streams: FairSlots::new(MAX_EVENT_STREAMS, "event streams"),
            searches: FairSlots::new(MAX_SEARCHES, "searches"),
            long_responses: FairSlots::new(MAX_LONG_RESPONSES, "long responses"),
            pages: Arc::new(Semaphore::new(page_permits())),
            request_metrics: Arc::default(),
            connections: ConnectionPool::default(),
            shutdown,
        }))
    }

    /// Acquires the permit to stream one response.
    ///
    /// # Errors
    /// [`NoSlot`] if no slot is free for this client.
    pub(super) fn stream_permit(&self, caller: &Caller) -> Result<StreamPermit, NoSlot> {
        Ok(StreamPermit {
            _slot: self.streams.acquire(caller)?,
            pages: Arc::clone(&self.pages),
        })
    }

    /// Renders a long response on a blocking thread, once a page permit is free.
    ///
    /// # Errors
    /// [`ApiError`] if no slot is free for this client, or the store fails.
    pub(crate) async fn long_response(
        &self,
        caller: &Caller,
        render: impl FnOnce(&Node) -> Result<Response, StoreError> + Send + 'static,
    ) -> Result<Response, ApiError> {
        let slot = self.long_responses.acquire(caller);
        let slot = slot.map_err(|reason| ApiError::unavailable(reason.to_string()))?;
        let permit = Arc::clone(&self.pages).acquire_owned().await;
        let response = self.node.blocking(move |node| {
            // Both are held until the rendering ends, even if the client disconnects before.
            let _held = (slot, permit);
            render(node)
        });
        Ok(response.await?)
    }
}

fn page_permits() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).clamp(1, MAX_PAGES_IN_FLIGHT)
}
