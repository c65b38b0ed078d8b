//! `blockchain completions` and `blockchain man`: generates shell completions and man pages.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

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
    /// Write the page of every command to this folder instead, as packages do
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

/// Prints the completion script of a shell.
pub(super) fn run(args: &CompletionsArgs, mut command: Command) -> Result<(), Error> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    print(&script)
}

/// Prints a man page, or writes all of them to a folder.
pub(super) fn run_man(args: &ManArgs, mut command: Command) -> Result<(), Error> {
    if let Some(folder) = &args.dir {
        return write_all(folder, command);
    }
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

/// Writes a man page of each command with its subcommands.
fn write_all(folder: &Path, command: Command) -> Result<(), Error> {
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command, folder))
        .map_err(|source| Error::file(folder, source))
}

fn print(text: &[u8]) -> Result<(), Error> {
    let mut out = stdout();
    out.write_all(text)
        .and_then(|()| out.flush())
        .map_err(Error::stdout)
}
