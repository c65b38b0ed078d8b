//! The explorer: web pages over the REST API of one node, local or remote.
//!
//! The server renders every page from the node's responses, and every page works without JavaScript.
//! Scripts only refresh open pages and run the experiments. Each page is one file with one askama
//! template.
//!
//! Requests and responses:
//! * [`routes`]: maps each request to a page; [`request`]: the part of a request that pages read
//! * [`reply`]: responses and their security headers; [`error_page`]: the page of every error
//! * [`site`]: state shared by all pages, and the layout around each; [`address`]: the address under
//!   which the browser sees them
//!
//! Pages:
//! * [`home`], [`blocks`], [`block`], [`message`], [`mempool`], [`peers`], [`reorgs`], [`search`],
//!   [`lab`], [`checkpoint`], [`receipt`], [`proving`]: one page each
//! * [`qr`]: the QR code of a checkpoint; [`verifier`]: the page that verifies receipts offline
//! * [`add`]: the form for a new message; [`acknowledge`]: the form that ends the warning about a
//!   reorg; [`csrf`]: keeps other sites from submitting them
//! * [`raw`]: blocks as JSON, for people and for the scripts; [`docs`]: the description of the API
//! * [`parts`]: fragments that several pages show; [`format`](mod@format): numbers and durations as text
//!
//! Updates and files:
//! * [`relay`]: follows the node's events; [`events`]: streams them to open pages
//! * [`assets`]: style sheets and scripts
//!
//! Every message is treated as hostile. [`parts::text`] shows it, templates escape all values, and a
//! content security policy keeps browsers from running or loading anything from elsewhere.

mod acknowledge;
mod add;
mod address;
mod assets;
mod block;
mod blocks;
mod checkpoint;
mod csrf;
mod docs;
mod error_page;
mod events;
mod format;
mod home;
mod lab;
mod mempool;
mod message;
mod parts;
mod peers;
mod proving;
pub mod qr;
mod raw;
mod receipt;
mod relay;
mod reorgs;
mod reply;
mod request;
mod routes;
#[cfg(test)]
mod samples;
mod search;
mod site;
pub mod verifier;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::Request;
use hyper::service::{Service, service_fn};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::client::HttpClient;
use crate::http::{ConnectionPool, OriginPolicy, Panicked, TrackedRequestBody, catch_panic};
use error_page::ErrorPage;
use site::Site;
pub use site::first_page;

/// Settings of the explorer.
#[derive(Clone, Default)]
pub struct ExplorerSettings {
    /// Prefix of every path, such as `/chain`; may be empty.
    pub base_path: String,
    /// Host names that a request may have.
    pub policy: OriginPolicy,
    /// Token of the node's administrator, if the explorer runs beside the node.
    pub admin_token: Option<String>,
}

/// Serves the explorer of a node until shutdown.
pub async fn serve(
    listener: TcpListener,
    client: HttpClient,
    settings: ExplorerSettings,
    shutdown: CancellationToken,
) {
    let site = Arc::new(Site::new(
        client,
        &settings.base_path,
        settings.admin_token,
        shutdown.clone(),
    ));
    let routes = TowerToHyperService::new(warp::service(routes::routes(Arc::clone(&site))));
    let policy = Arc::new(settings.policy);
    let respond = {
        let site = Arc::clone(&site);
        move |remote: SocketAddr, mut request: Request<TrackedRequestBody>| {
            let (site, policy, routes) = (Arc::clone(&site), Arc::clone(&policy), routes.clone());
            request.extensions_mut().insert(remote);
            async move {
                let response = match routes::admit(&site, &policy, &mut request) {
                    Some(rejection) => rejection,
                    None => match catch_panic(routes.call(request)).await {
                        Ok(Ok(response)) => response,
                        Err(Panicked) => ErrorPage::internal().into_response(&site),
                    },
                };
                Ok::<_, Infallible>(reply::secured(response))
            }
        }
    };
    let service = |remote| {
        let respond = respond.clone();
        service_fn(move |request| respond(remote, request))
    };
    let relay = async {
        // Error pages need the title of the network too.
        tokio::select! {
            _ = site.status() => {}
            () = shutdown.cancelled() => {}
        }
        if let Err(Panicked) = catch_panic(site.relay.run(&site.client, &shutdown)).await {
            tracing::error!("event relay panicked; pages fall back to polling");
            site.relay.stop();
        }
    };
    tokio::join!(
        crate::http::serve(
            listener,
            service,
            ConnectionPool::default(),
            shutdown.clone()
        ),
        relay
    );
}
