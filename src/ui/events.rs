//! `/events`: the stream of events for an open page, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use http::{HeaderValue, StatusCode, header};
use tokio::sync::broadcast::error::RecvError;
use warp::http;
use warp::reply::{Reply, Response};
use warp::sse;

use super::error_page::ErrorPage;
use super::relay::{NotSubscribed, PageEvent};
use super::site::Site;

/// Interval between keep-alive comments on an idle stream.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// `GET /events`.
pub(super) fn get(site: &Arc<Site>) -> Result<Response, ErrorPage> {
    let receiver = site.relay.subscribe().map_err(|reason| {
        let text = match reason {
            NotSubscribed::NoEvents => "The node has no event stream. Pages poll instead.",
            NotSubscribed::TooManyListeners => "Too many pages are open. This page polls instead.",
        };
        ErrorPage::new(StatusCode::SERVICE_UNAVAILABLE, "No live updates", text)
    })?;
    let events = stream::unfold(receiver, |mut receiver| async move {
        let event = match receiver.recv().await {
            Ok(PageEvent::END) | Err(RecvError::Closed) => return None,
            Ok(event) => event,
            Err(RecvError::Lagged(_)) => PageEvent::RESET,
        };
        Some((Ok::<_, Infallible>(sse_event(&event)), receiver))
    });
    let events = sse::keep_alive()
        .interval(KEEP_ALIVE_INTERVAL)
        .stream(events.take_until(Box::pin(site.closing())));
    let mut response = sse::reply(events).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Keeps nginx from buffering the stream.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn sse_event(event: &PageEvent) -> sse::Event {
    sse::Event::default()
        .event(event.name)
        .json_data(event)
        .unwrap_or_else(|_| sse::Event::default().event("reset").data("{}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;
    use crate::wire::Event;

    #[test]
    fn page_events_carry_no_message_text() {
        let block = samples::block(7, "<script>alert(1)</script>");
        let event = sse_event(&PageEvent::of(&Event::Block(block)));
        assert_eq!(event.to_string(), "event:block\ndata:{\"index\":7}\n\n");
        let reset = sse_event(&PageEvent::of(&Event::Reset));
        assert_eq!(reset.to_string(), "event:reset\ndata:{}\n\n");
    }
}
