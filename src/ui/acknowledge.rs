//! `/reorgs/acknowledge`: ends the warning about a reorg on every page.

use std::net::SocketAddr;

use bytes::Buf;
use futures_util::Stream;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::format::sentence;
use super::reply;
use super::site::Site;
use crate::http::read_body;

/// Maximum size of a request body in bytes.
const MAX_BODY_BYTES: usize = 4096;

#[derive(Deserialize)]
struct Submission {
    number: u64,
    token: String,
}

/// `POST /reorgs/acknowledge`, from a browser on the machine of the node.
pub(super) async fn submit(
    site: &Site,
    remote: SocketAddr,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
) -> Result<Response, ErrorPage> {
    let admin = site.admin_token.as_deref();
    let Some(admin) = admin.filter(|_| is_local(remote, headers)) else {
        return Err(ErrorPage::new(
            StatusCode::FORBIDDEN,
            "Only the administrator may do this",
            "Open the explorer on the machine of the node, or run \"blockchain acknowledge\" there.",
        ));
    };
    let invalid = |text: &str| ErrorPage::new(StatusCode::BAD_REQUEST, "Invalid form data", text);
    let body = read_body(headers, body, MAX_BODY_BYTES).await;
    let body = body.map_err(|error| invalid(&sentence(&error.to_string())))?;
    let form = serde_urlencoded::from_bytes::<Submission>(&body);
    let Submission { number, token } = form.map_err(|_| invalid("Nothing was acknowledged."))?;
    if !site.verify_form(headers, &token) {
        return Err(ErrorPage::new(
            StatusCode::FORBIDDEN,
            "This form has expired",
            "It belongs to another session, or the explorer was restarted. Open the page again.",
        ));
    }
    site.client.acknowledge_reorgs(number, admin).await?;
    // The next page must not show the warning any more.
    site.status().await?;
    Ok(reply::see_other(&site.path("/reorgs")))
}

/// Returns `true` for a browser on this machine that is not behind a proxy.
fn is_local(remote: SocketAddr, headers: &HeaderMap) -> bool {
    let is_forwarded = ["forwarded", "x-forwarded-for"]
        .into_iter()
        .any(|name| headers.contains_key(name));
    remote.ip().to_canonical().is_loopback() && !is_forwarded
}
