//! The command line: arguments, logs, exit codes. One file a command, each with its arguments, a
//! `run` and, where it prints a value, that value.

mod add;
mod chain_file;
mod completions;
mod config;
mod environment;
mod error;
mod examine;
mod export;
mod files;
mod get;
mod import;
mod log;
mod neighbours;
mod node;
mod output;
mod panics;
mod port;
mod pow;
mod read_ahead;
mod signals;
mod source;
mod target;
mod ui;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::store;
use error::Error;
use output::{Output, report};
use signals::Signals;

/// The version; who builds a release names the commit with it. An empty text names none.
const VERSION: &str = match option_env!("BLOCKCHAIN_VERSION") {
    Some(version) if !version.is_empty() => version,
    _ => env!("CARGO_PKG_VERSION"),
};

/// A self-hosted proof-of-work message chain.
#[derive(Debug, Parser)]
#[command(name = "blockchain", version = VERSION, about, propagate_version = true)]
struct Arguments {
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
    /// What to log: error, warn, info, debug, trace, or directives as in `RUST_LOG`
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        value_parser = log::directives,
        env = "RUST_LOG"
    )]
    log: Option<String>,
    /// File of options, for what is named neither here nor by the environment
    #[arg(long, global = true, value_name = "FILE", env = "BLOCKCHAIN_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node
    Node(Box<node::NodeArgs>),
    /// Run a node as the original program's command does
    Miner(node::MinerArgs),
    /// Add a message
    Add(add::AddArgs),
    /// Ask a node for its chain, a block, a message, …
    Get(get::GetArgs),
    /// Add or remove neighbours of a node on this machine
    Neighbours(neighbours::NeighboursArgs),
    /// Write the chain of a database or a node
    Export(export::ExportArgs),
    /// Make the chain of a file that of a stopped node
    Import(import::ImportArgs),
    /// Check the chain of a file, a database or a node, rule by rule
    Verify(verify::VerifyArgs),
    /// Solve or check the puzzle by hand
    Pow(pow::PowArgs),
    /// Print what a shell completes this command line by
    Completions(completions::CompletionsArgs),
    /// Print a page for man
    Man(completions::ManArgs),
    /// Serve the explorer of a node: pages for a browser
    Ui(ui::UiArgs),
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let code = run_arguments();
    log::flush();
    code
}

fn run_arguments() -> ExitCode {
    let arguments = match config::parse(|arguments: &Arguments| arguments.config.as_deref()) {
        Ok(arguments) => arguments,
        Err(error) => return report(&error),
    };
    // What the engine has no part in is handed on to the hook before.
    panics::report();
    store::panics::watch(|error| {
        let _ = report(&error.into());
        log::flush_and_exit(3);
    });
    let output = Output::new(arguments.json);
    let outcome = tokio::runtime::Runtime::new()
        .map_err(|source| Error::io("async runtime", source))
        .and_then(|runtime| {
            let outcome = runtime.block_on(dispatch(arguments, &output));
            // A read of the standard input may still block a thread.
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
        Command::Node(_) | Command::Miner(_) => log::never_wait(),
        Command::Ui(_) => {
            log::never_wait();
            log::to_stderr(directives, "info")?;
        }
        _ => log::to_stderr(directives, "warn")?,
    }
    match arguments.command {
        Command::Node(args) => node::run(*args, directives).await,
        Command::Miner(args) => node::run_miner(args, directives).await,
        Command::Add(args) => add::run(args, output).await,
        Command::Get(args) => get::run(args, output).await,
        Command::Neighbours(args) => neighbours::run(args, output).await,
        Command::Export(args) => export::run(args, output, Signals::listen()?).await,
        Command::Import(args) => import::run(&args, *output, &Signals::listen()?),
        Command::Verify(args) => verify::run(args, output).await,
        Command::Pow(args) => pow::run(args, output).await,
        Command::Completions(args) => completions::run(&args, Arguments::command()),
        Command::Man(args) => completions::run_man(&args, Arguments::command()),
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
