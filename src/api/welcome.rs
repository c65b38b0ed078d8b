//! The page for a browser that opens the port of the node. Other clients get the 404 of the reference miner.

use std::fmt::Write;

use http::{HeaderMap, HeaderValue, Method, header};
use warp::http;
use warp::http::uri::Authority;
use warp::reply::Response;

use super::openapi::escape;
use crate::node::Node;

/// The policy of the page, which runs no scripts.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// Returns the page, if this is a request of a browser for `/`.
pub(super) fn page(
    node: &Node,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> Option<Response> {
    let accepts_html = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("text/html"));
    if path != "/" || !accepts_html || !matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    let explorer = node.listening().and_then(|listening| listening.explorer);
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let host = host.parse::<Authority>().ok()?;
    let body = html(node.profile.title(), host.host(), explorer);
    let mut response = Response::new(body.into());
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "accept"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    Some(response)
}

fn html(title: Option<&str>, host: &str, explorer: Option<u16>) -> String {
    let title = escape(title.unwrap_or("blockchain"));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<link rel=\"stylesheet\" href=\"/docs/style.css\">\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n<p>A node of this network answers here to programs.</p>\n<ul>\n"
    );
    let _ = match explorer {
        Some(port) => writeln!(
            html,
            "<li><a href=\"http://{}:{port}/\">Open the explorer</a>: blocks, messages and \
             neighbours</li>",
            escape(host)
        ),
        None => writeln!(
            html,
            "<li>The explorer is off. Start the node with <code>--ui</code>.</li>"
        ),
    };
    html.push_str(
        "<li><a href=\"/docs\">Read the description of the API</a></li>\n</ul>\n</main>\n</body>\n\
         </html>\n",
    );
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_links_the_explorer_on_the_host_of_the_request() {
        let page = html(Some("<Class 8b>"), "pc-7.local", Some(8080));
        assert!(page.contains("<h1>&lt;Class 8b&gt;</h1>"), "{page}");
        assert!(page.contains("href=\"http://pc-7.local:8080/\""), "{page}");
        assert!(page.contains("href=\"/docs\""), "{page}");
        assert!(html(None, "a\"b", None).contains("<code>--ui</code>"));
    }
}
