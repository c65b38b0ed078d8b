//! `blockchain ui`: serves the web explorer of a node.

use std::net::SocketAddr;

use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::error::Error;
use super::port::{Port, listen_host};
use super::signals::Signals;
use crate::client::{HttpClient, NodeAddress};
use crate::http::OriginPolicy;
use crate::ui::{self, ExplorerSettings};

#[derive(Debug, Args)]
pub(super) struct UiArgs {
    /// Address to listen on; 0.0.0.0 for all interfaces
    #[arg(
        long,
        default_value = "127.0.0.1",
        value_parser = listen_host,
        env = "BLOCKCHAIN_UI_HOST"
    )]
    host: String,
    /// Port to listen on; 0 for any free port
    #[arg(long, default_value_t = 8080, env = "BLOCKCHAIN_UI_PORT")]
    port: u16,
    /// Node to show, as HOST:PORT or `http://HOST:PORT`
    #[arg(
        long,
        value_name = "URL",
        default_value = "127.0.0.1:12345",
        env = "BLOCKCHAIN_UI_NODE"
    )]
    node: NodeAddress,
    /// Path of the explorer behind a reverse proxy, such as /chain (default: none)
    #[arg(
        long,
        alias = "base_path",
        value_name = "PATH",
        default_value = "",
        hide_default_value = true,
        value_parser = base_path,
        env = "BLOCKCHAIN_UI_BASE_PATH"
    )]
    base_path: String,
    /// Additional host name under which browsers may reach the explorer; repeatable
    #[arg(
        long,
        alias = "allow_host",
        value_name = "NAME",
        value_delimiter = ',',
        env = "BLOCKCHAIN_UI_ALLOW_HOST"
    )]
    allow_host: Vec<String>,
}

pub(super) async fn run(args: UiArgs) -> Result<(), Error> {
    crate::http::raise_open_file_limit();
    let shutdown = CancellationToken::new();
    let port = Port::bind(&args.host, args.port, "--port").await?;
    Signals::listen()?.stop_with(shutdown.clone());
    let client = HttpClient::new(args.node)?;
    let explorer = Explorer::listen(&args.host, port, client, args.base_path, None)?;
    explorer
        .serve(origin_policy(&args.allow_host), shutdown)
        .await;
    Ok(())
}

/// Warns with this message if other machines can connect to the address.
pub(super) fn warn_if_public(host: &str, address: SocketAddr, message: &'static str) {
    if !address.ip().is_loopback() {
        warn!(host, port = address.port(), "{message}");
    }
}

/// Returns the policy that accepts these host names and those of this machine.
pub(super) fn origin_policy(names: &[String]) -> OriginPolicy {
    let own = rustix::system::uname();
    let own = own.nodename().to_str().unwrap_or_default();
    let short = own.split('.').next().unwrap_or_default();
    // Machines on a local network find each other by names below `.local` (multicast DNS).
    let local = format!("{short}.local");
    let own = [own, short, &local];
    let names = names.iter().map(String::as_str);
    OriginPolicy {
        allowed_hosts: names
            .chain(own.into_iter().filter(|_| !short.is_empty()))
            .map(str::to_ascii_lowercase)
            .collect(),
    }
}

/// An explorer that listens but does not answer yet.
pub(super) struct Explorer {
    listener: TcpListener,
    client: HttpClient,
    base_path: String,
    admin_token: Option<String>,
}

impl Explorer {
    /// Returns the port.
    pub(super) fn port(&self) -> Result<u16, Error> {
        let address = self.listener.local_addr();
        let address = address.map_err(|source| Error::io("listener", source))?;
        Ok(address.port())
    }

    /// Listens on the port and logs its address.
    pub(super) fn listen(
        host: &str,
        port: Port,
        client: HttpClient,
        base_path: String,
        admin_token: Option<String>,
    ) -> Result<Self, Error> {
        let listener = port.listen()?;
        let address = listener
            .local_addr()
            .map_err(|source| Error::io("listener", source))?;
        let page = ui::first_page(&base_path);
        info!(explorer = %format!("http://{address}{page}"), node = %client.address(), "listening");
        warn_if_public(
            host,
            address,
            "listening on a non-loopback address; anyone who can connect can read the chain, and \
             add messages unless the node is closed",
        );
        Ok(Self {
            listener,
            client,
            base_path,
            admin_token,
        })
    }

    /// Serves the explorer until `shutdown`.
    pub(super) async fn serve(self, policy: OriginPolicy, shutdown: CancellationToken) {
        let settings = ExplorerSettings {
            base_path: self.base_path,
            policy,
            admin_token: self.admin_token,
        };
        ui::serve(self.listener, self.client, settings, shutdown).await;
    }
}

/// Parses a path of plain names.
pub(super) fn base_path(text: &str) -> Result<String, &'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    if text.bytes().all(is_plain) && !text.contains("//") {
        Ok(text.to_owned())
    } else {
        Err("a path consists of letters, digits, - _ . ~ and single slashes")
    }
}

#[cfg(test)]
mod tests {
    use super::base_path;

    #[test]
    fn a_base_path_consists_of_plain_names() {
        for good in ["", "/", "/chain", "a/b-c"] {
            assert_eq!(base_path(good).as_deref(), Ok(good));
        }
        for wrong in ["//x", "/a b", "/a?b", "/ä", "/a\"b"] {
            assert!(base_path(wrong).is_err(), "{wrong}");
        }
    }
}
