//! `/api/v1/events`: blocks, reorgs, messages and neighbours as server-sent events.
//!
//! Each stream waits for commits on its own. After a commit it reads the new events from a view
//! ([`cursor`]) and sends them page by page, no faster than the client reads. The writer does not
//! know the streams, and the node keeps nothing for a disconnected client: the id of an event holds
//! everything needed to continue after it, even after a restart of the node.
//!
//! Neighbours are not in the store. A stream compares them with its last list at most once per
//! second ([`neighbours`]). These events have no id, and a client that reconnects does not receive
//! those it missed.

mod cursor;
mod neighbours;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, header};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use warp::http;
use warp::reply::{Reply, Response};
use warp::sse;

use self::cursor::{CursorStep, EventCursor};
use self::neighbours::NeighbourDiff;
use crate::api::admin::Caller;
use crate::api::context::Context;
use crate::api::fair_slots::FairSlot;
use crate::api::reject::ApiError;
use crate::node::{Node, Signal};
use crate::store::StoreError;
use crate::wire::Event;

/// Interval of keep-alive comments on a stream without events.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Delay before a client should reconnect.
const RETRY_DELAY: Duration = Duration::from_secs(2);

/// Delay after a commit, so that a stream reads a burst of commits at once.
const COMMIT_DELAY: Duration = Duration::from_millis(20);

/// `GET /events`.
pub(crate) fn open(
    context: &Context,
    caller: &Caller,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let slot = context.event_streams.acquire(caller);
    let slot = slot.map_err(|reason| ApiError::unavailable(reason.to_string()))?;
    let start = match headers.get("last-event-id").map(HeaderValue::to_str) {
        None => Start::Now,
        Some(id) => match id.ok().and_then(|id| id.parse().ok()) {
            Some(cursor) => Start::After(cursor),
            None => Start::Invalid,
        },
    };
    let event_stream = EventStream {
        signal: context.node.subscribe(),
        node: Arc::clone(&context.node),
        pages: Arc::clone(&context.pages),
        shutdown: context.shutdown.clone(),
        start,
        queue: VecDeque::new(),
        neighbour_diff: NeighbourDiff::new(context.node.peers.list()),
        is_caught_up: false,
        _slot: slot,
    };
    let events = stream::unfold(event_stream, EventStream::next).map(Ok::<_, Infallible>);
    let events = sse::keep_alive()
        .interval(KEEP_ALIVE_INTERVAL)
        .stream(events);
    let mut response = sse::reply(events).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A proxy would buffer events until there are more of them.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The position at which a stream begins.
#[derive(Clone, Debug)]
enum Start {
    /// The client is new.
    Now,
    /// The client has received everything up to this cursor.
    After(EventCursor),
    /// The client sent an invalid cursor.
    Invalid,
}

/// Reason why a stream that has sent everything wakes up.
enum Wake {
    /// There was a commit.
    Commit,
    /// It is time to compare the neighbours.
    Neighbours,
    /// The store failed or is closed.
    End,
}

/// One open stream.
struct EventStream {
    node: Arc<Node>,
    /// Limits the pages that are read at the same time: a commit wakes all streams at once.
    pages: Arc<Semaphore>,
    signal: watch::Receiver<Signal>,
    shutdown: CancellationToken,
    start: Start,
    queue: VecDeque<sse::Event>,
    neighbour_diff: NeighbourDiff,
    is_caught_up: bool,
    _slot: FairSlot,
}

impl EventStream {
    /// Returns the next event, or `None` when the node stops or the store fails.
    async fn next(mut self) -> Option<(sse::Event, Self)> {
        let shutdown = self.shutdown.clone();
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some((event, self));
            }
            let is_open = tokio::select! {
                is_open = self.advance() => is_open,
                () = shutdown.cancelled() => false,
            };
            if !is_open {
                return None;
            }
        }
    }

    /// Waits for new events and queues them. Returns `false` if there can be no more.
    async fn advance(&mut self) -> bool {
        if self.is_caught_up {
            match self.wait().await {
                Wake::Commit => {}
                Wake::Neighbours => return self.push_neighbours(),
                Wake::End => return false,
            }
        }
        self.signal.borrow_and_update();
        let start = self.start.clone();
        let is_new = matches!(start, Start::Now);
        let permit = Arc::clone(&self.pages).acquire_owned().await;
        let step = move |node: &Node| {
            let _permit = permit;
            read(node, start)
        };
        let step = match self.node.blocking(step).await {
            Ok(step) => step,
            Err(error) => {
                tracing::warn!(%error, "an event stream failed");
                return false;
            }
        };
        if is_new {
            // Without data it is not an event, but the client receives its first cursor.
            let opening = sse::Event::default().id(step.cursor.to_string());
            self.queue.push_back(opening.retry(RETRY_DELAY));
        }
        for (event, after) in step.events {
            if !self.push(&event, after.as_ref()) {
                return false;
            }
        }
        self.start = Start::After(step.cursor);
        self.is_caught_up = step.is_complete;
        true
    }

    /// Queues an event and the cursor after it. Returns `false` if the event cannot be serialized.
    fn push(&mut self, event: &Event, after: Option<&EventCursor>) -> bool {
        let Ok(data) = event.data() else {
            return false;
        };
        let mut sent = sse::Event::default().event(event.name()).data(data);
        if let Some(after) = after {
            sent = sent.id(after.to_string());
        }
        self.queue.push_back(sent);
        true
    }

    /// Queues the changes of the neighbours.
    fn push_neighbours(&mut self) -> bool {
        let changes = self.neighbour_diff.update(self.node.peers.list());
        let mut events = changes.into_iter().map(Event::Neighbour);
        events.all(|event| self.push(&event, None))
    }

    /// Waits for a commit, or until it is time to compare the neighbours.
    async fn wait(&mut self) -> Wake {
        tokio::select! {
            changed = self.signal.changed() => {
                if changed.is_err() || self.signal.borrow().failure.is_some() {
                    return Wake::End;
                }
                tokio::time::sleep(COMMIT_DELAY).await;
                Wake::Commit
            }
            () = self.neighbour_diff.wait() => Wake::Neighbours,
        }
    }
}

fn read(node: &Node, start: Start) -> Result<CursorStep, StoreError> {
    let view = node.view()?;
    match start {
        Start::Now => Ok(CursorStep {
            events: Vec::<(Event, _)>::new(),
            cursor: EventCursor::at_end(&view)?,
            is_complete: true,
        }),
        Start::After(cursor) => cursor.step(&view, node.clock().millis()),
        Start::Invalid => cursor::reset(&view),
    }
}
