//! The options `--host` and `--port` of commands that query a node.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::error::Error;
use crate::client::address::DEFAULT_PORT;
use crate::client::{HttpClient, NodeAddress};

/// The options as clap parses them.
#[derive(Clone, Debug, Args)]
struct Written {
    /// Node to ask, as HOST, HOST:PORT or `http://HOST:PORT`
    #[arg(long, default_value = "127.0.0.1", env = "BLOCKCHAIN_CLIENT_HOST")]
    host: String,
    /// Port of the node (default: 12345)
    #[arg(long, env = "BLOCKCHAIN_CLIENT_PORT")]
    port: Option<u16>,
}

/// The node to query.
#[derive(Clone, Debug)]
pub(super) struct TargetArgs {
    /// The address, or the reason why the options are invalid.
    address: Result<NodeAddress, String>,
}

impl TargetArgs {
    /// Returns a client of this node without connecting to it.
    pub(super) fn client(&self) -> Result<HttpClient, Error> {
        let address = self.address.clone().map_err(Error::usage)?;
        Ok(HttpClient::new(address)?)
    }
}

impl Args for TargetArgs {
    fn augment_args(command: Command) -> Command {
        Written::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Written::augment_args_for_update(command)
    }
}

impl FromArgMatches for TargetArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let Written { host, port } = Written::from_arg_matches(matches)?;
        let strength = |name| matches.value_source(name).map_or(0, strength);
        let port = port.map(|port| (port, strength("port")));
        Ok(Self {
            address: resolve(&host, strength("host"), port),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Ranks the sources of a value: command line before environment before file.
fn strength(source: ValueSource) -> u8 {
    match source {
        ValueSource::CommandLine => 2,
        ValueSource::EnvVariable => 1,
        _ => 0,
    }
}

/// Returns the address of a host and a port, given the ranks of their sources. Only a port from a
/// higher source overrides a port in the host.
fn resolve(host: &str, host_strength: u8, port: Option<(u16, u8)>) -> Result<NodeAddress, String> {
    let text = |error: crate::client::address::InvalidAddress| error.to_string();
    let (name, in_host) = NodeAddress::split(host).map_err(text)?;
    let port = match (in_host, port) {
        (Some(in_host), Some((port, strength))) if strength == host_strength && port != in_host => {
            return Err(format!(
                "host {host:?} names port {in_host}, and --port names {port}: name one of them"
            ));
        }
        (Some(in_host), Some((_, strength))) if strength <= host_strength => in_host,
        (_, Some((port, _))) => port,
        (in_host, None) => in_host.unwrap_or(DEFAULT_PORT),
    };
    NodeAddress::new(name, port).map_err(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_the_host_yields_only_to_a_stronger_source() {
        let (file, variable, option) = (0, 1, 2);
        for (host, host_strength, port, expected) in [
            ("a", option, None, "a:12345"),
            ("a:1", option, None, "a:1"),
            ("a", option, Some((2, file)), "a:2"),
            ("a:1", option, Some((2, variable)), "a:1"),
            ("a:1", option, Some((2, file)), "a:1"),
            ("a:1", variable, Some((2, file)), "a:1"),
            ("a:1", variable, Some((2, option)), "a:2"),
            ("a:1", file, Some((2, option)), "a:2"),
            ("http://a:1/", option, Some((1, option)), "a:1"),
            ("[::1]:1", option, Some((2, variable)), "[::1]:1"),
        ] {
            let address = resolve(host, host_strength, port).unwrap();
            assert_eq!(address.to_string(), expected, "{host} {port:?}");
        }
        for strength in [file, variable, option] {
            let error = resolve("a:1", strength, Some((2, strength))).unwrap_err();
            assert!(
                error.contains("port 1") && error.contains("names 2"),
                "{error}"
            );
        }
    }
}
