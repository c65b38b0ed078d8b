//! A disk that stalls: the responses to additions, the tasks of the node, and the size of the queue
//! of the writer.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::Value;
use warp::http::Request;
use warp::reply::Response;

use blockchain::api::server::answerer;
use blockchain::chain::{Block, Message, MessageId};
use blockchain::clock::SystemClock;
use blockchain::node::settings::{PeerSettings, ProofMode, Settings};
use blockchain::node::{Executor, Node, SignalPublisher};
use blockchain::store::{
    Addition, NeighbourRecord, NeighbourStatus, Operation, SnapshotRecord, Store, StoreError,
};

use crate::simulation::network::collect;
use crate::support::chain::{ChainBuilder, OPEN_NETWORK, ProofKind};
use crate::support::random::SeededRng;
use crate::support::simulated_disk::{Disk, Errno, Fault};

/// Maximum number of bytes of texts in the queue and in the current commit.
const HELD: usize = (64 + 32 + 1) << 20;

/// A node that does not mine, on a disk that can stall, and its API.
struct Stalling {
    disk: Disk,
    node: Arc<Node>,
    api: Box<dyn Fn(std::net::SocketAddr, Request<Bytes>) -> BoxFuture<'static, Response>>,
}

impl Stalling {
    fn start() -> Self {
        let disk = Disk::default();
        let signals = SignalPublisher::default();
        let genesis = Block::default_genesis();
        let store =
            Store::with_backend(disk.clone(), &genesis, OPEN_NETWORK, signals.listener()).unwrap();
        let settings = Settings {
            threads: None,
            proof: ProofMode::Sealed,
            snapshot: None,
            peers: PeerSettings::default(),
            add_rate: None,
        };
        let node = Arc::new(
            Node::new(
                store,
                signals,
                settings,
                Arc::new(SystemClock),
                Executor::Pool,
            )
            .unwrap(),
        );
        let api = Box::new(answerer(Arc::clone(&node)));
        Self { disk, node, api }
    }

    /// Status and body of a response.
    async fn ask(&self, method: &str, target: &str, key: Option<&str>, body: &str) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(target);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Bytes::from(body.to_owned())).unwrap();
        let remote = ([127, 0, 0, 1], 1).into();
        let response = (self.api)(remote, request).await;
        let status = response.status().as_u16();
        let body = collect(response.into_body()).await;
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn post(&self, text: &str, key: Option<&str>) -> (u16, Value) {
        let body = serde_json::json!({"message": text}).to_string();
        self.ask("POST", "/api/v1/messages", key, &body).await
    }

    async fn message(&self, id: &str) -> (u16, Value) {
        self.ask("GET", &format!("/api/v1/messages/{id}"), None, "")
            .await
    }
}

impl Drop for Stalling {
    /// A failed test must not wait for the disk indefinitely.
    fn drop(&mut self) {
        self.disk.resume();
    }
}

/// Expects an unknown outcome and returns the id that it names.
#[track_caller]
fn unknown((status, body): (u16, Value)) -> String {
    assert_eq!(
        (status, &body["error"]["code"]),
        (503, &"outcome_unknown".into()),
        "{body}"
    );
    body["error"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_unknown_outcome_names_the_id_under_which_the_message_is_kept() {
    let stalling = Stalling::start();
    stalling.disk.stall();
    // The stalled disk delays every response, so every timeout expires.
    tokio::time::pause();
    let first = unknown(stalling.post("text", Some("key")).await);
    for _ in 0..3 {
        assert_eq!(unknown(stalling.post("text", Some("key")).await), first);
        let put = stalling
            .ask("PUT", "/add?message=text", Some("key"), "")
            .await;
        assert_eq!(unknown(put), first);
    }
    let other = unknown(stalling.post("text", Some("other key")).await);
    let without = unknown(stalling.post("text", None).await);
    let another = unknown(stalling.post("another text", Some("key")).await);
    for id in [&first, &other, &without, &another] {
        assert_eq!(unknown(stalling.message(id).await), *id);
    }
    assert_eq!(stalling.message(&"0".repeat(32)).await.0, 404);
    tokio::time::resume();
    stalling.disk.resume();
    assert_eq!(stalling.post("last", None).await.0, 201);
    let (status, posted) = stalling.post("text", Some("key")).await;
    assert_eq!((status, &posted["id"]), (201, &first.as_str().into()));
    for id in [&first, &other, &without] {
        let (status, body) = stalling.message(id).await;
        assert_eq!((status, &body["message"]), (200, &"text".into()));
    }
    // The key belongs to another text by then.
    assert_eq!(stalling.message(&another).await.0, 404);
    assert_eq!(stalling.node.state().mempool_count(), 4);
}

#[tokio::test]
async fn a_key_that_was_committed_is_answered_while_the_disk_stalls() {
    let stalling = Stalling::start();
    let (status, posted) = stalling.post("text", Some("key")).await;
    assert_eq!(status, 201);
    stalling.disk.stall();
    tokio::time::pause();
    // Another addition is in flight.
    unknown(stalling.post("other", None).await);
    assert_eq!(stalling.post("text", Some("key")).await, (201, posted));
    assert_eq!(stalling.post("other", Some("key")).await.0, 409);
    stalling.disk.resume();
}

#[tokio::test]
async fn a_failed_commit_leaves_the_outcome_unknown() {
    let stalling = Stalling::start();
    stalling.disk.set_fault(Some(Fault {
        call: 0,
        lasting: true,
        errno: Errno::InputOutput,
    }));
    let id = unknown(stalling.post("text", None).await);
    assert_eq!(id.parse::<MessageId>().unwrap().to_string(), id);
    // From now on, additions are rejected with a definite answer.
    let (status, body) = stalling.post("later", None).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (503, &"unavailable".into()),
        "{body}"
    );
}

/// Fills the queue with the longest messages of clients that wait for no response.
fn fill(node: &Node) -> (usize, Receiver<bool>) {
    let text = "x".repeat(64 * 1024);
    let (sender, responses) = channel();
    for count in 0.. {
        let sender = sender.clone();
        let addition = Addition {
            message: Message::new(MessageId::random(), text.clone()).unwrap(),
            key: None,
            arrived: 0,
        };
        let added = node.submit(|_| {
            let reply = Box::new(move |result: Result<_, StoreError>| {
                sender.send(result.is_ok()).unwrap();
            });
            Operation::Add(addition, reply)
        });
        let added: Result<tokio::sync::oneshot::Receiver<Result<(), StoreError>>, _> = added;
        match added {
            Ok(_) => {}
            Err(StoreError::Overloaded) => return (count, responses),
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!()
}

#[tokio::test]
async fn a_full_queue_is_bounded_in_bytes_and_accepts_the_nodes_own_tasks() {
    let stalling = Stalling::start();
    let node = &stalling.node;
    let mut builder = ChainBuilder::new(&[Block::default_genesis()]);
    builder.mine(SeededRng::new(1).message(), ProofKind::Open);
    let staged = builder.blocks.split_off(1);
    node.write(|reply| Operation::Stage(7, staged, reply))
        .unwrap();
    stalling.disk.stall();
    let (count, responses) = fill(node);
    assert!(count * 64 * 1024 <= HELD, "{count} additions are held");
    let record = NeighbourRecord {
        address: "neighbour.example:12345".to_owned(),
        status: NeighbourStatus::Learned,
    };
    let neighbours = node.submit(|reply| Operation::SetNeighbours(vec![record], reply));
    let dropped = node.submit(|reply| Operation::DropBranch(7, reply));
    let noted = node.submit(|reply| Operation::NoteSnapshot(SnapshotRecord::default(), reply));
    stalling.disk.resume();
    for response in [neighbours, dropped, noted] {
        response.unwrap().await.unwrap().unwrap();
    }
    assert_eq!(responses.iter().take(count).count(), count);
    assert_eq!(node.view().unwrap().neighbours().unwrap().len(), 1);
    // The queue takes content again.
    let taken = node.submit(|reply| Operation::Learn(Vec::new(), 0, reply));
    taken.unwrap().await.unwrap().unwrap();
}
