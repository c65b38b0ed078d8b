//! `/add`: the form for a new message.

use std::net::SocketAddr;

use askama::Template;
use bytes::Buf;
use futures_util::Stream;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::error_page::{ErrorPage, sentence};
use super::reply;
use super::site::{Form, Frame, Place, Site};
use crate::client::ClientError;
use crate::http::{BodyError, read_body};

/// Most bytes of a body: the longest message a node takes, with every byte escaped.
const BODY_BYTES: usize = 200 * 1024;

#[derive(Template)]
#[template(path = "add.html", config = "src/ui/askama.toml")]
struct AddPage {
    frame: Frame,
    form: Form,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    message: String,
    #[serde(default)]
    token: String,
}

/// `GET /add`: the form on a page of its own.
pub(super) fn form(site: &Site, headers: &HeaderMap) -> Response {
    page(site, headers, StatusCode::OK, String::new(), None)
}

/// `POST /add`: sends the message to the node and leads to what becomes of it.
pub(super) async fn send(
    site: &Site,
    remote: SocketAddr,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
) -> Result<Response, ErrorPage> {
    let body = match read_body(headers, body, BODY_BYTES).await {
        Ok(body) => body,
        Err(BodyError::TooLarge { .. }) => {
            let (status, text) = (StatusCode::PAYLOAD_TOO_LARGE, "The message is too long.");
            let error = Some(text.to_owned());
            return Ok(page(site, headers, status, String::new(), error));
        }
        Err(error @ (BodyError::Incomplete | BodyError::TimedOut)) => {
            let title = "The message did not arrive";
            let text = sentence(&error.to_string());
            return Err(ErrorPage::new(StatusCode::BAD_REQUEST, title, text));
        }
    };
    let Ok(Sent { message, token }) = serde_urlencoded::from_bytes(&body) else {
        let title = "This is not the form for a message";
        return Err(ErrorPage::new(
            StatusCode::BAD_REQUEST,
            title,
            "Nothing was added.",
        ));
    };
    // Browsers send every line break as two characters, whatever was typed.
    let message = message.replace("\r\n", "\n");
    let refuse =
        |status, text: String| Ok(page(site, headers, status, message.clone(), Some(text)));
    if !site.is_own_form(headers, &token) {
        let text = "This form was made for another visit, or before the explorer was started \
            again. Nothing was added; press the button once more.";
        return refuse(StatusCode::FORBIDDEN, text.to_owned());
    }
    if message.is_empty() {
        return refuse(StatusCode::BAD_REQUEST, "The message is empty.".to_owned());
    }
    match site.client.add_for(remote.ip(), &message).await {
        Ok(Some(id)) => Ok(reply::see_other(&site.path(&format!("/message/{id}")))),
        // A reference miner gives no id.
        Ok(None) => Ok(reply::see_other(&site.path("/mempool"))),
        Err(ClientError::Refused {
            status,
            message: reason,
            ..
        }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            refuse(
                status,
                format!("The node did not take it: {}", sentence(&reason)),
            )
        }
        // The page of the message says what became of it.
        Err(ClientError::OutcomeUnknown { id: Some(id), .. }) => {
            Ok(reply::see_other(&site.path(&format!("/message/{id}"))))
        }
        Err(ClientError::OutcomeUnknown { id: None, source }) => {
            let text = "It is not known whether the message was added: look for it before you \
                send it again.";
            let text = format!("{} {text}", sentence(&source.to_string()));
            refuse(StatusCode::BAD_GATEWAY, text)
        }
        Err(error) => {
            let text = format!("{} Nothing was added.", sentence(&error.to_string()));
            refuse(StatusCode::BAD_GATEWAY, text)
        }
    }
}

fn page(
    site: &Site,
    headers: &HeaderMap,
    status: StatusCode,
    text: String,
    error: Option<String>,
) -> Response {
    let (form, session) = site.form(headers);
    let page = AddPage {
        frame: site.frame(Place::None),
        form: Form { text, ..form },
        error,
    };
    reply::remember(reply::page(status, &page), &session, &site.base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;

    #[test]
    fn a_refused_message_stays_in_the_form_and_is_inert() {
        let form = Form {
            text: "\n</textarea><script>alert(1)</script>".to_owned(),
            ..samples::form()
        };
        let page = AddPage {
            frame: samples::frame(),
            form,
            error: Some("The message is empty.".to_owned()),
        };
        let html = page.render().unwrap();
        assert!(!html.contains("<script>alert"), "{html}");
        assert_eq!(html.matches("</textarea").count(), 1);
        assert!(html.contains("role=\"alert\"") && html.contains("The message is empty."));
        // A browser drops the first line break of a text field.
        assert!(html.contains(">\n\n&#60;/textarea"), "{html}");
    }
}
