//! PageEvent from the node, handed on to every open page.
//!
//! The node is followed once, however many pages are open. What is handed on says what happened,
//! not the content: a page that wants to know more asks for itself anew.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
use warp::http;
use warp::reply::{Reply, Response};
use warp::sse;

use super::error_page::ErrorPage;
use super::site::Site;
use crate::client::ClientError;
use crate::wire::Event;

/// PageEvent kept for a page that reads slowly; one that misses some is told to look anew.
const KEPT: usize = 256;

/// Most pages that are told at a time.
const PAGES: usize = 300;

/// How long to wait before a node that could not be followed is asked again.
const PAUSE: Duration = Duration::from_secs(2);

/// How long the node may be silent before its connection is taken for broken.
const SILENCE: Duration = Duration::from_secs(120);

/// How long to wait before a node that tells no news is asked again.
const SILENT_PAUSE: Duration = Duration::from_secs(30);

/// The name of the last news: none will follow.
const END: &str = "end";

/// How long a page may be told nothing.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a page is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct PageEvent {
    #[serde(skip)]
    name: &'static str,
    /// Of a block: its index. Of a reorg: the first index that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
}

/// Whether the node can be followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum RelayState {
    /// Not known yet.
    #[default]
    Unknown,
    Followed,
    /// It does not answer.
    Lost,
    /// It answers, but tells no news.
    Silent,
}

/// Where news comes in and goes out.
pub(super) struct Relay {
    news: broadcast::Sender<PageEvent>,
    reach: watch::Sender<RelayState>,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            news: broadcast::channel(KEPT).0,
            reach: watch::Sender::default(),
        }
    }
}

impl PageEvent {
    fn of(event: &Event) -> Self {
        let name = event.name();
        let index = match event {
            Event::Block(block) => Some(block.index),
            Event::Reorg(reorg) => Some(reorg.from),
            Event::Message(_) | Event::Neighbour(_) | Event::Reset => None,
        };
        Self { name, index }
    }

    const fn plain(name: &'static str) -> Self {
        Self { name, index: None }
    }

    fn event(&self) -> sse::Event {
        let event = sse::Event::default().event(self.name);
        event
            .json_data(self)
            .unwrap_or_else(|_| sse::Event::default().event("reset").data("{}"))
    }
}

impl Relay {
    fn tell(&self, news: PageEvent) {
        // Nobody may be listening.
        let _ = self.news.send(news);
    }

    fn set(&self, reach: RelayState) {
        let before = self.reach.send_replace(reach);
        if before == reach {
            return;
        }
        match reach {
            RelayState::Followed => self.tell(PageEvent::plain("reset")),
            RelayState::Lost => self.tell(PageEvent::plain("lost")),
            // Pages that listen already must look for themselves from now on.
            RelayState::Silent => self.tell(PageEvent::plain(END)),
            RelayState::Unknown => {}
        }
    }
}

/// Follows the node until the shutdown, and again after each failure.
pub(super) async fn follow(site: Arc<Site>, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        let reach = tokio::select! {
            reach = follow_once(&site) => reach,
            () = shutdown.cancelled() => return,
        };
        site.relay.set(reach);
        let pause = if reach == RelayState::Silent {
            SILENT_PAUSE
        } else {
            PAUSE
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

async fn follow_once(site: &Site) -> RelayState {
    let mut events = match site.client.events().await {
        Ok(events) => events,
        Err(ClientError::Unreachable { .. } | ClientError::TimedOut { .. }) => {
            return RelayState::Lost;
        }
        Err(_) => return RelayState::Silent,
    };
    site.relay.set(RelayState::Followed);
    while let Ok(Ok(Some(event))) = tokio::time::timeout(SILENCE, events.next()).await {
        site.relay.tell(PageEvent::of(&event));
    }
    // An answer that ended, a broken connection or silence: asked again at once it may be there.
    RelayState::Unknown
}

/// `GET /events`.
pub(super) fn get(site: &Arc<Site>) -> Result<Response, ErrorPage> {
    let relay = &site.relay;
    let refuse = |text| ErrorPage::new(StatusCode::SERVICE_UNAVAILABLE, "No news", text);
    // Before the look at the node, so that the end of its news cannot be missed in between.
    let receiver = relay.news.subscribe();
    if *relay.reach.borrow() == RelayState::Silent {
        return Err(refuse("The node tells no news; pages look for themselves."));
    }
    if relay.news.receiver_count() > PAGES {
        return Err(refuse(
            "Too many pages are open; this one looks for itself.",
        ));
    }
    let news = stream::unfold(receiver, |mut receiver| async move {
        let news = match receiver.recv().await {
            Ok(news) if news.name == END => return None,
            Ok(news) => news,
            Err(broadcast::error::RecvError::Lagged(_)) => PageEvent::plain("reset"),
            Err(broadcast::error::RecvError::Closed) => return None,
        };
        Some((Ok::<_, Infallible>(news.event()), receiver))
    });
    let news = sse::keep_alive()
        .interval(KEEP_ALIVE)
        .stream(news.take_until(Box::pin(site.closing())));
    let mut response = sse::reply(news).into_response();
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    // Proxies would keep the news back until there is more of it.
    let unbuffered = HeaderValue::from_static("no");
    response
        .headers_mut()
        .insert("x-accel-buffering", unbuffered);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;

    #[test]
    fn a_page_is_told_what_happened_and_no_text_of_the_chain() {
        let block = samples::block(7, "<script>alert(1)</script>");
        let news = PageEvent::of(&Event::Block(block));
        assert_eq!(serde_json::to_string(&news).unwrap(), "{\"index\":7}");
        assert_eq!(
            news.event().to_string(),
            "event:block\ndata:{\"index\":7}\n\n"
        );
        assert_eq!(
            PageEvent::of(&Event::Reset).event().to_string(),
            "event:reset\ndata:{}\n\n"
        );
    }

    #[test]
    fn pages_that_listen_to_a_silent_node_are_let_go() {
        let relay = Relay::default();
        let mut receiver = relay.news.subscribe();
        relay.set(RelayState::Silent);
        assert_eq!(receiver.try_recv(), Ok(PageEvent::plain(END)));
    }

    #[test]
    fn pages_are_told_when_the_node_is_lost_and_found() {
        let relay = Relay::default();
        let mut receiver = relay.news.subscribe();
        for reach in [RelayState::Lost, RelayState::Lost, RelayState::Followed] {
            relay.set(reach);
        }
        assert_eq!(receiver.try_recv(), Ok(PageEvent::plain("lost")));
        assert_eq!(receiver.try_recv(), Ok(PageEvent::plain("reset")));
        assert!(receiver.try_recv().is_err());
    }
}
