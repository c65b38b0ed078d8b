//! `--config FILE`: options that neither the command line nor the environment sets.
//!
//! The file is TOML and can set what the environment can: the variable `BLOCKCHAIN_NODE_PORT` is
//! the key `port` of the table `[node]`, and `RUST_LOG` the key `log` before all tables. So there is
//! no separate list of keys, and an option without a variable, such as `--force-new-chain`, has no
//! key. The values become the defaults of their options, and the command line is parsed again.

use std::io::Read;
use std::path::Path;

use clap::{Arg, Command, Parser};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::environment::{Environment, check_value, is_optional_value, set_flag};
use super::error::Error;
use super::files::expand;
use super::suggest::Options;
use super::usage::answer;
use crate::fs::open_regular;

/// Maximum size of the file, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// One key of the file.
struct Entry {
    line: usize,
    /// Empty before all tables.
    table: String,
    key: String,
    /// The values; several if it is a list.
    values: Vec<String>,
    is_list: bool,
    /// The value if it is `true` or `false`.
    boolean: Option<bool>,
}

/// Parses the arguments of this process, with the values of the configuration file that
/// `config_of` returns from them. Returns `None` after printing the help or version that they ask
/// for.
pub(super) fn parse<A: Parser>(
    config_of: impl Fn(&A) -> Option<&Path>,
) -> Result<Option<A>, Error> {
    let Some(arguments) = parse_command::<A>(A::command())? else {
        return Ok(None);
    };
    let Some(path) = config_of(&arguments) else {
        return Ok(Some(arguments));
    };
    let path = expand(path);
    let wrong = |line: usize, reason: String| {
        Error::usage(format!("{}, line {line}: {reason}", path.display()))
    };
    let text = read(&path)?;
    let entries = entries(&text).map_err(|(line, reason)| wrong(line, reason))?;
    let mut command = A::command();
    let options = Options::of(&command);
    for entry in &entries {
        let mut outcome = Err(options.explain(&entry.table, &entry.key));
        command = entry.apply(command, &mut outcome);
        outcome.map_err(|reason| wrong(entry.line, format!("{}: {reason}", entry.name())))?;
    }
    parse_command(command)
}

/// Parses the command line and the environment.
fn parse_command<A: Parser>(command: Command) -> Result<Option<A>, Error> {
    let (mut command, environment) = Environment::apply(command);
    let matches = match command.try_get_matches_from_mut(std::env::args_os()) {
        Ok(matches) => matches,
        Err(error) => return answer(error).map(|()| None),
    };
    environment.check(&matches)?;
    match A::from_arg_matches(&matches) {
        Ok(arguments) => Ok(Some(arguments)),
        Err(error) => answer(error.format(&mut command)).map(|()| None),
    }
}

fn read(path: &Path) -> Result<String, Error> {
    let mut bytes = Vec::new();
    let file = open_regular(path).map_err(|source| Error::file(path, source))?;
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::file(path, source))?;
    if bytes.len() as u64 > MAX_BYTES {
        let limit = MAX_BYTES / 1024;
        let reason = format!("{}: has more than {limit} KiB", path.display());
        return Err(Error::usage(reason));
    }
    let not_text = |_| Error::usage(format!("{}: is not UTF-8 text", path.display()));
    String::from_utf8(bytes).map_err(not_text)
}

/// Parses the file. An error is the number of a line and the reason.
fn entries(text: &str) -> Result<Vec<Entry>, (usize, String)> {
    let line = |position: usize| 1 + text.bytes().take(position).filter(|&b| b == b'\n').count();
    let file = DeTable::parse(text).map_err(|error| {
        let position = error.span().map_or(0, |span| span.start);
        (line(position), error.message().to_owned())
    })?;
    let mut entries = Vec::new();
    let mut add = |table: &str, key: &Spanned<DeString>, value: &DeValue| {
        let line = line(key.span().start);
        let entry = Entry::new(line, table, key.get_ref(), value);
        entries.push(entry.map_err(|reason| (line, reason))?);
        Ok(())
    };
    for (key, value) in file.get_ref() {
        match value.get_ref() {
            DeValue::Table(table) => {
                let name = key.get_ref();
                for (key, value) in table {
                    add(name, key, value.get_ref())?;
                }
            }
            value => add("", key, value)?,
        }
    }
    Ok(entries)
}

impl Entry {
    fn new(line: usize, table: &str, key: &str, value: &DeValue) -> Result<Self, String> {
        let mut entry = Self {
            line,
            table: table.to_owned(),
            key: key.to_owned(),
            values: Vec::new(),
            is_list: false,
            boolean: value.as_bool(),
        };
        let one = |value: &DeValue| match value {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) => Some(number.to_string()),
            DeValue::Boolean(flag) => Some(flag.to_string()),
            _ => None,
        };
        let values = if let DeValue::Array(list) = value {
            entry.is_list = true;
            list.iter().map(|value| one(value.get_ref())).collect()
        } else {
            one(value).map(|value| vec![value])
        };
        entry.values = values.ok_or_else(|| {
            let name = entry.name();
            format!("{name}: expected a text, a whole number, true or false, or a list of them")
        })?;
        Ok(entry)
    }

    /// The key as messages name it.
    fn name(&self) -> String {
        if self.table.is_empty() {
            self.key.clone()
        } else {
            format!("{} in [{}]", self.key, self.table)
        }
    }

    /// The variable of the same option, in lower case: `[NODE]` is not a table of options.
    fn variable(&self) -> String {
        if self.table.is_empty() {
            return "rust_log".to_owned();
        }
        format!("blockchain_{}_{}", self.table, self.key.replace('-', "_"))
    }

    /// Makes these values the default wherever a command has this option.
    fn apply(&self, command: Command, outcome: &mut Result<(), String>) -> Command {
        let variable = self.variable();
        let whole = self.boolean.map(|is_set| (command.clone(), is_set));
        let command = command.mut_args(|arg| {
            let is_it = arg
                .get_env()
                .is_some_and(|name| name.to_ascii_lowercase() == variable.as_str());
            let is_named = match arg.get_long() {
                Some(long) => long == self.key,
                None => arg.get_id() == &*self.key,
            };
            if !is_it || !is_named {
                return arg;
            }
            if let Some((command, is_set)) = whole.as_ref().filter(|_| is_optional_value(&arg)) {
                *outcome = Ok(());
                return set_flag(command, arg, *is_set);
            }
            let values = self.values_of(&arg);
            *outcome = values.as_ref().map(drop).map_err(Clone::clone);
            match values {
                Ok(values) if !values.is_empty() => arg.default_values(values),
                _ => arg,
            }
        });
        command.mut_subcommands(|command| self.apply(command, outcome))
    }

    /// The values, split and checked for this option.
    fn values_of(&self, arg: &Arg) -> Result<Vec<String>, String> {
        let values: Vec<String> = match arg.get_value_delimiter() {
            Some(delimiter) => {
                let values = self.values.iter().flat_map(|value| value.split(delimiter));
                values.map(str::to_owned).collect()
            }
            None if self.is_list => return Err("takes one value, not a list".to_owned()),
            None => self.values.clone(),
        };
        for value in &values {
            // clap's message about an invalid default would not name the file.
            check_value(arg, value.as_ref()).map_err(|reason| format!("{value:?}: {reason}"))?;
        }
        Ok(values)
    }
}
