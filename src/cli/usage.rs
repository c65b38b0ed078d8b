//! Output of the argument parser in place of a command: help, the version, errors of usage.

use std::io::{self, Write};

use anstream::{AutoStream, ColorChoice};
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind as Kind};

use super::error::Error;
use super::log;
use super::output::{self, escape, stdout};
use super::version::Build;

const MISSING: &str = "a command is missing";
const SEE_HELP: &str = "\"blockchain --help\" lists the commands";

/// Prints the help or version that was asked for.
///
/// # Errors
/// If the output fails, or if the arguments are invalid.
pub(super) fn answer(error: clap::Error) -> Result<(), Error> {
    match error.kind() {
        Kind::DisplayVersion if output::errors_are_json() => {
            output::Output::new(true).print(&Build::new())
        }
        Kind::DisplayHelp | Kind::DisplayVersion => {
            let text = styled(&error.render(), AutoStream::choice(&io::stdout()));
            let mut out = stdout();
            out.write_all(text.as_bytes())
                .and_then(|()| out.flush())
                .map_err(Error::stdout)
        }
        Kind::DisplayHelpOnMissingArgumentOrSubcommand => {
            if !output::errors_are_json() {
                let text = styled(&error.render(), AutoStream::choice(&io::stderr()));
                log::print(text + "\n");
            }
            Err(Error::usage(MISSING))
        }
        Kind::MissingSubcommand => Err(Error::usage(MISSING).hint(SEE_HELP)),
        _ => Err(invalid(error)),
    }
}

fn styled(text: &StyledStr, choice: ColorChoice) -> String {
    match choice {
        ColorChoice::Never => text.to_string(),
        _ => text.ansi().to_string(),
    }
}

/// Returns the error about invalid arguments, which are escaped.
fn invalid(mut error: clap::Error) -> Error {
    let word = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.clone()),
        _ => None,
    };
    let stray = word(ContextKind::InvalidArg);
    let stray =
        stray.filter(|word| error.kind() == Kind::UnknownArgument && !word.starts_with('-'));
    escape_context(&mut error);
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let (mut message, mut hints, mut usage) = (String::new(), Vec::new(), None);
    for (number, paragraph) in text.split("\n\n").enumerate() {
        for line in paragraph.lines().map(str::trim) {
            let possible = line
                .strip_prefix('[')
                .and_then(|line| line.strip_suffix(']'));
            if let Some(values) = possible.filter(|line| line.starts_with("possible values")) {
                hints.push(values.to_owned());
            } else if let Some(tip) = line.strip_prefix("tip: ") {
                hints.push(tip.to_owned());
            } else if let Some(line) = line.strip_prefix("Usage: ") {
                usage = Some(line.to_owned());
            } else if number == 0 {
                message.extend((!message.is_empty()).then_some(' '));
                message.push_str(line);
            }
        }
    }
    let adds = |usage: &String| usage.starts_with("blockchain add ");
    if stray.is_some() && usage.as_ref().is_some_and(adds) {
        let quotes = "put a message with spaces in quotes: blockchain add \"hello world\"";
        hints.push(quotes.to_owned());
    }
    let hints = hints.iter().map(|hint| plain(hint)).collect();
    Error::arguments(plain(&message), hints, usage)
}

/// Escapes arguments where an error quotes them.
fn escape_context(error: &mut clap::Error) {
    let escaped: Vec<_> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(word) => {
                Some((kind, ContextValue::String(escape(word).into_owned())))
            }
            ContextValue::Strings(words) => {
                let words = words.iter().map(|word| escape(word).into_owned());
                Some((kind, ContextValue::Strings(words.collect())))
            }
            _ => None,
        })
        .collect();
    for (kind, value) in escaped {
        error.insert(kind, value);
    }
}

/// Replaces texts of the parser and of the standard library.
pub(super) fn plain(text: &str) -> String {
    let bounds = |text: &str| {
        let (before, range) = text.rsplit_once(" is not in ")?;
        let (low, high) = range.split_once("..=")?;
        Some(format!("{before} is not between {low} and {high}"))
    };
    let text = bounds(text).unwrap_or_else(|| text.to_owned());
    text.replace("unrecognized subcommand '", "unknown command '")
        .replace("similar subcommand", "similar command")
        .replace("invalid digit found in string", "expected a whole number")
        .replace(
            "cannot parse integer from empty string",
            "expected a whole number",
        )
        .replace(
            "number too large to fit in target type",
            "the number is too large",
        )
}
