//! `/message/{id}`: the state of a message.

use askama::Template;
use http::StatusCode;
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::format;
use super::parts::{HashLink, RelativeTime, StampSummary, Text, now};
use super::reply;
use super::request::is_plain_segment;
use super::site::{Layout, Section, Site};
use crate::chain::reorg::SETTLED_CONFIRMATIONS;
use crate::client::ClientError;
use crate::wire::{Block, MessageState, MessageStatus, Reorg};

/// Number of recent reorgs that are searched for the message.
const REORGS: usize = 50;

#[derive(Template)]
#[template(path = "message.html", config = "src/ui/askama.toml")]
struct MessagePage {
    layout: Layout,
    status: MessageStatus,
    text: Text,
    stamp: Option<StampSummary>,
    added: Option<RelativeTime>,
    /// The timestamp of the block with the message.
    mined: Option<RelativeTime>,
    block: Option<(u64, HashLink)>,
    disconnections: Vec<Disconnection>,
}

/// A reorg that disconnected a block with the message.
#[derive(Debug)]
struct Disconnection {
    reorg: u64,
    index: u64,
    time: RelativeTime,
}

impl Disconnection {
    fn of(reorg: &Reorg, ids: &[&str]) -> Option<Self> {
        let mut disconnected = reorg.left.iter();
        let block = disconnected.find(|block| ids.contains(&block.message_id.as_str()))?;
        Some(Self {
            reorg: reorg.number,
            index: block.index,
            time: RelativeTime::at(reorg.timestamp.as_f64().unwrap_or_default()),
        })
    }
}

impl MessagePage {
    fn new(layout: Layout, status: MessageStatus, block: Option<&Block>, reorgs: &[Reorg]) -> Self {
        let mut ids = vec![status.id.as_str()];
        ids.extend(status.renamed_from.as_deref());
        let disconnections = reorgs
            .iter()
            .filter_map(|reorg| Disconnection::of(reorg, &ids));
        Self {
            disconnections: disconnections.collect(),
            text: Text::new(&status.message),
            stamp: StampSummary::of(&layout.base, &status.message),
            mined: block.map(RelativeTime::of),
            added: status.waiting.map(|age| RelativeTime::at(now() - age)),
            block: status
                .block
                .as_ref()
                .map(|block| (block.index, HashLink::new(&layout.base, &block.hash))),
            status,
            layout,
        }
    }

    fn is_mined(&self) -> bool {
        self.status.state == MessageState::Mined
    }

    fn is_settled(&self) -> bool {
        self.status.confirmations >= SETTLED_CONFIRMATIONS
    }
}

/// `GET /message/{id}`.
pub(super) async fn get(site: &Site, id: &str) -> Result<Response, ErrorPage> {
    if !is_plain_segment(id) {
        return Err(ErrorPage::not_found());
    }
    let (status, reorgs) = tokio::join!(site.client.message(id), site.client.reorgs(None, REORGS));
    let status = match status {
        Ok(status) => status,
        Err(ClientError::Rejected {
            status: 400 | 404, ..
        }) => {
            let text = "Neither the chain nor the mempool of this node has a message with this id.";
            return Err(ErrorPage::no_such("Message", text));
        }
        Err(ClientError::Rejected { id: Some(_), .. }) => {
            return Err(ErrorPage::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "This message is not stored yet",
                "The node has received the message but has not written it to disk. This page shows \
                 the message as soon as it is stored. Do not add it again.",
            ));
        }
        Err(error) => return Err(error.into()),
    };
    // The page shows the current state even without the reorgs.
    let reorgs = reorgs.map(|page| page.reorgs).unwrap_or_default();
    let block = match &status.block {
        // A reorg may have disconnected the block meanwhile.
        Some(position) => site.client.block(&position.hash).await.ok(),
        None => None,
    };
    let block = block.as_ref().map(|found| &found.block);
    let page = MessagePage::new(site.layout(Section::None), status, block, &reorgs);
    Ok(reply::page(StatusCode::OK, &page))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;
    use crate::wire::{DisconnectedBlock, Position};

    fn status(mined: bool) -> MessageStatus {
        MessageStatus {
            id: "e".repeat(32),
            renamed_from: None,
            message: samples::HOSTILE.to_owned(),
            state: if mined {
                MessageState::Mined
            } else {
                MessageState::Pending
            },
            waiting: (!mined).then_some(5.0),
            block: mined.then(|| Position {
                index: 4,
                hash: "ab".repeat(32),
            }),
            confirmations: if mined { 9 } else { 0 },
        }
    }

    #[test]
    fn a_mined_message_shows_its_block_and_confirmations() {
        let page = MessagePage::new(
            samples::layout(),
            status(true),
            Some(&samples::block(4, "")),
            &[],
        );
        let html = page.render().unwrap();
        samples::assert_inert(&html);
        assert!(
            html.contains("/x/block/4") && html.contains("9 confirmations"),
            "{html}"
        );
    }

    #[test]
    fn a_returned_and_renamed_message_shows_both() {
        let disconnected = DisconnectedBlock {
            index: 3,
            hash: "cd".repeat(32),
            message_id: "d".repeat(32),
        };
        let reorg = Reorg {
            number: 2,
            timestamp: 5.into(),
            time: None,
            source: "a:1".to_owned(),
            from: 3,
            old_tip: String::new(),
            new_tip: String::new(),
            disconnected: 1,
            disconnected_sealed: 1,
            connected: 2,
            connected_sealed: 2,
            returned: 1,
            deep: false,
            trades_sealed: false,
            left: vec![disconnected],
        };
        let renamed = MessageStatus {
            renamed_from: Some("d".repeat(32)),
            ..status(false)
        };
        let page = MessagePage::new(samples::layout(), renamed, None, &[reorg]);
        let html = page.render().unwrap();
        samples::assert_inert(&html);
        assert!(html.contains("new id"), "{html}");
        assert!(
            html.contains("block 3, which") && html.contains("reorg 2"),
            "{html}"
        );
    }
}
