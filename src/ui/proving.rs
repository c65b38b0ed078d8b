//! `/proving`: what to keep, how often and where, so that an entry can be proven later.

use askama::Template;
use http::StatusCode;
use warp::http;
use warp::reply::Response;

use super::reply;
use super::site::{Layout, Section, Site};

#[derive(Template)]
#[template(path = "proving.html", config = "src/ui/askama.toml")]
struct ProvingPage {
    layout: Layout,
}

/// `GET /proving`.
pub(super) fn get(site: &Site) -> Response {
    let layout = site.layout(Section::None);
    reply::page(StatusCode::OK, &ProvingPage { layout })
}
