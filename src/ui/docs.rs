//! `/docs` and `/openapi.json`: the description of the node's API, fetched from the node. A browser may
//! reach the explorer alone, for example through a proxy.

use http::uri::Authority;
use http::{HeaderValue, StatusCode, header};
use warp::http;
use warp::reply::Response;

use super::address::is_loopback;
use super::error_page::ErrorPage;
use super::reply;
use super::request::PageRequest;
use super::site::Site;
use crate::client::NodeAddress;
use crate::http::{is_forwarded, request_host};

/// The content security policy of the page, which comes from the node as HTML: no script runs, and no
/// form is sent.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The list of servers in the document of a node. It is relative to the address of the node.
const OWN_SERVER: &str = r#""servers":[{"url":"/"}]"#;

/// `GET /docs`, with the address that takes the requests.
pub(super) async fn page(site: &Site, request: &PageRequest) -> Result<Response, ErrorPage> {
    let html = fetch(site, "/docs").await?;
    if has_refresh(&html) {
        return Err(ErrorPage::new(
            StatusCode::BAD_GATEWAY,
            "Unexpected response from the node",
            "Its page leads to another address, so it is not shown.",
        ));
    }
    let (address, limit) = match address_for(site, request).await? {
        Some(address) => (address, ""),
        None => (site.client.address().clone(), ", from its own machine only"),
    };
    // The node names the address at which the explorer reached it.
    let html = html.replace(&site.client.address().to_string(), &address.to_string());
    let note = format!(
        "<main>\n<p><a href=\"./\">Back to the explorer</a>. The node at <code>{address}</code> takes \
         these requests{limit}; the explorer does not.</p>\n"
    );
    let html = html.replacen("<main>\n", &note, 1);
    let mut response = reply::content(StatusCode::OK, "text/html; charset=utf-8", html.into());
    let policy = HeaderValue::from_static(POLICY);
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

/// Returns `true` if a page may lead the visitor elsewhere without a click, which no policy prevents.
fn has_refresh(html: &str) -> bool {
    html.to_ascii_lowercase().contains("http-equiv")
}

/// Returns the address at which the visitor reaches the node, or `None` if only the machine of the
/// explorer does.
async fn address_for(site: &Site, request: &PageRequest) -> Result<Option<NodeAddress>, ErrorPage> {
    let node = site.client.address();
    let host = request_host(&request.headers);
    let is_elsewhere = !request.is_local() || host.as_ref().is_some_and(|host| !is_loopback(host));
    if !is_elsewhere || !is_loopback(&node.to_string()) {
        return Ok(Some(node.clone()));
    }
    let listed = site.status().await?.addresses;
    let Some(first) = listed.first() else {
        return Ok(None);
    };
    // The visitor reached the explorer by this name. A proxy may have another one than the node.
    let visited = host.filter(|host| !is_loopback(host) && !is_forwarded(&request.headers));
    let visited = visited.and_then(|host| host.parse::<Authority>().ok());
    let visited = visited.and_then(|host| NodeAddress::new(host.host(), node.port()).ok());
    Ok(visited.or_else(|| first.parse().ok()))
}

/// `GET /docs/style.css`.
pub(super) async fn style(site: &Site) -> Result<Response, ErrorPage> {
    let style = fetch(site, "/docs/style.css").await?;
    let kind = "text/css; charset=utf-8";
    Ok(reply::content(StatusCode::OK, kind, style.into()))
}

/// `GET /openapi.json`, with the address of the node as the server.
pub(super) async fn document(site: &Site, request: &PageRequest) -> Result<Response, ErrorPage> {
    let json = fetch(site, "/openapi.json").await?;
    let address = address_for(site, request).await?;
    let address = address.unwrap_or_else(|| site.client.address().clone());
    let server = format!(r#""servers":[{{"url":"http://{address}/"}}]"#);
    let json = json.replacen(OWN_SERVER, &server, 1);
    Ok(reply::content(
        StatusCode::OK,
        "application/json",
        json.into(),
    ))
}

async fn fetch(site: &Site, path: &str) -> Result<String, ErrorPage> {
    match site.client.api_document(path).await {
        Ok(body) => String::from_utf8(body).map_err(|_| ErrorPage::internal()),
        Err(error) if error.is_not_found() => Err(ErrorPage::no_such(
            "API documentation",
            "The node has no description of its API. It may run an older version or the reference miner.",
        )),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_refreshes_itself_is_found() {
        assert!(!has_refresh(
            "<meta charset=utf-8><meta name=viewport content=width>"
        ));
        for page in [
            "<meta http-equiv=refresh content=\"0;url=http://evil.example\">",
            "<META HTTP-EQUIV='Refresh'>",
        ] {
            assert!(has_refresh(page), "{page}");
        }
    }
}
