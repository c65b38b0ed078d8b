//! The explorer: pages over the REST API of one node, which may run anywhere.
//!
//! Everything is rendered here and works without JavaScript; the scripts keep a page fresh and run
//! the experiments. A page is a file: an askama struct, made from what the node answered.
//!
//! * [`site`]: what the pages share; [`routes`]: which page answers what; [`reply`]: the headers
//!   every answer carries
//! * [`home`], [`blocks`], [`block`], [`message`], [`search`], [`mempool`], [`peers`], [`reorgs`],
//!   [`lab`]: the pages; [`problem`]: the page for everything that went wrong
//! * [`add`], [`token`]: the one form that changes something, and what keeps other sites from
//!   sending it
//! * [`events`]: news from the node, handed on to every open page
//! * [`raw`]: blocks as the node describes them, for people and for the scripts
//! * [`parts`], [`words`]: what several pages show; [`assets`]: styles and scripts
//!
//! Every message is hostile text: it goes through [`parts::text`], templates escape everything,
//! and a strict policy keeps browsers from running or loading anything that is not ours.

mod add;
mod assets;
mod block;
mod blocks;
mod error_page;
mod events;
mod format;
mod home;
mod lab;
mod mempool;
mod message;
mod parts;
mod peers;
mod raw;
mod reorgs;
mod reply;
mod routes;
#[cfg(test)]
mod samples;
mod search;
mod site;
mod token;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::Request;
use hyper::service::{Service, service_fn};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::client::HttpClient;
use crate::http::{ConnectionPool, Guard, Panicked, TrackedRequestBody};
use error_page::ErrorPage;
use site::Site;

/// How the explorer is reached.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What stands before every path, such as `/chain`; empty for nothing.
    pub base_path: String,
    /// Who may be named as the host of a request.
    pub guard: Guard,
}

/// Serves the explorer of a node until the shutdown.
pub async fn serve(
    listener: TcpListener,
    client: HttpClient,
    settings: Settings,
    shutdown: CancellationToken,
) {
    let site = Arc::new(Site::new(client, &settings.base_path, shutdown.clone()));
    let follow = events::follow(Arc::clone(&site), shutdown.clone());
    let routes = TowerToHyperService::new(warp::service(routes::routes(Arc::clone(&site))));
    let guard = Arc::new(settings.guard);
    let answer = move |remote: SocketAddr, mut request: Request<TrackedRequestBody>| {
        let (site, guard, routes) = (Arc::clone(&site), Arc::clone(&guard), routes.clone());
        request.extensions_mut().insert(remote);
        async move {
            let answer = match routes::admit(&site, &guard, &mut request) {
                Some(refusal) => refusal,
                None => match crate::http::catch_panic(routes.call(request)).await {
                    Ok(Ok(answer)) => answer,
                    Err(Panicked) => ErrorPage::internal().page(&site),
                },
            };
            Ok::<_, Infallible>(reply::secured(answer))
        }
    };
    let service = |remote| {
        let answer = answer.clone();
        service_fn(move |request| answer(remote, request))
    };
    // Both end with the shutdown; a panic of one ends the other.
    tokio::join!(
        crate::http::serve(listener, service, ConnectionPool::default(), shutdown),
        follow
    );
}
