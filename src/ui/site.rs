//! State shared by all pages, and the layout around each.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderMap;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use warp::http;

use super::address;
use super::csrf::{BrowserSession, CsrfTokens};
use super::relay::Relay;
use crate::client::{ClientError, HttpClient};
use crate::http::request_host;
use crate::text::{escape, shorten};
use crate::wire::{NotableReorg, Status};

/// Maximum number of receipt forms that are read at the same time, which bounds the memory for them.
const MAX_RECEIPT_FORMS: usize = 4;

/// Name of the program, shown for a network without a title.
const PROGRAM: &str = "blockchain";

/// Maximum number of characters shown of the title of a network.
const MAX_TITLE_CHARACTERS: usize = 60;

/// Maximum age of the status that the layout of a page shows a part of.
const MAX_STATUS_AGE: Duration = Duration::from_secs(1);

/// Part of the last status of the node that the layout of all pages shows.
#[derive(Debug, Default)]
struct LastStatus {
    title: Option<String>,
    is_closed: bool,
    reorg: Option<NotableReorg>,
    at: Option<Instant>,
}

/// The explorer of one node.
pub(super) struct Site {
    pub(super) client: HttpClient,
    /// Prefix of every path: empty, or a slash and a path without a trailing slash.
    pub(super) base: String,
    pub(super) relay: Relay,
    /// Permits to read the form of a receipt.
    pub(super) receipt_forms: Semaphore,
    /// Token of the node's administrator, if the explorer runs beside the node.
    pub(super) admin_token: Option<String>,
    last_status: Mutex<LastStatus>,
    tokens: CsrfTokens,
    shutdown: CancellationToken,
}

impl Site {
    pub(super) fn new(
        client: HttpClient,
        base_path: &str,
        admin_token: Option<String>,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            client,
            base: base(base_path),
            relay: Relay::default(),
            receipt_forms: Semaphore::new(MAX_RECEIPT_FORMS),
            admin_token,
            last_status: Mutex::default(),
            tokens: CsrfTokens::new(),
            shutdown,
        }
    }

    /// Requests the status of the node, and remembers what the layout of all pages shows of it.
    pub(super) async fn status(&self) -> Result<Status, ClientError> {
        let status = self.client.status().await?;
        *self.last_status() = LastStatus {
            title: status.title.clone(),
            is_closed: status.closed,
            reorg: status.reorg_to_acknowledge().cloned(),
            at: Some(Instant::now()),
        };
        Ok(status)
    }

    /// Requests the status if it was not requested lately, so that every page shows a warning soon.
    pub(super) async fn refresh(&self) {
        let at = self.last_status().at;
        if at.is_none_or(|at| at.elapsed() > MAX_STATUS_AGE) {
            // The page itself reports a node that does not respond.
            let _ = self.status().await;
        }
    }

    fn last_status(&self) -> MutexGuard<'_, LastStatus> {
        let last = self.last_status.lock();
        last.unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the layout of a page.
    pub(super) fn layout(&self, section: Section) -> Layout {
        let last = self.last_status();
        let address = self.client.address().to_string();
        Layout {
            reorg: last.reorg.clone(),
            ..Layout::new(&self.base, &address, section, last.title.as_deref())
        }
    }

    /// Returns the path of a page below the base path.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("{}{rest}", self.base)
    }

    /// Returns `true` if the last status of the node said that it is closed.
    pub(super) fn is_closed(&self) -> bool {
        self.last_status().is_closed
    }

    /// Returns the empty form for a new message, and the session that may submit it. Only a browser
    /// on the machine of the explorer gets a form of a closed node.
    pub(super) fn form(
        &self,
        headers: &HeaderMap,
        is_local: bool,
    ) -> (MessageForm, BrowserSession) {
        let session = BrowserSession::of(headers);
        let form = MessageForm {
            is_open: is_local || !self.is_closed(),
            base: self.base.clone(),
            token: self.tokens.token(&session),
            text: String::new(),
            host: request_host(headers).unwrap_or_default(),
            forwarded_host: address::forwarded_host(headers),
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

/// Returns the prefix of every path for a base path with or without slashes around it.
fn base(path: &str) -> String {
    match path.trim_matches('/') {
        "" => String::new(),
        name => format!("/{name}"),
    }
}

/// Returns the path of the first page below a base path.
pub fn first_page(base_path: &str) -> String {
    format!("{}/", base(base_path))
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
    /// Title of the network, or the name of the program.
    pub(super) brand: String,
    /// Address of the node.
    pub(super) node: String,
    pub(super) section: Section,
    /// Content of the search field.
    pub(super) query: String,
    /// A deep reorg, or one that traded sealed blocks for open ones, that nobody has acknowledged.
    pub(super) reorg: Option<NotableReorg>,
}

impl Layout {
    /// Returns the layout of a page of a network with this title.
    pub(super) fn new(base: &str, node: &str, section: Section, title: Option<&str>) -> Self {
        let title = title.filter(|title| !title.trim().is_empty());
        let brand = title.map_or(PROGRAM.into(), |title| {
            shorten(&escape(title), MAX_TITLE_CHARACTERS)
        });
        Self {
            base: base.to_owned(),
            brand,
            node: node.to_owned(),
            section,
            query: String::new(),
            reorg: None,
        }
    }

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
    /// This browser may add messages.
    pub(super) is_open: bool,
    pub(super) base: String,
    pub(super) token: String,
    pub(super) text: String,
    /// Host that the request names. The script compares it with that of the browser.
    pub(super) host: String,
    /// Host that the browser names, if a proxy replaced it.
    pub(super) forwarded_host: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_of_the_network_is_the_brand() {
        let brand = |title| Layout::new("", "a:1", Section::Home, title).brand;
        assert_eq!(brand(None), "blockchain");
        assert_eq!(brand(Some(" ")), "blockchain");
        assert_eq!(brand(Some("Class 8b")), "Class 8b");
        assert_eq!(brand(Some("a\u{202e}b")), "a\\u{202e}b");
        assert_eq!(brand(Some(&"x".repeat(99))), format!("{}…", "x".repeat(60)));
    }

    #[test]
    fn a_base_path_has_one_leading_slash_and_no_trailing_one() {
        for (given, base) in [("", ""), ("/", ""), ("x", "/x"), ("/x/y/", "/x/y")] {
            let client = HttpClient::new("localhost:1".parse().unwrap()).unwrap();
            let site = Site::new(client, given, None, CancellationToken::new());
            assert_eq!(site.base, base);
            assert_eq!(site.path("/lab"), format!("{base}/lab"));
        }
    }
}
