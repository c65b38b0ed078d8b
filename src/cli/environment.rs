//! Options set by environment variables.
//!
//! clap reads the variables. This module prepares all options for them in the same way: an empty
//! variable counts as unset, a flag also accepts `1`, `yes` and `on`, a flag with an optional value
//! also accepts `true` and `false`, and an invalid value is an error that names the variable.

use std::error::Error as _;
use std::ffi::{OsStr, OsString};

use clap::builder::{BoolishValueParser, OsStr as ClapText, PossibleValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::error::Error;
use super::usage::plain;

/// A variable with an invalid value.
struct InvalidVariable {
    /// Names of the command and its parents.
    command: Vec<String>,
    option: String,
    message: String,
}

/// The invalid variables. Only those of the command that runs matter.
pub(super) struct Environment {
    invalid: Vec<InvalidVariable>,
}

impl Environment {
    /// Prepares all options of `command` and its subcommands for their variables.
    pub(super) fn apply(command: Command) -> (Command, Self) {
        let mut invalid = Vec::new();
        let command = prepare(hide_values(command), &[], &mut invalid);
        (command, Self { invalid })
    }

    /// Checks that no option of the command that runs has its value from an invalid variable.
    pub(super) fn check(&self, mut matches: &ArgMatches) -> Result<(), Error> {
        let mut command = Vec::new();
        loop {
            let of_command = self.invalid.iter().filter(|found| found.command == command);
            for found in of_command {
                if matches.value_source(&found.option) != Some(ValueSource::CommandLine) {
                    return Err(Error::usage(found.message.clone()));
                }
            }
            let Some((name, below)) = matches.subcommand() else {
                return Ok(());
            };
            command.push(name.to_owned());
            matches = below;
        }
    }
}

/// Leaves the values of variables out of help and man pages: they may be long, secret or unsafe to
/// print.
pub(super) fn hide_values(command: Command) -> Command {
    command
        .mut_args(|arg| arg.hide_env_values(true))
        .mut_subcommands(hide_values)
}

fn prepare(command: Command, path: &[String], invalid: &mut Vec<InvalidVariable>) -> Command {
    let whole = command.clone();
    let command = command.mut_args(|arg| {
        let Some(name) = arg.get_env().map(OsStr::to_owned) else {
            return arg;
        };
        let arg = if matches!(arg.get_action(), ArgAction::SetTrue) {
            arg.value_parser(BoolishValueParser::new())
        } else {
            arg
        };
        let Some(value) = std::env::var_os(&name) else {
            return arg;
        };
        if value.is_empty() {
            return arg.env(None::<&'static str>);
        }
        if let Some(is_set) = boolean(&arg, &value) {
            return set_flag(&whole, arg.env(None::<&'static str>), is_set);
        }
        let Err(reason) = check_value(&arg, &value) else {
            return arg;
        };
        invalid.push(InvalidVariable {
            command: path.to_vec(),
            option: arg.get_id().to_string(),
            message: format!("{}={}: {reason}", name.display(), value.display()),
        });
        arg.env(None::<&'static str>)
    });
    command.mut_subcommands(|command| {
        let path = [path, &[command.get_name().to_owned()]].concat();
        prepare(command, &path, invalid)
    })
}

/// Returns the boolean that a variable gives to a flag with an optional value.
fn boolean(arg: &Arg, value: &OsStr) -> Option<bool> {
    let value = value.to_str().filter(|_| is_optional_value(arg))?;
    value.to_ascii_lowercase().parse().ok()
}

/// Returns `true` if an option is a flag with an optional value, such as `--ui[=PORT]`.
pub(super) fn is_optional_value(arg: &Arg) -> bool {
    let count = arg.get_num_args();
    count.is_some_and(|count| count.min_values() == 0 && count.takes_values())
}

/// Makes a flag of `command` with an optional value set without a value, or unset, unless the command
/// line has it.
pub(super) fn set_flag(command: &Command, arg: Arg, is_set: bool) -> Arg {
    let value = is_set.then(|| value_of_flag(command, &arg)).flatten();
    match value {
        Some(value) => arg.default_value(ClapText::from(value)),
        None => arg.default_value(None::<&'static str>),
    }
}

/// Returns the value that a flag has without one. clap reveals it only by parsing.
fn value_of_flag(command: &Command, arg: &Arg) -> Option<OsString> {
    let flag = format!("--{}", arg.get_long()?);
    let command = command.clone().no_binary_name(true).ignore_errors(true);
    let matches = command.try_get_matches_from([flag]).ok()?;
    let mut values = matches.get_raw(arg.get_id().as_str())?;
    values.next().map(OsStr::to_owned)
}

/// Checks a value of an option, or each part of one with a delimiter. The reason does not name the
/// option.
pub(super) fn check_value(arg: &Arg, value: &OsStr) -> Result<(), String> {
    if let (Some(delimiter), Some(text)) = (arg.get_value_delimiter(), value.to_str()) {
        return text
            .split(delimiter)
            .try_for_each(|part| check_part(arg, part.as_ref()));
    }
    check_part(arg, value)
}

fn check_part(arg: &Arg, value: &OsStr) -> Result<(), String> {
    let alone = Arg::new("value")
        .value_parser(arg.get_value_parser().clone())
        .action(ArgAction::Set)
        .allow_hyphen_values(true);
    let command = Command::new("value").no_binary_name(true).arg(alone);
    let Err(error) = command.try_get_matches_from([value]) else {
        return Ok(());
    };
    if let Some(reason) = error.source() {
        return Err(plain(&reason.to_string()));
    }
    let possible = arg.get_possible_values();
    let names: Vec<_> = possible.iter().map(PossibleValue::get_name).collect();
    Err(match value.to_str() {
        None => "the value is not UTF-8".to_owned(),
        _ if !names.is_empty() => format!("expected one of {}", names.join(", ")),
        Some("") => "the value is empty".to_owned(),
        _ => "invalid value".to_owned(),
    })
}
