//! `/add`: the form for a new message.

use std::net::SocketAddr;

use askama::Template;
use bytes::Buf;
use futures_util::Stream;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::format::sentence;
use super::reply;
use super::request::{PageRequest, is_local};
use super::site::{Layout, MessageForm, Section, Site};
use crate::client::ClientError;
use crate::http::{BodyError, read_body};

/// Maximum size of a request body in bytes: the longest message a node accepts, with every byte
/// percent-encoded.
const MAX_BODY_BYTES: usize = 200 * 1024;

#[derive(Template)]
#[template(path = "add.html", config = "src/ui/askama.toml")]
struct AddPage {
    layout: Layout,
    form: MessageForm,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Submission {
    #[serde(default)]
    message: String,
    #[serde(default)]
    token: String,
}

/// `GET /add`: the form on a page of its own.
pub(super) async fn form(site: &Site, request: &PageRequest) -> Response {
    // Only the status tells whether the node is closed; a reference miner has none.
    let _ = site.status().await;
    let sender = Sender {
        headers: &request.headers,
        remote: request.remote,
    };
    if site.is_closed() && !sender.is_local() {
        return page(site, sender, StatusCode::FORBIDDEN, String::new(), None);
    }
    page(site, sender, StatusCode::OK, String::new(), None)
}

/// The sender of a request.
#[derive(Clone, Copy)]
struct Sender<'a> {
    headers: &'a HeaderMap,
    remote: SocketAddr,
}

impl Sender<'_> {
    fn is_local(self) -> bool {
        is_local(self.remote, self.headers)
    }
}

/// `POST /add`: adds the message to the node and redirects to the page of the message.
pub(super) async fn submit(
    site: &Site,
    remote: SocketAddr,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
) -> Result<Response, ErrorPage> {
    let sender = Sender { headers, remote };
    let body = match read_body(headers, body, MAX_BODY_BYTES).await {
        Ok(body) => body,
        Err(BodyError::TooLarge { .. }) => {
            let (status, text) = (StatusCode::PAYLOAD_TOO_LARGE, "The message is too long.");
            let error = Some(text.to_owned());
            return Ok(page(site, sender, status, String::new(), error));
        }
        Err(error @ (BodyError::Incomplete | BodyError::TimedOut)) => {
            return Err(ErrorPage::new(
                error.status(),
                "The message did not arrive",
                sentence(&error.to_string()),
            ));
        }
    };
    let Ok(Submission { message, token }) = serde_urlencoded::from_bytes(&body) else {
        return Err(ErrorPage::new(
            StatusCode::BAD_REQUEST,
            "Invalid form data",
            "No message was added.",
        ));
    };
    // Browsers submit every line break as CR LF.
    let message = message.replace("\r\n", "\n");
    let reject = |status, text: String| page(site, sender, status, message.clone(), Some(text));
    if !site.verify_form(headers, &token) {
        let text = "This form has expired: it belongs to another session, or the explorer was \
            restarted. The message was not added. Submit it again.";
        return Ok(reject(StatusCode::FORBIDDEN, text.to_owned()));
    }
    // A closed node would reject what others send through this explorer, too.
    let _ = site.status().await;
    if site.is_closed() && !sender.is_local() {
        return Ok(page(
            site,
            sender,
            StatusCode::FORBIDDEN,
            String::new(),
            None,
        ));
    }
    if message.is_empty() {
        let text = "The message is empty.".to_owned();
        return Ok(reject(StatusCode::BAD_REQUEST, text));
    }
    // The node would take a forwarded message for that of somebody else.
    let client = (!sender.is_local()).then_some(remote.ip());
    let message_page =
        |id: &dyn std::fmt::Display| reply::see_other(&site.path(&format!("/message/{id}")));
    Ok(match site.client.add_for(client, &message).await {
        Ok(Some(id)) => message_page(&id),
        // A reference miner returns no id.
        Ok(None) => reply::see_other(&site.path("/mempool")),
        Err(ClientError::Rejected {
            status,
            message: reason,
            ..
        }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            let reason = sentence(&reason);
            reject(status, format!("The node rejected the message: {reason}"))
        }
        Err(ClientError::OutcomeUnknown {
            id: Some(id),
            source,
        }) => match site.client.message(&id.to_string()).await {
            // An error that names the id means that the message is queued but not stored yet.
            Ok(_) | Err(ClientError::Rejected { id: Some(_), .. }) => message_page(&id),
            Err(_) => reject(StatusCode::BAD_GATEWAY, outcome_unknown(&source, Some(&id))),
        },
        Err(ClientError::OutcomeUnknown { id: None, source }) => reject(
            StatusCode::BAD_GATEWAY,
            outcome_unknown::<&str>(&source, None),
        ),
        Err(error) => {
            let reason = sentence(&error.to_string());
            reject(
                StatusCode::BAD_GATEWAY,
                format!("{reason} The message was not added."),
            )
        }
    })
}

/// Describes an addition with an unknown outcome. `id` is the id that the message has if the node
/// added it.
fn outcome_unknown<I: std::fmt::Display>(source: &ClientError, id: Option<I>) -> String {
    let reason = sentence(&source.to_string());
    let remedy = id.map_or_else(
        || "Look for it in the chain and the mempool before you add it again.".to_owned(),
        |id| format!("Search for its id {id} before you add it again."),
    );
    format!("{reason} The message may have been added. {remedy}")
}

fn page(
    site: &Site,
    sender: Sender<'_>,
    status: StatusCode,
    text: String,
    error: Option<String>,
) -> Response {
    let (form, session) = site.form(sender.headers, sender.is_local());
    let page = AddPage {
        layout: site.layout(Section::None),
        form: MessageForm { text, ..form },
        error,
    };
    reply::with_session(reply::page(status, &page), &session, &site.base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;

    #[test]
    fn a_rejected_message_stays_in_the_form_and_is_inert() {
        let form = MessageForm {
            text: "\n</textarea><script>alert(1)</script>".to_owned(),
            ..samples::form()
        };
        let page = AddPage {
            layout: samples::layout(),
            form,
            error: Some("The message is empty.".to_owned()),
        };
        let html = page.render().unwrap();
        assert!(!html.contains("<script>alert"), "{html}");
        assert_eq!(html.matches("</textarea").count(), 1);
        assert!(html.contains("role=\"alert\"") && html.contains("The message is empty."));
        // Browsers drop the first line break of a text field.
        assert!(html.contains(">\n\n&#60;/textarea"), "{html}");
    }

    #[test]
    fn an_unknown_outcome_names_the_id_to_search_for() {
        let source = ClientError::TimedOut {
            address: "localhost:1".parse().unwrap(),
        };
        let text = outcome_unknown(&source, Some("e0e0"));
        assert!(text.contains("may have been added") && text.contains("e0e0"));
    }
}
