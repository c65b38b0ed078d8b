//! The command line: arguments, logs, exit codes.
//!
//! A command is one file with its arguments, its `run` and the value that it prints:
//! * [`node`] with [`ui`]: servers
//! * [`add`], [`get`], [`invite`], [`neighbours`], [`acknowledge`]: requests to a running node
//! * [`monitor`]: checks that nodes extend kept checkpoints
//! * [`checkpoint`], [`receipt`], [`consistency`], [`stamp`]: proofs for readers without a node
//! * [`export`], [`import`], [`verify`]: chains in files, databases and nodes
//! * [`pow`], [`completions`]: work without a node
//!
//! Shared by the commands, from the top down:
//! * [`config`], [`environment`], [`names`]: options from a file and from variables, and names of
//!   blocks and messages
//! * [`usage`], [`version`], [`suggest`]: help, the version, errors about arguments, and suggestions
//! * [`source`], [`chain_file`], [`read_ahead`], [`examine`]: chains to read and check
//! * [`proof_source`], [`trust`], [`trusted_checkpoints`]: where proofs come from, and what they are verified against
//! * [`files`], [`target`], [`port`]: the files of a node, the node to ask, the port to listen on
//! * [`units`]: durations and sizes
//! * [`signals`], [`output`], [`log`], [`panics`]: signals, printed values and messages, logs
//! * [`error`]: errors, hints and exit codes

mod acknowledge;
mod add;
mod chain_file;
mod checkpoint;
mod completions;
mod config;
mod consistency;
mod environment;
mod error;
mod examine;
mod export;
mod files;
mod get;
mod import;
mod invite;
mod log;
mod monitor;
mod names;
mod neighbours;
mod node;
mod output;
mod panics;
mod port;
mod pow;
mod proof_source;
mod read_ahead;
mod receipt;
mod signals;
mod source;
mod stamp;
mod suggest;
mod target;
mod trust;
mod trusted_checkpoints;
mod ui;
mod units;
mod usage;
mod verify;
mod version;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, CommandFactory, Parser, Subcommand};

use crate::store;
use error::Error;
use output::{Output, report};
use signals::Signals;
use version::VERSION;

/// Heading of the options that every command has. They follow those of the command.
const GLOBAL_OPTIONS: &str = "Global options";

/// Text below the help of the whole program.
const AFTER_HELP: &str = "\
Tasks:
  Check a node    blockchain get status; blockchain verify --node HOST:PORT
  Back up         blockchain export --with-mempool --output backup.json
  Restore         blockchain import backup.json --db DIR
  Second machine  blockchain node --host 0.0.0.0; blockchain invite; there: blockchain join CODE
  Closed network  blockchain node --closed --neighbours HOST:PORT
  Watch nodes     blockchain monitor HOST:PORT HOST:PORT
  Prove offline   blockchain checkpoint --output kept.txt; blockchain receipt get ID
  Stamp files     blockchain stamp FILE; later: blockchain stamp verify FILE --trust kept.txt
  Add a log       blockchain add --lines --once < FILE

Exit codes:
  0    Success
  1    Negative answer: not valid, not found or rejected
  2    Wrong usage
  3    Failure, such as an unreachable node or a full disk
  130  Ended by Ctrl-C; 128 + N for another signal N

\"blockchain COMMAND --help\" explains a command and all of its options.";

/// A self-hosted proof-of-work message chain.
#[derive(Debug, Parser)]
#[command(
    name = "blockchain",
    version = VERSION,
    about,
    propagate_version = true,
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = AFTER_HELP
)]
struct Arguments {
    /// Print JSON instead of text, also for errors and --version
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS)]
    json: bool,
    /// Log level (error, warn, info, debug or trace) or filter directives
    #[arg(
        long,
        global = true,
        help_heading = GLOBAL_OPTIONS,
        value_name = "LEVEL",
        value_parser = log::directives,
        env = "RUST_LOG"
    )]
    log: Option<String>,
    /// Configuration file (TOML); options and environment variables override it
    #[arg(
        long,
        global = true,
        help_heading = GLOBAL_OPTIONS,
        value_name = "FILE",
        env = "BLOCKCHAIN_CONFIG"
    )]
    config: Option<PathBuf>,
    /// Print help (a summary with `-h`)
    #[arg(
        long,
        short,
        global = true,
        help_heading = GLOBAL_OPTIONS,
        action = ArgAction::Help
    )]
    help: Option<bool>,
    /// Print version
    #[arg(
        long,
        short = 'V',
        global = true,
        help_heading = GLOBAL_OPTIONS,
        action = ArgAction::Version
    )]
    version: Option<bool>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node
    Node(Box<node::NodeArgs>),
    /// Run a node on the network of an invite code, or of the node at an address
    Join(Box<node::JoinArgs>),
    /// Print the invite code of a network, for `join`
    Invite(invite::InviteArgs),
    /// Run a node with the command line of the reference miner
    Miner(node::MinerArgs),
    /// Serve the web explorer of a running node
    Ui(ui::UiArgs),
    /// Add a message to the chain
    Add(add::AddArgs),
    /// Print the chain, a block, messages, neighbours or the status of a node
    Get(get::GetArgs),
    /// Add or remove neighbours of a node on this machine
    Neighbours(neighbours::NeighboursArgs),
    /// Back up: export the chain of a node or a database to a file
    Export(export::ExportArgs),
    /// Restore a backup: import a chain file into a new or stopped node
    Import(import::ImportArgs),
    /// Verify the chain of a file, a database or a node
    Verify(verify::VerifyArgs),
    /// Print the checkpoint of a block: a line to keep elsewhere as evidence
    Checkpoint(checkpoint::CheckpointArgs),
    /// Get, show or verify a receipt: a file that proves messages offline
    Receipt(receipt::ReceiptArgs),
    /// Get or verify the proof that one checkpoint continues another
    Consistency(consistency::ConsistencyArgs),
    /// End the warning of a node on this machine about past reorgs
    Acknowledge(acknowledge::AcknowledgeArgs),
    /// Stamp files: prove later that they existed, without showing them to anyone
    Stamp(stamp::StampArgs),
    /// Watch nodes and raise an alarm when one rewrites its history
    Monitor(Box<monitor::MonitorArgs>),
    /// Solve or check the proof-of-work puzzle by hand
    Pow(pow::PowArgs),
    /// Generate shell completions
    Completions(completions::CompletionsArgs),
    /// Generate man pages
    Man(completions::ManArgs),
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let code = run_arguments();
    log::flush();
    code
}

fn run_arguments() -> ExitCode {
    output::detect_json();
    let arguments = match config::parse(|arguments: &Arguments| arguments.config.as_deref()) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => return report(&error),
    };
    suggest::warn_of_unknown_variables(&Arguments::command());
    // The store's hook passes panics that do not concern it to the hook installed before.
    panics::report();
    store::panics::install_hook(|error| {
        let _ = report(&error.into());
        log::flush_and_exit(3);
    });
    let output = Output::new(arguments.json);
    let outcome = tokio::runtime::Runtime::new()
        .map_err(|source| Error::io("async runtime", source))
        .and_then(|runtime| {
            let outcome = runtime.block_on(dispatch(arguments, &output));
            // A thread may still be blocked in a read of standard input.
            runtime.shutdown_background();
            outcome
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

async fn dispatch(arguments: Arguments, output: &Output) -> Result<(), Error> {
    signals::let_large_writes_fail()?;
    let directives = arguments.log.as_deref();
    match arguments.command {
        Command::Node(_) | Command::Join(_) | Command::Miner(_) => log::use_server_timeouts(),
        Command::Ui(_) => {
            log::use_server_timeouts();
            log::to_stderr(directives, "info")?;
        }
        _ => log::to_stderr(directives, "warn")?,
    }
    match arguments.command {
        Command::Node(args) => node::run(*args, directives).await,
        Command::Join(args) => node::run_join(*args, directives).await,
        Command::Invite(args) => invite::run(args, output).await,
        Command::Miner(args) => node::run_miner(args, directives).await,
        Command::Add(args) => add::run(args, output).await,
        Command::Get(args) => get::run(args, output).await,
        Command::Neighbours(args) => neighbours::run(args, output).await,
        Command::Export(args) => export::run(args, output, Signals::listen()?).await,
        Command::Import(args) => import::run(&args, *output, &Signals::listen()?),
        Command::Verify(args) => verify::run(args, output).await,
        Command::Checkpoint(args) => checkpoint::run(args, output).await,
        Command::Receipt(args) => receipt::run(args, output).await,
        Command::Consistency(args) => consistency::run(args, output).await,
        Command::Acknowledge(args) => acknowledge::run(args, output).await,
        Command::Stamp(args) => stamp::run(args, output).await,
        Command::Monitor(args) => monitor::run(*args, *output).await,
        Command::Pow(args) => pow::run(args, output).await,
        Command::Completions(args) => completions::run(&args, Arguments::command()),
        Command::Man(args) => {
            completions::run_man(&args, environment::hide_values(Arguments::command()))
        }
        Command::Ui(args) => ui::run(args).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
