//! Sample data for the unit tests of the pages.

use serde_json::json;

use super::site::{Layout, MessageForm, Section};
use crate::chain::{self, History, MessageId};
use crate::wire::{Block, BlockRenderer, Status};

/// A message that attacks the page.
pub(super) const HOSTILE: &str =
    "<script>alert(1)</script>\u{202e}\"'><img src=x onerror=alert(1)>";

pub(super) fn layout() -> Layout {
    Layout::new("/x", "127.0.0.1:12345", Section::Home, None)
}

pub(super) fn form() -> MessageForm {
    MessageForm {
        is_open: true,
        base: "/x".to_owned(),
        token: "f0".repeat(32),
        text: String::new(),
        host: "localhost".to_owned(),
        forwarded_host: None,
    }
}

/// Returns a block with an open proof at this index.
pub(super) fn block(index: u64, text: &str) -> Block {
    let previous = chain::Block::default_genesis();
    let id = MessageId::from_bytes([7; 16]);
    let block = chain::Block {
        index,
        timestamp: previous.timestamp.next(1_700_000_000.5),
        message: chain::Message::new(id, text.to_owned()).unwrap(),
        link: Some(chain::Link {
            previous_hash: chain::BlockHash::of(&previous),
            proof: "1406000".parse().unwrap(),
        }),
    };
    BlockRenderer::above(History::default(), Some(&previous)).render(&block)
}

pub(super) fn status() -> Status {
    serde_json::from_value(json!({
        "version": "0.2.0", "protocol": 1, "node_id": "n", "genesis": "c0".repeat(32),
        "tip": {"index": 1, "hash": "ab".repeat(32), "timestamp": 1_700_000_000.5},
        "length": 2, "sealed": 1, "difficulty": 5, "sealed_from": 1, "proof_mode": "sealed",
        "warnings": [], "mempool": {"count": 1, "bytes": 5, "next_sequence": 2},
        "mining": {"active": true, "threads": 1, "tries": 9, "hash_rate": 65e6},
        "sync": {"neighbours": 2, "answering": 1, "fetching_from": null, "target": null,
            "differences": []},
        "reorgs": 0, "uptime": 5.0
    }))
    .unwrap()
}

/// Asserts that nothing of [`HOSTILE`] can run or hide in a page.
#[track_caller]
pub(super) fn assert_inert(html: &str) {
    assert!(!html.contains("<script>alert"), "{html}");
    assert!(!html.contains("<img src=x"), "{html}");
    assert!(!html.contains('\u{202e}'), "{html}");
    assert!(html.contains("&#60;script&#62;alert"), "{html}");
}
