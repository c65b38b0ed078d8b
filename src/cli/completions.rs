//! `blockchain completions` and `blockchain man`: what a shell and `man` want to know of the
//! command line.

use std::io::Write;

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;

use super::error::Error;
use super::output::stdout;

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The command to write about; the program as a whole if left out
    command: Option<String>,
}

/// Prints what a shell completes commands by.
pub(super) fn run(args: &CompletionsArgs, mut command: Command) -> Result<(), Error> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    print(&script)
}

/// Prints a page for `man`.
pub(super) fn run_man(args: &ManArgs, mut command: Command) -> Result<(), Error> {
    // Only then do its commands know their full names.
    command.build();
    if let Some(name) = &args.command {
        command = command
            .find_subcommand(name)
            .ok_or_else(|| Error::usage(format!("{name:?} is no command")))?
            .clone();
    }
    let mut page = Vec::new();
    Man::new(command)
        .render(&mut page)
        .map_err(|source| Error::io("the page", source))?;
    print(&page)
}

fn print(text: &[u8]) -> Result<(), Error> {
    let mut out = stdout();
    out.write_all(text)
        .and_then(|()| out.flush())
        .map_err(Error::stdout)
}
