//! Scripts of a fake peer: a node of this program, or a reference miner, with blocks and messages of
//! the test's choice.

use serde_json::{Value, json};

use blockchain::chain::{Block, BlockHash, Message, MessageId};
use blockchain::codec;
use blockchain::reference::json as reference_json;

use super::fake_peer::{ReceivedRequest, Reply, head, json, response};

/// A node of this program.
#[derive(Clone)]
pub(crate) struct FakeNode {
    pub(crate) blocks: Vec<Block>,
    /// Its status, which tests change.
    pub(crate) status: Value,
    /// Its pending messages, numbered from 0.
    pub(crate) pending: Vec<Message>,
}

impl FakeNode {
    pub(crate) fn new(blocks: &[Block]) -> Self {
        let tip = blocks.last().unwrap();
        let status = json!({
            "version": "0.1.0", "protocol": 1, "node_id": MessageId::random().to_string(),
            "genesis": BlockHash::of(&blocks[0]).to_string(),
            "tip": {
                "index": tip.index,
                "hash": BlockHash::of(tip).to_string(),
                "timestamp": tip.timestamp.seconds(),
            },
            "length": blocks.len(), "sealed": blocks.len() - 1,
            "difficulty": 1, "sealed_from": 1, "proof_mode": "sealed", "warnings": [],
            "mempool": {"count": 0, "bytes": 0, "next_sequence": 0},
            "mining": {"active": false, "threads": 0, "tries": 0, "hash_rate": 0.0},
            "sync": {
                "neighbours": 0, "answering": 0, "fetching_from": null, "target": null,
                "differences": [],
            },
            "reorgs": 0, "uptime": 1.0,
        });
        Self {
            blocks: blocks.to_vec(),
            status,
            pending: Vec::new(),
        }
    }

    /// Returns the node with another value in its status.
    pub(crate) fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        *self.status.pointer_mut(pointer).unwrap() = value.into();
        self
    }

    /// Returns the node with pending messages.
    pub(crate) fn with_pending(mut self, pending: Vec<Message>) -> Self {
        self.status["mempool"]["count"] = pending.len().into();
        self.status["mempool"]["next_sequence"] = pending.len().into();
        self.pending = pending;
        self
    }

    /// Returns the response of such a node.
    pub(crate) fn response(&self, request: &ReceivedRequest) -> Reply {
        match request.path() {
            "/api/v1/status" => json(&self.status),
            "/api/v1/blocks" => {
                let from = usize::try_from(request.number("from").unwrap()).unwrap();
                let limit = usize::try_from(request.number("limit").unwrap()).unwrap();
                let page = self.blocks.iter().skip(from).take(limit);
                response(200, &[("Content-Type", codec::FRAMES)], frames(page))
            }
            "/api/v1/mempool" => {
                let from = request.number("after").map_or(0, |after| after + 1);
                let all = (0_u64..).zip(&self.pending);
                let messages: Vec<_> = all
                    .skip_while(|(sequence, _)| *sequence < from)
                    .map(|(sequence, message)| mempool_entry(sequence, message))
                    .collect();
                json(&json!({"messages": messages, "next": null, "count": self.pending.len()}))
            }
            "/api/v1/neighbours" => json(&json!({"neighbours": []})),
            "/api/v1/announce" => json(&json!({})),
            _ => response(404, &[], "{}"),
        }
    }
}

/// Blocks as nodes send them to each other.
pub(crate) fn frames<'a>(blocks: impl IntoIterator<Item = &'a Block>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for block in blocks {
        codec::write_frame(block, &mut bytes);
    }
    bytes
}

/// An entry of a mempool page.
pub(crate) fn mempool_entry(sequence: u64, message: &Message) -> Value {
    let (id, text) = (message.id().to_string(), message.text());
    json!({"sequence": sequence, "id": id, "message": text, "age": 1.0})
}

/// A reference miner.
#[derive(Clone, Default)]
pub(crate) struct FakeReferenceMiner {
    /// Its chain as text.
    pub(crate) chain: String,
    /// Its pending messages.
    pub(crate) pending: Vec<Message>,
    /// Its neighbours.
    pub(crate) neighbours: Vec<(String, u16)>,
}

impl FakeReferenceMiner {
    pub(crate) fn new(blocks: &[Block]) -> Self {
        Self {
            chain: chain_text(blocks),
            ..Self::default()
        }
    }

    /// Returns the response of such a miner.
    pub(crate) fn response(&self, request: &ReceivedRequest) -> Reply {
        let body = match request.path() {
            "/chain" => json!({"chain": self.chain, "length": 1}),
            "/data" => {
                let texts: Vec<_> = self.pending.iter().map(message_text).collect();
                json!(format!("{{\"py/set\": [{}]}}", texts.join(", ")))
            }
            "/neighbours" => {
                let tuple = |(host, port): &(String, u16)| json!({"py/tuple": [host, port]});
                let all: Vec<_> = self.neighbours.iter().map(tuple).collect();
                json!({"length": all.len(), "neighbours": json!({"py/set": all}).to_string()})
            }
            path => {
                let path = path.trim_start_matches('/');
                let body = json!({"message": format!("'{path}' is not a valid endpoint!")});
                return response(
                    404,
                    &[("Content-Type", "application/json")],
                    body.to_string(),
                );
            }
        };
        let body = format!("{body}\n");
        if request.method == "HEAD" {
            return vec![head(200, &[], Some(body.len() as u64))];
        }
        response(200, &[("Content-Type", "application/json")], body)
    }
}

/// A chain as the file of a reference miner.
pub(crate) fn chain_text(blocks: &[Block]) -> String {
    let mut writer = reference_json::JsonChainWriter::new(Vec::new());
    for block in blocks {
        writer.push(block).unwrap();
    }
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

fn message_text(message: &Message) -> String {
    let mut text = Vec::new();
    reference_json::write_message(message, &mut text);
    String::from_utf8(text).unwrap()
}
