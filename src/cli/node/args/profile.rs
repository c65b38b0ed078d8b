//! The options of `blockchain node` about names and access, which the database keeps.

use std::net::IpAddr;

use clap::Args;
use clap::builder::BoolishValueParser;
use ipnet::IpNet;

use crate::node::profile::{MAX_NAME, MAX_TITLE, ProfileChange, is_label};

/// Options about names and access.
#[derive(Debug, Args)]
#[command(next_help_heading = "Names and access (stored in the database)")]
pub(in crate::cli::node) struct ProfileOptions {
    /// Title of the network, at most 60 characters; the explorer shows it, and nodes that join adopt
    /// it
    #[arg(long, value_name = "TEXT", value_parser = title, env = "BLOCKCHAIN_NODE_TITLE")]
    title: Option<String>,
    /// Name of this node, at most 24 characters, which its neighbours show
    #[arg(long, value_name = "TEXT", value_parser = name, env = "BLOCKCHAIN_NODE_NAME")]
    name: Option<String>,
    /// Close the node: follow only the neighbours named by --neighbours, `neighbours add` or `join`,
    /// and accept messages only from the networks in --allow-add. --closed=false opens it again
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = BoolishValueParser::new(),
        env = "BLOCKCHAIN_NODE_CLOSED"
    )]
    closed: Option<bool>,
    /// Networks that may add messages to a closed node (default: loopback addresses)
    #[arg(
        long,
        alias = "allow_add",
        value_name = "CIDR",
        value_delimiter = ',',
        value_parser = network,
        env = "BLOCKCHAIN_NODE_ALLOW_ADD"
    )]
    allow_add: Option<Vec<Option<IpNet>>>,
}

impl ProfileOptions {
    /// Returns the changes of the profile.
    pub(in crate::cli::node) fn change(&self) -> ProfileChange {
        let networks = |given: &Vec<Option<IpNet>>| given.iter().flatten().copied().collect();
        ProfileChange {
            name: self.name.clone(),
            title: self.title.clone(),
            closed: self.closed,
            allow_add: self.allow_add.as_ref().map(networks),
        }
    }

    /// Sets the title of a network that was joined, unless an option gave one.
    pub(in crate::cli::node) fn set_title(&mut self, title: Option<&str>) {
        let title = title.filter(|title| is_label(title, MAX_TITLE));
        self.title = self.title.take().or_else(|| title.map(str::to_owned));
    }
}

/// Parses a network in CIDR notation or an address; an empty text is none.
fn network(text: &str) -> Result<Option<IpNet>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse::<IpNet>().or_else(|_| address());
    let network = network.map(|network| Some(network.trunc()));
    network.map_err(|_| "expected a network such as 192.168.0.0/16, or an IP address".to_owned())
}

fn name(text: &str) -> Result<String, String> {
    label(text, MAX_NAME)
}

fn title(text: &str) -> Result<String, String> {
    label(text, MAX_TITLE)
}

/// Parses a name or title; an empty one takes an earlier one back.
fn label(text: &str, max_characters: usize) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || is_label(text, max_characters) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "expected at most {max_characters} printable characters"
        ))
    }
}
