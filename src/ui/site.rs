//! State shared by all pages, and the layout around each.

use http::HeaderMap;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use warp::http;

use super::csrf::{BrowserSession, CsrfTokens};
use super::relay::Relay;
use crate::client::HttpClient;

/// Maximum number of receipt forms that are read at the same time, which bounds the memory for them.
const MAX_RECEIPT_FORMS: usize = 4;

/// The explorer of one node.
pub(super) struct Site {
    pub(super) client: HttpClient,
    /// Prefix of every path: empty, or a slash and a path without a trailing slash.
    pub(super) base: String,
    pub(super) relay: Relay,
    /// Permits to read the form of a receipt.
    pub(super) receipt_forms: Semaphore,
    tokens: CsrfTokens,
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
            receipt_forms: Semaphore::new(MAX_RECEIPT_FORMS),
            tokens: CsrfTokens::new(),
            shutdown,
        }
    }

    /// Returns the layout of a page.
    pub(super) fn layout(&self, section: Section) -> Layout {
        Layout {
            base: self.base.clone(),
            node: self.client.address().to_string(),
            section,
            query: String::new(),
        }
    }

    /// Returns the path of a page below the base path.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("{}{rest}", self.base)
    }

    /// Returns the empty form for a new message, and the session that may submit it.
    pub(super) fn form(&self, headers: &HeaderMap) -> (MessageForm, BrowserSession) {
        let session = BrowserSession::of(headers);
        let form = MessageForm {
            base: self.base.clone(),
            token: self.tokens.token(&session),
            text: String::new(),
        };
        (form, session)
    }

    /// Returns `true` if the form's token belongs to the session of the browser that submits it.
    pub(super) fn verify_form(&self, headers: &HeaderMap, token: &str) -> bool {
        self.tokens.verify(headers, token)
    }

    /// Waits for shutdown.
    pub(super) fn closing(&self) -> impl Future<Output = ()> + Send + 'static {
        self.shutdown.clone().cancelled_owned()
    }
}

/// An entry of the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Home,
    Blocks,
    Mempool,
    Peers,
    Reorgs,
    Lab,
    /// A page outside the menu.
    None,
}

/// The header and footer of a page.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) base: String,
    /// Address of the node.
    pub(super) node: String,
    pub(super) section: Section,
    /// Content of the search field.
    pub(super) query: String,
}

impl Layout {
    /// Returns path and name of each menu entry, and `true` for the current one.
    pub(super) fn menu(&self) -> [(&'static str, &'static str, bool); 6] {
        [
            ("/", "Chain", Section::Home),
            ("/blocks", "Blocks", Section::Blocks),
            ("/mempool", "Mempool", Section::Mempool),
            ("/peers", "Peers", Section::Peers),
            ("/reorgs", "Reorgs", Section::Reorgs),
            ("/lab", "Lab", Section::Lab),
        ]
        .map(|(path, name, section)| (path, name, section == self.section))
    }
}

/// The form for a new message.
#[derive(Clone, Debug)]
pub(super) struct MessageForm {
    pub(super) base: String,
    pub(super) token: String,
    pub(super) text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_has_one_leading_slash_and_no_trailing_one() {
        for (given, base) in [("", ""), ("/", ""), ("x", "/x"), ("/x/y/", "/x/y")] {
            let client = HttpClient::new("localhost:1".parse().unwrap()).unwrap();
            let site = Site::new(client, given, CancellationToken::new());
            assert_eq!(site.base, base);
            assert_eq!(site.path("/lab"), format!("{base}/lab"));
        }
    }
}
