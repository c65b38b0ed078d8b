//! `blockchain join`: runs a node on the network of an invite code.
//!
//! A new database takes the genesis block from a node of the code. What the code does not say comes
//! from the first node that answers, and is accepted only after a question. An existing database is
//! only compared with the code, so that a later run needs no other node.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::args::{GenesisArg, JoinArgs, NodeOptions, Rules, SealedFrom};
use crate::chain::check::check_genesis;
use crate::chain::{Block, BlockHash};
use crate::cli::error::Error;
use crate::cli::files::{Files, expand};
use crate::cli::output::{print_message, warn};
use crate::client::invite::{GenesisPrefix, InviteCode, SAFE_GENESIS_DIGITS, SealRule};
use crate::client::peer::Identity;
use crate::client::{HttpTransport, NodeAddress, PeerClient, PeerError};
use crate::pow::Difficulty;
use crate::store::{NeighbourStatus, Network, StoppedStore, View};

/// Number of attempts to reach a node of the code.
const ATTEMPTS: u32 = 3;

/// Delay between two attempts.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Parameters with which a node that joins a network starts.
pub(super) struct Joined {
    /// The genesis block for a new database.
    pub(super) genesis: Option<Block>,
    /// The nodes of the code, which stay neighbours in later runs.
    pub(super) neighbours: Vec<NodeAddress>,
}

/// A network as a node of it describes it.
struct Found {
    from: NodeAddress,
    genesis: Block,
    hash: BlockHash,
    network: Network,
    title: Option<String>,
}

/// Reason for not joining a node.
enum NotJoined {
    /// It gave no response.
    Silent(PeerError),
    /// It is on another network than the code says. The text continues a sentence that begins with
    /// its address.
    Other(String),
}

pub(in crate::cli) async fn run(args: JoinArgs, directives: Option<&str>) -> Result<(), Error> {
    let JoinArgs {
        code,
        db,
        yes,
        mut options,
    } = args;
    let code: InviteCode = code.parse().map_err(|error| {
        Error::usage(error).hint("\"blockchain invite\" prints the code on a node of the network")
    })?;
    reject_other_networks(&options)?;
    if options.host.is_none() && !code.addresses().iter().all(is_loopback) {
        options.host = Some(all_interfaces(&code).to_owned());
    }
    if let Some(weakness) = code.genesis().and_then(GenesisPrefix::weakness) {
        warn(&weakness);
    }
    let files = Files::in_new_folder(&expand(&db))?;
    let genesis = if files.database.exists() {
        let stopped = StoppedStore::open(&files.database)?;
        let view = stopped.view()?;
        continue_with(&code, &view, &mut options).await?;
        None
    } else {
        files.check_not_lost()?;
        if files.chain.exists() {
            let text = format!("{} has a chain without a database", files.folder.display());
            return Err(Error::rejected(text).hint("join with another folder (--db)"));
        }
        let found = find(&code).await?;
        confirm(&code, &found, yes)?;
        options.set_network(found.hash, found.network)?;
        options.profile.set_title(found.title.as_deref());
        if found.network.sealed_from.is_none() {
            options.accept_open = true;
        } else {
            options.require_sealed = found.network.sealed_from.map(SealedFrom::Index);
        }
        Some(found.genesis)
    };
    options.peers.add_neighbours(code.addresses());
    let joined = Joined {
        genesis,
        neighbours: code.addresses().to_vec(),
    };
    super::start(&files, options, Rules::Ours, directives, Some(joined)).await
}

/// Rejects the options that choose a network, which the code does.
fn reject_other_networks(options: &NodeOptions) -> Result<(), Error> {
    let given = [
        ("--force-new-chain", options.force_new_chain),
        ("--new-genesis", options.new_genesis.is_some()),
        ("--genesis", options.peers.genesis.is_some()),
        ("--accept-open", options.accept_open),
        ("--require-sealed", options.require_sealed.is_some()),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((option, _)) => Err(Error::usage(format!(
            "{option} cannot be used with join: the code says which network to join"
        ))),
    }
}

impl NodeOptions {
    /// Sets the genesis block and the difficulty of the network to join.
    fn set_network(&mut self, genesis: BlockHash, network: Network) -> Result<(), Error> {
        let difficulty = network.difficulty;
        if let Some(given) = self.difficulty
            && given != difficulty
        {
            return Err(Error::usage(format!(
                "--difficulty {given} differs from the network, which has difficulty {difficulty}"
            )));
        }
        self.difficulty = Some(difficulty);
        self.peers.genesis = Some(GenesisArg::Hash(genesis));
        Ok(())
    }
}

fn is_loopback(address: &NodeAddress) -> bool {
    match address.ip() {
        Some(ip) => ip.is_loopback(),
        None => address.host() == "localhost",
    }
}

/// Returns the address to listen on, so that the nodes of the code reach this one.
fn all_interfaces(code: &InviteCode) -> &'static str {
    if code.addresses().iter().all(NodeAddress::is_ipv6) {
        "::"
    } else {
        "0.0.0.0"
    }
}

/// Compares an existing database with the code.
///
/// # Errors
/// If it has the chain of another network. Nothing is changed.
async fn continue_with(
    code: &InviteCode,
    view: &View,
    options: &mut NodeOptions,
) -> Result<(), Error> {
    let other_folder = |text: String| {
        Err(Error::rejected(text).hint("join that network with another folder (--db)"))
    };
    let kept = view.network()?;
    let hash = BlockHash::of(
        &view
            .block(0)?
            .ok_or_else(|| Error::failed("no genesis block"))?,
    );
    if let Some(wanted) = code.genesis() {
        if !wanted.matches(&hash) {
            return other_folder(format!(
                "the genesis block of this database is {hash}, and the code says {wanted}"
            ));
        }
    } else if !are_kept(code.addresses(), view)? {
        let found = find(code).await?;
        if found.hash != hash {
            let (from, theirs) = (found.from, found.hash);
            return other_folder(format!(
                "the genesis block of this database is {hash}, and that of {from} is {theirs}"
            ));
        }
    }
    let rule = SealRule::of(kept.sealed_from);
    if let Some(wanted) = code.seal_rule().filter(|wanted| *wanted != rule) {
        return other_folder(format!(
            "the seal rule of this database is \"{rule}\", and that of the code is \"{wanted}\""
        ));
    }
    let wanted = code.difficulty().unwrap_or(kept.difficulty);
    if wanted < kept.difficulty {
        return other_folder(format!(
            "this database requires difficulty {}, and the code says {wanted}",
            kept.difficulty
        ));
    }
    let network = Network {
        difficulty: wanted,
        ..kept
    };
    options.set_network(hash, network)
}

/// Returns `true` if all addresses are neighbours that the administrator named.
fn are_kept(addresses: &[NodeAddress], view: &View) -> Result<bool, Error> {
    let kept = view.neighbours()?;
    let is_kept = |address: &NodeAddress| {
        kept.iter().any(|record| {
            record.status == NeighbourStatus::Added && record.address == address.to_string()
        })
    };
    Ok(addresses.iter().all(is_kept))
}

/// Asks the nodes of the code for their network, all at once, and returns the first that fits.
async fn find(code: &InviteCode) -> Result<Found, Error> {
    let transport = Arc::new(HttpTransport::new().map_err(Error::failed)?);
    // This node does not listen yet, so it advertises no address.
    let client = PeerClient::new(transport, String::new());
    let mut silence = None;
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(RETRY_DELAY).await;
        }
        let asked = code.addresses().iter().map(|from| ask(&client, from, code));
        let mut other = None;
        for (from, answer) in code.addresses().iter().zip(join_all(asked).await) {
            match answer {
                Ok(found) => return Ok(found),
                Err(NotJoined::Other(why)) => _ = other.get_or_insert((from, why)),
                Err(NotJoined::Silent(why)) => silence = Some((from, why)),
            }
        }
        if let Some((from, why)) = other {
            return Err(
                Error::rejected(format!("{from} {why}; nothing was changed"))
                    .hint("ask for a new code (\"blockchain invite\")"),
            );
        }
    }
    let (from, why) = silence.map_or_else(Default::default, |(from, why)| {
        let cause = why
            .source()
            .map_or_else(String::new, |cause| format!(": {cause}"));
        (from.to_string(), format!("{why}{cause}"))
    });
    let text = match code.addresses().len() {
        1 => format!("no response from {from}: {why}"),
        count => format!("none of the {count} nodes of the code responds; {from}: {why}"),
    };
    Err(Error::failed(text).hint(
        "check that the node runs, that it listens on this network (--host 0.0.0.0), and that no \
         firewall is in between",
    ))
}

/// Asks one node for its network and the genesis block, and compares them with the code.
async fn ask(
    client: &PeerClient,
    from: &NodeAddress,
    code: &InviteCode,
) -> Result<Found, NotJoined> {
    let other = |why: String| Err(NotJoined::Other(why));
    let status = match client.identify(from).await? {
        Identity::Ours(status) => status,
        Identity::Reference => {
            return other(
                "is a reference miner; share its network with \"blockchain node --accept-open \
                 --neighbours HOST:PORT\""
                    .to_owned(),
            );
        }
    };
    let invalid = || other("describes its network in an invalid way".to_owned());
    let (Ok(hash), Ok(difficulty)) = (
        status.genesis.parse::<BlockHash>(),
        Difficulty::new(status.difficulty),
    ) else {
        return invalid();
    };
    if let Some(wanted) = code.genesis().filter(|wanted| !wanted.matches(&hash)) {
        return other(format!(
            "has the genesis block {hash}, and the code says {wanted}"
        ));
    }
    if let Some(wanted) = code.difficulty().filter(|wanted| *wanted != difficulty) {
        return other(format!(
            "has difficulty {difficulty}, and the code says {wanted}"
        ));
    }
    let rule = SealRule::of(status.sealed_from);
    if let Some(wanted) = code.seal_rule().filter(|wanted| *wanted != rule) {
        return other(format!(
            "has the seal rule \"{rule}\", and the code says \"{wanted}\""
        ));
    }
    let genesis = client.blocks(from, 0, 1).await?.pop();
    let is_genesis = |block: &Block| BlockHash::of(block) == hash && check_genesis(block).is_ok();
    match genesis.filter(is_genesis) {
        None => invalid(),
        Some(genesis) => Ok(Found {
            from: from.clone(),
            genesis,
            hash,
            network: Network {
                difficulty,
                sealed_from: status.sealed_from,
            },
            title: status.title.clone(),
        }),
    }
}

impl From<PeerError> for NotJoined {
    fn from(error: PeerError) -> Self {
        Self::Silent(error)
    }
}

/// Prints what the code leaves to the node that answered, and asks whether to accept it.
fn confirm(code: &InviteCode, found: &Found, yes: bool) -> Result<(), Error> {
    if code.is_complete() {
        return Ok(());
    }
    let mut missing = Vec::new();
    if code.genesis().is_none() {
        missing.push(format!("genesis {}", found.hash));
    }
    if code.difficulty().is_none() {
        missing.push(format!("difficulty {}", found.network.difficulty));
    }
    if code.seal_rule().is_none() {
        missing.push(SealRule::of(found.network.sealed_from).to_string());
    }
    let from = &found.from;
    let said = missing.join(", ");
    print_message(
        "note",
        &format!("{from} says, and the code does not: {said}"),
    );
    if code.genesis().is_none() {
        let mut text = format!(
            "nothing but this answer shows that {from} is on the network that you mean (trust on \
             first use)"
        );
        let Network {
            difficulty,
            sealed_from,
        } = found.network;
        let addresses = code.addresses().to_vec();
        let digits = SAFE_GENESIS_DIGITS;
        if let Ok(complete) =
            InviteCode::new(addresses, &found.hash, digits, difficulty, sealed_from)
        {
            let _ = write!(text, "; the complete code is {complete}");
        }
        print_message("note", &text);
    }
    if yes || is_accepted()? {
        Ok(())
    } else {
        Err(Error::rejected("not joined; nothing was changed"))
    }
}

/// Asks on the terminal.
///
/// # Errors
/// If there is no terminal.
fn is_accepted() -> Result<bool, Error> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Error::usage(
            "not joined: the code is not complete, and nobody can be asked here",
        )
        .hint("use the complete code, or add --yes to accept what the node says"));
    }
    let mut stderr = anstream::stderr();
    let mut answer = String::new();
    write!(stderr, "Join this network? [y/N] ")
        .and_then(|()| stderr.flush())
        .and_then(|()| io::stdin().lock().read_line(&mut answer))
        .map_err(Error::stdin)?;
    Ok(["y", "yes"].contains(&&*answer.trim().to_ascii_lowercase()))
}
