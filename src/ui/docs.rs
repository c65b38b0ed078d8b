//! `/docs` and `/openapi.json`: the description of the node's API, fetched from the node. A browser may
//! reach the explorer alone, for example through a proxy.

use http::{HeaderValue, StatusCode, header};
use warp::http;
use warp::reply::Response;

use super::error_page::ErrorPage;
use super::reply;
use super::site::Site;

/// The content security policy of the page, which comes from the node as HTML: no script runs, and no
/// form is sent.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The list of servers in the document of a node. It is relative to the address of the node.
const OWN_SERVER: &str = r#""servers":[{"url":"/"}]"#;

/// The address in the examples of the page.
const EXAMPLE_ADDRESS: &str = "localhost:12345";

/// `GET /docs`, with the address that takes the requests.
pub(super) async fn page(site: &Site) -> Result<Response, ErrorPage> {
    let html = fetch(site, "/docs").await?;
    let address = site.client.address();
    let note = format!(
        "<main>\n<p><a href=\"./\">Back to the explorer</a>. The node at <code>{address}</code> takes \
         these requests; the explorer does not.</p>\n"
    );
    let html = html.replacen("<main>\n", &note, 1);
    let html = html.replace(EXAMPLE_ADDRESS, &address.to_string());
    let mut response = reply::content(StatusCode::OK, "text/html; charset=utf-8", html.into());
    let policy = HeaderValue::from_static(POLICY);
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

/// `GET /docs/style.css`.
pub(super) async fn style(site: &Site) -> Result<Response, ErrorPage> {
    let style = fetch(site, "/docs/style.css").await?;
    let kind = "text/css; charset=utf-8";
    Ok(reply::content(StatusCode::OK, kind, style.into()))
}

/// `GET /openapi.json`, with the address of the node as the server.
pub(super) async fn document(site: &Site) -> Result<Response, ErrorPage> {
    let json = fetch(site, "/openapi.json").await?;
    let address = site.client.address();
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
