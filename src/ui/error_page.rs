//! The error page: its status, what failed and what to do about it.

use askama::Template;
use http::StatusCode;
use warp::http;
use warp::reply::Response;

use super::format::sentence;
use super::reply;
use super::site::{Layout, Section, Site};
use crate::client::ClientError;
use crate::http::ForeignRequest;

/// An error that is shown as a page.
#[derive(Debug)]
pub(super) struct ErrorPage {
    status: StatusCode,
    title: String,
    text: String,
    /// Setting that makes the request succeed.
    setting: Option<String>,
}

#[derive(Template)]
#[template(path = "error.html", config = "src/ui/askama.toml")]
struct ErrorTemplate {
    layout: Layout,
    status: StatusCode,
    title: String,
    text: String,
    setting: Option<String>,
    /// The page may succeed later, so the script retries it.
    is_retryable: bool,
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
            setting: None,
        }
    }

    /// 404: no page has this address.
    pub(super) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "Page not found",
            "This site has no page at this address. Use the menu or the search field.",
        )
    }

    /// 404: the node has no block or message of this name.
    pub(super) fn no_such(kind: &str, text: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{kind} not found"), text)
    }

    /// 403: the host is not allowed or the request comes from another site.
    pub(super) fn forbidden(reason: ForeignRequest) -> Self {
        match reason {
            ForeignRequest::Host(Some(name)) => Self {
                setting: Some(format!("--allow-host {name}")),
                ..Self::new(
                    StatusCode::FORBIDDEN,
                    "Host name not allowed",
                    format!(
                        "The explorer does not know the host name {name}. If it is a name of this \
                         machine or of a proxy in front of it, start the explorer or its node with \
                         this option:"
                    ),
                )
            },
            ForeignRequest::Host(None) => Self::new(
                StatusCode::FORBIDDEN,
                "Host name missing",
                "The request names no valid host.",
            ),
            ForeignRequest::Origin => Self {
                setting: Some("proxy_set_header Host $http_host;".to_owned()),
                ..Self::new(
                    StatusCode::FORBIDDEN,
                    "Request from another site",
                    "The explorer accepts requests from its own pages only, and nothing was \
                     changed. If this was one of its pages, a proxy in front of it replaces the \
                     Host header. The proxy must keep it; in nginx by this setting:",
                )
            },
        }
    }

    /// 500: the page does not show the cause; the log does.
    pub(super) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Internal error",
            "The log of the explorer has the details.",
        )
    }

    /// Renders the page.
    pub(super) fn into_response(self, site: &Site) -> Response {
        let page = ErrorTemplate {
            layout: site.layout(Section::None),
            is_retryable: self.status.is_server_error(),
            status: self.status,
            title: self.title,
            text: self.text,
            setting: self.setting,
        };
        reply::page(self.status, &page)
    }
}

/// A failed request to the node. Pages that request a single block or message handle its 404
/// themselves.
impl From<ClientError> for ErrorPage {
    fn from(error: ClientError) -> Self {
        let (status, title) = match &error {
            ClientError::Unreachable { address, .. } => (
                StatusCode::BAD_GATEWAY,
                format!("The node at {address} is unreachable"),
            ),
            ClientError::TimedOut { address } => (
                StatusCode::GATEWAY_TIMEOUT,
                format!("The node at {address} did not respond in time"),
            ),
            ClientError::Rejected { status: 429, .. } => (
                StatusCode::TOO_MANY_REQUESTS,
                "The node is rate limiting requests".to_owned(),
            ),
            ClientError::Rejected { status: 503, .. } => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The node is temporarily unavailable".to_owned(),
            ),
            ClientError::OutcomeUnknown { .. } => (
                StatusCode::BAD_GATEWAY,
                "The message may have been added".to_owned(),
            ),
            ClientError::Rejected { address, .. }
            | ClientError::Reference { address, .. }
            | ClientError::NotANode { address, .. }
            | ClientError::Malformed { address, .. } => (
                StatusCode::BAD_GATEWAY,
                format!("Unexpected response from {address}"),
            ),
        };
        Self::new(status, title, sentence(&error.to_string()))
    }
}

/// Returns `None` for the 404 of a node that lacks an endpoint, because it runs an older version.
pub(super) fn if_supported<T>(result: Result<T, ClientError>) -> Result<Option<T>, ErrorPage> {
    match result {
        Ok(body) => Ok(Some(body)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;

    #[test]
    fn an_error_page_shows_status_and_text_and_is_inert() {
        let page = ErrorTemplate {
            layout: samples::layout(),
            status: StatusCode::BAD_GATEWAY,
            title: "<script>alert(1)</script>".to_owned(),
            text: sentence("no node answers"),
            setting: None,
            is_retryable: true,
        };
        let html = page.render().unwrap();
        assert!(html.contains("502") && html.contains("No node answers."));
        assert!(!html.contains("<script>"), "{html}");
    }
}
