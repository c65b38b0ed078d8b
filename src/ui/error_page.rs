//! The page for everything that went wrong: what it was, and what to do about it.

use askama::Template;
use http::StatusCode;
use warp::http;
use warp::reply::Response;

use super::reply;
use super::site::{Frame, Place, Site};
use crate::client::ClientError;

/// Why there is no such page.
#[derive(Debug)]
pub(super) struct ErrorPage {
    status: StatusCode,
    title: String,
    text: String,
}

#[derive(Template)]
#[template(path = "problem.html", config = "src/ui/askama.toml")]
struct ErrorTemplate {
    frame: Frame,
    status: StatusCode,
    title: String,
    text: String,
    /// Whether the page may come back by itself.
    is_passing: bool,
}

impl ErrorPage {
    pub(super) fn new(
        status: StatusCode,
        title: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        Self {
            status,
            title: title.into(),
            text: text.into(),
        }
    }

    /// 404: no page has this address.
    pub(super) fn no_page() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "There is no such page",
            "The address may be mistyped. Everything on this site can be reached from the menu.",
        )
    }

    /// 404: the chain has no such thing.
    pub(super) fn nothing(what: &str, text: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            format!("There is no such {what}"),
            text,
        )
    }

    /// 403: a browser may not ask this.
    pub(super) fn foreign() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "This address is not served",
            "A browser may open this explorer by an IP address, as localhost or by a name it was \
             started with (--allow-host NAME), and only from its own pages.",
        )
    }

    /// 500: what went wrong is in the log alone.
    pub(super) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "This page could not be made",
            "The log of the explorer says why.",
        )
    }

    /// The page that says so.
    pub(super) fn page(self, site: &Site) -> Response {
        let page = ErrorTemplate {
            frame: site.frame(Place::None),
            is_passing: self.status.is_server_error(),
            status: self.status,
            title: self.title,
            text: self.text,
        };
        reply::page(self.status, &page)
    }
}

/// What the node did not answer. A page that asks for one thing turns its 404 into words of its
/// own before it comes here.
impl From<ClientError> for ErrorPage {
    fn from(error: ClientError) -> Self {
        let (status, title) = match &error {
            ClientError::Unreachable { address, .. } => (
                StatusCode::BAD_GATEWAY,
                format!("The node at {address} cannot be reached"),
            ),
            ClientError::TimedOut { address } => (
                StatusCode::GATEWAY_TIMEOUT,
                format!("The node at {address} does not answer"),
            ),
            ClientError::Refused { status: 429, .. } => (
                StatusCode::TOO_MANY_REQUESTS,
                "The node has too much to do at the moment".to_owned(),
            ),
            ClientError::Refused { status: 503, .. } => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The node cannot do this at the moment".to_owned(),
            ),
            ClientError::OutcomeUnknown { .. } => (
                StatusCode::BAD_GATEWAY,
                "It is not known whether the message was added".to_owned(),
            ),
            ClientError::Refused { address, .. }
            | ClientError::Reference { address, .. }
            | ClientError::NotANode { address, .. }
            | ClientError::Malformed { address, .. } => (
                StatusCode::BAD_GATEWAY,
                format!("{address} does not answer as a node does"),
            ),
        };
        Self::new(status, title, sentence(&error.to_string()))
    }
}

/// An answer that older nodes do not give: none from them.
pub(super) fn if_known<T>(answer: Result<T, ClientError>) -> Result<Option<T>, ErrorPage> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The text of an error as a sentence.
pub(super) fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(char::to_uppercase);
    first
        .into_iter()
        .flatten()
        .chain(characters)
        .chain(['.'])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;

    #[test]
    fn a_problem_says_what_it_is_and_nothing_hostile_runs() {
        let page = ErrorTemplate {
            frame: samples::frame(),
            status: StatusCode::BAD_GATEWAY,
            title: "<script>alert(1)</script>".to_owned(),
            text: sentence("no node answers"),
            is_passing: true,
        };
        let html = page.render().unwrap();
        assert!(html.contains("502") && html.contains("No node answers."));
        assert!(!html.contains("<script>"), "{html}");
    }
}
