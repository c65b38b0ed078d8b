//! `/message/{id}`: what became of a message.

use askama::Template;
use http::StatusCode;
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::format;
use super::parts::{Hash, Text, When, now};
use super::reply;
use super::routes::is_plain;
use super::site::{Frame, Place, Site};
use crate::client::ClientError;
use crate::wire::{MessageState, MessageStatus, Reorg};

/// Reorgs looked through for the message.
const REORGS: usize = 50;

/// Blocks above a message after which its last step is done.
const DEEP: u64 = 6;

#[derive(Template)]
#[template(path = "message.html", config = "src/ui/askama.toml")]
struct MessagePage {
    frame: Frame,
    status: MessageStatus,
    text: Text,
    since: Option<When>,
    block: Option<(u64, Hash)>,
    left: Vec<Leaving>,
}

/// A reorg that took the message out of its block.
#[derive(Debug)]
struct Leaving {
    number: u64,
    index: u64,
    when: When,
}

impl Leaving {
    fn of(reorg: &Reorg, ids: &[&str]) -> Option<Self> {
        let mut left = reorg.left.iter();
        let block = left.find(|block| ids.contains(&block.message_id.as_str()))?;
        Some(Self {
            number: reorg.number,
            index: block.index,
            when: When::at(reorg.timestamp.as_f64().unwrap_or_default()),
        })
    }
}

impl MessagePage {
    fn new(frame: Frame, status: MessageStatus, reorgs: &[Reorg]) -> Self {
        let mut ids = vec![status.id.as_str()];
        ids.extend(status.renamed_from.as_deref());
        let left = reorgs.iter().filter_map(|reorg| Leaving::of(reorg, &ids));
        Self {
            left: left.collect(),
            text: Text::new(&status.message),
            since: status.waiting.map(|waited| When::at(now() - waited)),
            block: status
                .block
                .as_ref()
                .map(|block| (block.index, Hash::new(&frame.base, &block.hash))),
            status,
            frame,
        }
    }

    fn is_mined(&self) -> bool {
        self.status.state == MessageState::Mined
    }

    fn is_deep(&self) -> bool {
        self.status.confirmations > DEEP
    }

    /// Blocks on top of the one that carries the message.
    fn above(&self) -> u64 {
        self.status.confirmations.saturating_sub(1)
    }
}

/// `GET /message/{id}`.
pub(super) async fn get(site: &Site, id: &str) -> Result<Response, ErrorPage> {
    if !is_plain(id) {
        return Err(ErrorPage::no_page());
    }
    let (status, reorgs) = tokio::join!(site.client.message(id), site.client.reorgs(None, REORGS));
    let status = match status {
        Ok(status) => status,
        Err(ClientError::Refused {
            status: 400 | 404, ..
        }) => {
            let text = "Neither the chain nor the waiting messages of this node hold this id.";
            return Err(ErrorPage::nothing("message", text));
        }
        Err(ClientError::Refused { id: Some(_), .. }) => {
            return Err(ErrorPage::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "This message is not on disk yet",
                "The node has it in its queue. This page shows it once it is stored; until then \
                 do not count on it, and do not add it again.",
            ));
        }
        Err(error) => return Err(error.into()),
    };
    // Without the reorgs the page is still right about the present.
    let reorgs = reorgs.map(|page| page.reorgs).unwrap_or_default();
    let page = MessagePage::new(site.frame(Place::None), status, &reorgs);
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
    fn a_mined_message_says_where_and_how_deep() {
        let page = MessagePage::new(samples::frame(), status(true), &[]);
        let html = page.render().unwrap();
        samples::is_inert(&html);
        assert!(
            html.contains("/x/block/4") && html.contains("8 blocks deep"),
            "{html}"
        );
    }

    #[test]
    fn a_message_that_a_reorg_returned_and_renamed_says_both() {
        let left = DisconnectedBlock {
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
            left: vec![left],
        };
        let renamed = MessageStatus {
            renamed_from: Some("d".repeat(32)),
            ..status(false)
        };
        let page = MessagePage::new(samples::frame(), renamed, &[reorg]);
        let html = page.render().unwrap();
        samples::is_inert(&html);
        assert!(html.contains("new id"), "{html}");
        assert!(
            html.contains("It stood in block 3") && html.contains("reorg 2"),
            "{html}"
        );
    }
}
