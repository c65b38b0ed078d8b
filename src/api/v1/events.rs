//! `/api/v1/events`: what happens, as it happens, as server-sent events.
//!
//! Each stream follows the commits by itself: woken by one, it reads what is new from a view
//! ([`cursor`]) and sends it, a page at a time, no faster than the client reads. The writer knows
//! nothing of clients, and for a client that is gone nothing is kept: the id of an event says all
//! that is needed to go on after it, also on another run of the node.
//!
//! Neighbours are not in the store: a stream looks at most once a second what is different about
//! them ([`neighbours`]). These events have no id, and a client that comes back is not told what it
//! missed.

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

use self::cursor::{EventCursor, Step};
use self::neighbours::NeighbourDiff;
use crate::api::admin::Caller;
use crate::api::fair_slots::Slot;
use crate::api::reject::ApiError;
use crate::api::server::Context;
use crate::node::{Node, Signal};
use crate::store::StoreError;
use crate::wire::Event;

/// How long a stream may be silent.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a client should wait before it comes back.
const RETRY: Duration = Duration::from_secs(2);

/// How long a stream waits for what a burst of commits brings, so that it reads once for many.
const GATHER: Duration = Duration::from_millis(20);

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
            None => Start::Unknown,
        },
    };
    let listener = EventStream {
        signal: context.node.subscribe(),
        node: Arc::clone(&context.node),
        pages: Arc::clone(&context.pages),
        shutdown: context.shutdown.clone(),
        start,
        waiting: VecDeque::new(),
        neighbour_diff: NeighbourDiff::new(context.node.peers.list()),
        is_told_all: false,
        _slot: slot,
    };
    let events = stream::unfold(listener, EventStream::next).map(Ok::<_, Infallible>);
    let events = sse::keep_alive().interval(KEEP_ALIVE).stream(events);
    let mut response = sse::reply(events).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A proxy would keep events back until there are more of them.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// Where to begin.
#[derive(Clone, Debug)]
enum Start {
    /// The client is new.
    Now,
    /// The client has been told everything up to here.
    After(EventCursor),
    /// The client names a place nobody knows.
    Unknown,
}

/// Why a stream that told everything goes on.
enum Woken {
    /// There was a commit.
    Commit,
    /// The neighbours may be different.
    Neighbours,
    /// There will be nothing any more.
    End,
}

/// One open stream.
struct EventStream {
    node: Arc<Node>,
    /// Where each of its pages waits for its turn: one commit wakes all listeners at once.
    pages: Arc<Semaphore>,
    signal: watch::Receiver<Signal>,
    shutdown: CancellationToken,
    start: Start,
    waiting: VecDeque<sse::Event>,
    neighbour_diff: NeighbourDiff,
    is_told_all: bool,
    _slot: Slot,
}

impl EventStream {
    /// The next event; none when the node stops or the store fails.
    async fn next(mut self) -> Option<(sse::Event, Self)> {
        let shutdown = self.shutdown.clone();
        loop {
            if let Some(event) = self.waiting.pop_front() {
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

    /// Waits until there may be something new and reads it. Says whether there may be more.
    async fn advance(&mut self) -> bool {
        if self.is_told_all {
            match self.wait().await {
                Woken::Commit => {}
                Woken::Neighbours => return self.neighbours(),
                Woken::End => return false,
            }
        }
        self.signal.borrow_and_update();
        let start = self.start.clone();
        let is_new = matches!(start, Start::Now);
        let turn = Arc::clone(&self.pages).acquire_owned().await;
        let step = move |node: &Node| {
            let _turn = turn;
            read(node, start)
        };
        let step = match self.node.blocking(step).await {
            Ok(step) => step,
            Err(error) => {
                tracing::warn!(%error, "a stream of events ends");
                return false;
            }
        };
        if is_new {
            // Without data it is no event, but the client learns where it is.
            let opening = sse::Event::default().id(step.cursor.to_string());
            self.waiting.push_back(opening.retry(RETRY));
        }
        for (event, after) in step.events {
            if !self.push(&event, after.as_ref()) {
                return false;
            }
        }
        self.start = Start::After(step.cursor);
        self.is_told_all = step.is_all;
        true
    }

    /// Tells an event and where the client is after it; false if it cannot be told.
    fn push(&mut self, event: &Event, after: Option<&EventCursor>) -> bool {
        let Ok(data) = event.data() else {
            return false;
        };
        let mut told = sse::Event::default().event(event.name()).data(data);
        if let Some(after) = after {
            told = told.id(after.to_string());
        }
        self.waiting.push_back(told);
        true
    }

    /// Tells what is different about the neighbours.
    fn neighbours(&mut self) -> bool {
        let news = self.neighbour_diff.look(self.node.peers.list());
        let mut news = news.into_iter().map(Event::Neighbour);
        news.all(|event| self.push(&event, None))
    }

    /// Waits for a commit, or until it is time to look at the neighbours.
    async fn wait(&mut self) -> Woken {
        tokio::select! {
            changed = self.signal.changed() => {
                if changed.is_err() || self.signal.borrow().failure.is_some() {
                    return Woken::End;
                }
                tokio::time::sleep(GATHER).await;
                Woken::Commit
            }
            () = self.neighbour_diff.pause() => Woken::Neighbours,
        }
    }
}

fn read(node: &Node, start: Start) -> Result<Step, StoreError> {
    let view = node.view()?;
    match start {
        Start::Now => Ok(Step {
            events: Vec::<(Event, _)>::new(),
            cursor: EventCursor::at_end(&view)?,
            is_all: true,
        }),
        Start::After(cursor) => cursor.step(&view, node.clock().millis()),
        Start::Unknown => cursor::reset(&view),
    }
}
