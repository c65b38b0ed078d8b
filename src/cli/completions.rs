//! `blockchain completions` and `blockchain man`: generates shell completions and man pages.

use std::io::Write;

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;

use super::error::Error;
use super::output::stdout;

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Shell to generate completions for
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Command to describe; the whole program by default
    command: Option<String>,
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
    if let Some(name) = &args.command {
        command = command
            .find_subcommand(name)
            .ok_or_else(|| Error::usage(format!("unknown command {name:?}")))?
            .clone();
    }
    let mut page = Vec::new();
    Man::new(command)
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
