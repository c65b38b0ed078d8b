//! The network between simulated nodes: requests arrive late, twice or never.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};
use warp::http;

use blockchain::api::server::answerer;
use blockchain::client::NodeAddress;
use blockchain::client::transport::{
    Method, Request, Transport, TransportError, TransportResponse,
};
use blockchain::node::Node;

use crate::support::random::SeededRng;

type Answerer = Box<dyn Fn(SocketAddr, http::Request<Bytes>) -> BoxFuture<'static, Reply> + Send>;
type Reply = warp::reply::Response;

/// Faults of the network.
#[derive(Clone, Debug, Default)]
pub(crate) struct NetworkFaults {
    /// Percentage of requests, and of responses, that are lost.
    pub(crate) lost: u64,
    /// Percentage of requests that arrive twice.
    pub(crate) duplicated: u64,
    /// Maximum delay of a request, in milliseconds.
    pub(crate) delay: u64,
    /// Nodes that cannot reach the others.
    pub(crate) partition: BTreeSet<usize>,
}

/// A network. All clones share it.
#[derive(Clone)]
pub(crate) struct Network(Arc<Mutex<Inner>>);

struct Inner {
    rng: SeededRng,
    faults: NetworkFaults,
    nodes: Vec<Option<Answerer>>,
    begun: Instant,
    trace: Sha256,
    requests: u64,
    bytes: u64,
}

/// Counters of a network.
pub(crate) struct Traffic {
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    pub(crate) trace: String,
}

impl Network {
    pub(crate) fn new(nodes: usize, rng: SeededRng) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            rng,
            faults: NetworkFaults::default(),
            nodes: (0..nodes).map(|_| None).collect(),
            begun: Instant::now(),
            trace: Sha256::new(),
            requests: 0,
            bytes: 0,
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub(crate) fn set_weather(&self, faults: NetworkFaults) {
        self.inner().faults = faults;
    }

    /// Sets the node at an address, or removes it.
    pub(crate) fn attach(&self, number: usize, node: Option<Arc<Node>>) {
        self.inner().nodes[number] = node.map(|node| Box::new(answerer(node)) as Answerer);
    }

    /// Records an event that must be the same in the next run.
    pub(crate) fn note(&self, what: &str) {
        let mut inner = self.inner();
        let at = inner.begun.elapsed().as_micros();
        inner.trace.update(format!("{at} {what}\n"));
    }

    pub(crate) fn traffic(&self) -> Traffic {
        let inner = self.inner();
        Traffic {
            requests: inner.requests,
            bytes: inner.bytes,
            trace: hex::encode(inner.trace.clone().finalize()),
        }
    }

    /// Returns the transport of one node.
    pub(crate) fn transport(&self, from: usize) -> Arc<dyn Transport> {
        Arc::new(Link {
            network: self.clone(),
            from,
        })
    }

    fn time_on_the_way(&self) -> Duration {
        let mut inner = self.inner();
        let most = inner.faults.delay.max(1);
        Duration::from_millis(1 + inner.rng.below(most))
    }

    fn happens(&self, chance: impl Fn(&NetworkFaults) -> u64) -> bool {
        let mut inner = self.inner();
        let chance = chance(&inner.faults);
        inner.rng.below(100) < chance
    }
}

/// The address of a node.
pub(crate) fn address(number: usize) -> NodeAddress {
    NodeAddress::new(&ip(number).to_string(), 12345).unwrap()
}

fn ip(number: usize) -> IpAddr {
    let [.., high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 0, high, low).into()
}

fn number(address: &NodeAddress) -> usize {
    match address.ip() {
        Some(IpAddr::V4(ip)) => {
            let [.., high, low] = ip.octets();
            usize::from(u16::from_be_bytes([high, low]))
        }
        _ => panic!("{address} is not in this network"),
    }
}

struct Link {
    network: Network,
    from: usize,
}

impl Transport for Link {
    fn send(
        &self,
        request: Request,
    ) -> BoxFuture<'static, Result<TransportResponse, TransportError>> {
        let (network, from) = (self.network.clone(), self.from);
        async move {
            let to = number(&request.to);
            network.note(&format!("{from} {to} {}", request.path));
            sleep(network.time_on_the_way()).await;
            if network.happens(|faults| faults.lost) {
                // No response comes, so the sender must time out.
                return std::future::pending().await;
            }
            if network.happens(|faults| faults.duplicated) {
                let again = network.response(from, to, &request);
                tokio::spawn(async move {
                    if let Some(response) = again {
                        response.await;
                    }
                });
            }
            let response = network.response(from, to, &request);
            let response = response.ok_or("connection refused")?.await;
            let status = response.status().as_u16();
            let body = collect(response.into_body()).await;
            network.inner().bytes += body.len() as u64;
            sleep(network.time_on_the_way()).await;
            if network.happens(|faults| faults.lost) {
                return std::future::pending().await;
            }
            Ok(TransportResponse {
                status,
                length: Some(body.len() as u64),
                body: stream::iter([Ok(body)]).boxed(),
            })
        }
        .boxed()
    }
}

impl Network {
    fn response(
        &self,
        from: usize,
        to: usize,
        request: &Request,
    ) -> Option<BoxFuture<'static, Reply>> {
        let mut inner = self.inner();
        inner.requests += 1;
        inner.bytes += request.body.len() as u64;
        if inner.faults.partition.contains(&from) != inner.faults.partition.contains(&to) {
            return None;
        }
        let answerer = inner.nodes[to].as_ref()?;
        let method = match request.method {
            Method::Get => http::Method::GET,
            Method::Head => http::Method::HEAD,
            Method::Post => http::Method::POST,
        };
        let mut sent = http::Request::builder().method(method).uri(&request.path);
        for (name, value) in &request.headers {
            sent = sent.header(*name, value);
        }
        let sent = sent.body(Bytes::from(request.body.clone())).unwrap();
        Some(answerer(SocketAddr::new(ip(from), 40000), sent))
    }
}

/// The whole body of a response.
pub(crate) async fn collect(body: impl http_body::Body<Data = Bytes>) -> Bytes {
    let mut body = std::pin::pin!(body);
    let mut bytes = Vec::new();
    while let Some(Ok(frame)) =
        std::future::poll_fn(|context| Pin::as_mut(&mut body).poll_frame(context)).await
    {
        bytes.extend(frame.into_data().unwrap_or_default());
    }
    bytes.into()
}
