//! `blockchain completions` and `blockchain man`: generates shell completions and man pages.

use std::io::Write;

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;

use super::error::Error;
use super::output::stdout;
use super::version::VERSION;

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Shell to generate completions for
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Command to describe, such as `get block` (default: the whole program)
    #[arg(num_args = 0..)]
    command: Vec<String>,
}

/// Prints the completion script of a shell.
pub(super) fn run(args: &CompletionsArgs, mut command: Command) -> Result<(), Error> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    print(&script)
}

/// Prints a man page.
pub(super) fn run_man(args: &ManArgs, mut command: Command) -> Result<(), Error> {
    // Gives the subcommands their full names.
    command.build();
    for name in &args.command {
        let below = command.find_subcommand(name).cloned();
        command = below.ok_or_else(|| {
            let name = args.command.join(" ");
            Error::usage(format!("unknown command {name:?}")).hint("see \"blockchain --help\"")
        })?;
    }
    let mut page = Vec::new();
    Man::new(command)
        .source(format!("blockchain {VERSION}"))
        .render(&mut page)
        .map_err(|source| Error::io("man page", source))?;
    print(&page)
}

fn print(text: &[u8]) -> Result<(), Error> {
    let mut out = stdout();
    out.write_all(text)
        .and_then(|()| out.flush())
        .map_err(Error::stdout)
}
