//! What the pages share: the node they show, where they stand, and the frame around each.

use http::HeaderMap;
use tokio_util::sync::CancellationToken;
use warp::http;

use super::events::Relay;
use super::token::{FormSession, Tokens};
use crate::client::HttpClient;

/// The explorer of one node.
pub(super) struct Site {
    pub(super) client: HttpClient,
    /// What stands before every path; empty, or `/` and a name without a slash at its end.
    pub(super) base: String,
    pub(super) relay: Relay,
    tokens: Tokens,
    shutdown: CancellationToken,
}

impl Site {
    pub(super) fn new(client: HttpClient, base_path: &str, shutdown: CancellationToken) -> Self {
        let name = base_path.trim_matches('/');
        Self {
            client,
            base: if name.is_empty() {
                String::new()
            } else {
                format!("/{name}")
            },
            relay: Relay::default(),
            tokens: Tokens::new(),
            shutdown,
        }
    }

    /// The frame of a page.
    pub(super) fn frame(&self, place: Place) -> Frame {
        Frame {
            base: self.base.clone(),
            node: self.client.address().to_string(),
            place,
            query: String::new(),
        }
    }

    /// An address on this site.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("{}{rest}", self.base)
    }

    /// The form for a new message, and the session it belongs to.
    pub(super) fn form(&self, headers: &HeaderMap) -> (Form, FormSession) {
        let session = FormSession::of(headers);
        let form = Form {
            base: self.base.clone(),
            token: self.tokens.token(&session),
            text: String::new(),
        };
        (form, session)
    }

    /// Whether a form was made by this site for the browser that sends it.
    pub(super) fn is_own_form(&self, headers: &HeaderMap, token: &str) -> bool {
        self.tokens.holds(headers, token)
    }

    /// Waits until the site is about to close.
    pub(super) fn closing(&self) -> impl Future<Output = ()> + Send + 'static {
        self.shutdown.clone().cancelled_owned()
    }
}

/// A place in the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Home,
    Blocks,
    Mempool,
    Peers,
    Reorgs,
    Lab,
    None,
}

/// What stands around every page.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) base: String,
    pub(super) node: String,
    pub(super) place: Place,
    /// What the field for searching holds.
    pub(super) query: String,
}

impl Frame {
    /// The menu: where to, its name, and whether it is here.
    pub(super) fn menu(&self) -> [(&'static str, &'static str, bool); 6] {
        [
            ("/", "Chain", Place::Home),
            ("/blocks", "Blocks", Place::Blocks),
            ("/mempool", "Waiting", Place::Mempool),
            ("/peers", "Peers", Place::Peers),
            ("/reorgs", "Reorgs", Place::Reorgs),
            ("/lab", "Lab", Place::Lab),
        ]
        .map(|(path, name, place)| (path, name, place == self.place))
    }
}

/// The form for a new message.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) base: String,
    pub(super) token: String,
    pub(super) text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_has_one_slash_before_it_and_none_behind() {
        for (given, base) in [("", ""), ("/", ""), ("x", "/x"), ("/x/y/", "/x/y")] {
            let client = HttpClient::new("localhost:1".parse().unwrap()).unwrap();
            let site = Site::new(client, given, CancellationToken::new());
            assert_eq!(site.base, base);
            assert_eq!(site.path("/lab"), format!("{base}/lab"));
        }
    }
}
