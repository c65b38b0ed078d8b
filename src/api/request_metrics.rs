//! Counters of the requests that the API served.

use std::time::Instant;

use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use warp::http;

use super::paths;

/// Counters of requests, by route, method and status.
#[derive(Debug)]
pub(crate) struct RequestMetrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    panics: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
    method: &'static str,
}

/// A request in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InFlightRequest {
    labels: (&'static str, &'static str),
    started: Instant,
}

impl Default for RequestMetrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(durations),
            panics: Counter::default(),
        }
    }
}

/// Returns a histogram with buckets from 0.1 ms to 1.6 s.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(1e-4, 4.0, 8))
}

impl RequestMetrics {
    /// Starts to time a request. Unknown paths share one label, so that clients cannot create labels.
    pub(crate) fn begin<B>(request: &http::Request<B>) -> InFlightRequest {
        let route = paths::find(request.uri().path()).map_or("other", |path| path.template);
        let method = match *request.method() {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::POST => "POST",
            Method::PUT => "PUT",
            Method::DELETE => "DELETE",
            Method::OPTIONS => "OPTIONS",
            _ => "other",
        };
        InFlightRequest {
            labels: (route, method),
            started: Instant::now(),
        }
    }

    /// Records the response to a request. A streamed response is recorded when it begins.
    pub(crate) fn end(&self, request: InFlightRequest, status: StatusCode) {
        let (route, method) = request.labels;
        let labels = RequestLabels {
            route,
            method,
            status: status.as_u16(),
        };
        self.requests.get_or_create(&labels).inc();
        let duration = request.started.elapsed().as_secs_f64();
        let labels = RouteLabels { route, method };
        self.durations.get_or_create(&labels).observe(duration);
    }

    /// Records that a handler panicked.
    pub(crate) fn record_panic(&self) {
        self.panics.inc();
    }

    /// Returns the number of handlers that panicked.
    #[cfg(test)]
    pub(crate) fn panics(&self) -> u64 {
        self.panics.get()
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "http_requests",
            "Number of requests answered",
            self.requests.clone(),
        );
        registry.register(
            "http_handler_panics",
            "Number of requests answered with 500 because their handler panicked",
            self.panics.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "Time from the head of a request to the head of its response",
            Unit::Seconds,
            self.durations.clone(),
        );
    }
}
