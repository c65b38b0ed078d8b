//! The event relay: follows the node's event stream once and broadcasts it to all open pages.
//!
//! A page event names what happened and contains no message text. A page that needs more requests
//! itself again.

use std::time::Duration;

use serde::Serialize;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::client::{ClientError, Events, HttpClient};
use crate::wire::Event;

/// Events buffered for a slow page. A page that falls further behind is told to reload.
const EVENT_BUFFER: usize = 256;

/// Maximum number of pages that receive events at the same time.
const MAX_LISTENERS: usize = 300;

/// Delay before the relay connects to the node again.
const RECONNECT_DELAY: Duration = Duration::from_secs(2);

/// Delay before a node without an event stream is tried again.
const UNSUPPORTED_RETRY_DELAY: Duration = Duration::from_secs(30);

/// An event for a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct PageEvent {
    /// The SSE event name.
    #[serde(skip)]
    pub(super) name: &'static str,
    /// Index of the new block, or first block index that a reorg changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u64>,
}

impl PageEvent {
    /// The page must reload its content.
    pub(super) const RESET: Self = Self::named("reset");
    /// The node is unreachable.
    const LOST: Self = Self::named("lost");
    /// The last event of a stream. It is not sent to the page.
    pub(super) const END: Self = Self::named("end");

    const fn named(name: &'static str) -> Self {
        Self { name, index: None }
    }

    pub(super) fn of(event: &Event) -> Self {
        let name = event.name();
        let index = match event {
            Event::Block(block) => Some(block.index),
            Event::Reorg(reorg) => Some(reorg.from),
            Event::Message(_) | Event::Neighbour(_) | Event::Reset => None,
        };
        Self { name, index }
    }
}

/// State of the connection to the node's event stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum RelayState {
    /// Not connected yet, or about to connect again.
    #[default]
    Connecting,
    Connected,
    /// The node does not respond.
    Unreachable,
    /// The node responds but has no event stream, or the relay stopped.
    NoEvents,
}

/// Broadcasts the node's events to open pages.
pub(super) struct Relay {
    events: broadcast::Sender<PageEvent>,
    state: watch::Sender<RelayState>,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            events: broadcast::channel(EVENT_BUFFER).0,
            state: watch::Sender::default(),
        }
    }
}

/// The reason why a page receives no events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotSubscribed {
    NoEvents,
    TooManyListeners,
}

impl Relay {
    /// Subscribes a page to events.
    pub(super) fn subscribe(&self) -> Result<broadcast::Receiver<PageEvent>, NotSubscribed> {
        // Subscribes before it reads the state, so that the page cannot miss `END` in between.
        let receiver = self.events.subscribe();
        if *self.state.borrow() == RelayState::NoEvents {
            return Err(NotSubscribed::NoEvents);
        }
        if self.events.receiver_count() > MAX_LISTENERS {
            return Err(NotSubscribed::TooManyListeners);
        }
        Ok(receiver)
    }

    /// Follows the node until shutdown and reconnects after each failure.
    pub(super) async fn run(&self, client: &HttpClient, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            let state = tokio::select! {
                state = self.follow(client) => state,
                () = shutdown.cancelled() => return,
            };
            self.set_state(state);
            let delay = if state == RelayState::NoEvents {
                UNSUPPORTED_RETRY_DELAY
            } else {
                RECONNECT_DELAY
            };
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    /// Ends all page streams and accepts no new ones.
    pub(super) fn stop(&self) {
        self.set_state(RelayState::NoEvents);
    }

    /// Broadcasts one connection's events and returns the state after it.
    async fn follow(&self, client: &HttpClient) -> RelayState {
        let mut events = match client.events().await {
            Ok(events) => events,
            Err(ClientError::Unreachable { .. } | ClientError::TimedOut { .. }) => {
                return RelayState::Unreachable;
            }
            Err(_) => return RelayState::NoEvents,
        };
        self.set_state(RelayState::Connected);
        self.broadcast_all(&mut events).await;
        // The node may respond to the next attempt.
        RelayState::Connecting
    }

    /// Broadcasts the events of a stream until it ends, breaks or falls silent.
    async fn broadcast_all(&self, events: &mut Events) {
        while let Ok(Some(event)) = events.next().await {
            self.broadcast(PageEvent::of(&event));
        }
    }

    fn set_state(&self, state: RelayState) {
        if self.state.send_replace(state) == state {
            return;
        }
        match state {
            RelayState::Connected => self.broadcast(PageEvent::RESET),
            RelayState::Unreachable => self.broadcast(PageEvent::LOST),
            RelayState::NoEvents => self.broadcast(PageEvent::END),
            RelayState::Connecting => {}
        }
    }

    fn broadcast(&self, event: PageEvent) {
        // Sending fails only if no page is open.
        let _ = self.events.send(event);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn streams_end_when_the_node_has_no_events() {
        let relay = Relay::default();
        let mut receiver = relay.subscribe().unwrap();
        relay.set_state(RelayState::NoEvents);
        assert_eq!(receiver.try_recv(), Ok(PageEvent::END));
        assert_eq!(relay.subscribe().unwrap_err(), NotSubscribed::NoEvents);
    }

    /// Returns an event stream without an event for this time, kept alive by comments or not, and
    /// then with one event.
    async fn quiet_stream(quiet: Duration, is_kept_alive: bool) -> Events {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            stream.write_all(head).await.unwrap();
            let end = Instant::now() + quiet;
            while Instant::now() < end {
                tokio::time::sleep(Duration::from_secs(15)).await;
                if is_kept_alive {
                    stream.write_all(b":\n\n").await.unwrap();
                }
            }
            let _ = stream.write_all(b"event: reset\ndata: {}\n\n").await;
        });
        let client = HttpClient::new(address.to_string().parse().unwrap()).unwrap();
        client.events().await.unwrap()
    }

    #[tokio::test]
    async fn a_quiet_event_stream_is_followed_while_it_is_kept_alive() {
        let mut events = quiet_stream(Duration::from_secs(600), true).await;
        tokio::time::pause();
        let relay = Relay::default();
        let mut receiver = relay.subscribe().unwrap();
        relay.broadcast_all(&mut events).await;
        assert_eq!(receiver.try_recv(), Ok(PageEvent::RESET));
    }

    #[tokio::test]
    async fn a_silent_event_stream_is_given_up() {
        let mut events = quiet_stream(Duration::from_secs(600), false).await;
        tokio::time::pause();
        let begin = Instant::now();
        let relay = Relay::default();
        let mut receiver = relay.subscribe().unwrap();
        relay.broadcast_all(&mut events).await;
        assert!(begin.elapsed() < Duration::from_secs(100));
        assert!(receiver.try_recv().is_err());
    }

    #[test]
    fn pages_learn_when_the_node_is_lost_and_found() {
        let relay = Relay::default();
        let mut receiver = relay.subscribe().unwrap();
        for state in [
            RelayState::Unreachable,
            RelayState::Unreachable,
            RelayState::Connected,
        ] {
            relay.set_state(state);
        }
        assert_eq!(receiver.try_recv(), Ok(PageEvent::LOST));
        assert_eq!(receiver.try_recv(), Ok(PageEvent::RESET));
        assert!(receiver.try_recv().is_err());
    }
}
