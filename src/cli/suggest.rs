//! Suggestions for options that the environment and the configuration file misspell or misplace.

use std::collections::BTreeSet;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command};

use super::output::warn;

/// First word of the variables of options, in lower case.
const PREFIX: &str = "blockchain_";

/// The options of a command and of those below it.
#[derive(Default)]
pub(super) struct Options {
    /// Long names of all options.
    names: BTreeSet<String>,
    /// The section of the file and the key of each option that can be set there.
    keys: BTreeSet<(String, String)>,
}

impl Options {
    pub(super) fn of(command: &Command) -> Self {
        let mut options = Self::default();
        options.add(command);
        options
    }

    fn add(&mut self, command: &Command) {
        for arg in command.get_arguments() {
            self.names.extend(arg.get_long().map(str::to_owned));
            let variable = arg.get_env().and_then(|name| name.to_str());
            let variable = variable.map(str::to_ascii_lowercase).unwrap_or_default();
            let parts = variable.strip_prefix(PREFIX);
            if let Some((section, key)) = parts.and_then(|parts| parts.split_once('_')) {
                self.keys
                    .insert((section.to_owned(), key.replace('_', "-")));
            }
        }
        command
            .get_subcommands()
            .for_each(|command| self.add(command));
    }

    fn sections(&self) -> BTreeSet<&str> {
        self.keys.iter().map(|(section, _)| &**section).collect()
    }

    fn has(&self, section: &str, key: &str) -> bool {
        self.keys.contains(&(section.to_owned(), key.to_owned()))
    }

    /// Returns the reason why the file may not have a key, with a suggestion. `section` is empty
    /// before all sections.
    pub(super) fn explain(&self, section: &str, key: &str) -> String {
        let sections = self.sections();
        if !section.is_empty() && !sections.contains(section) {
            let meant = nearest(section, sections.iter().copied());
            let meant = meant.map(|meant| format!("; did you mean [{meant}]?"));
            return format!(
                "there is no section [{section}]{}",
                meant.unwrap_or_default()
            );
        }
        let plain = key.to_ascii_lowercase().replace('_', "-");
        let keys = self.keys.iter().filter(|(other, _)| other == section);
        let meant = if self.has(section, &plain) {
            Some(plain.clone())
        } else {
            let homes: Vec<_> = sections
                .iter()
                .filter(|home| self.has(home, &plain))
                .collect();
            if !homes.is_empty() {
                let homes: Vec<_> = homes.iter().map(|home| format!("[{home}]")).collect();
                return format!(
                    "there is no such option here; it belongs to {}",
                    homes.join(" or ")
                );
            }
            if self.names.contains(&plain) {
                return "there is no such option in files: it is accepted on the command line only"
                    .to_owned();
            }
            nearest(&plain, keys.map(|(_, key)| &**key))
        };
        let meant = meant.map(|meant| format!("; did you mean {meant}?"));
        format!("there is no such option{}", meant.unwrap_or_default())
    }
}

/// Warns of variables that look like options but are not.
pub(super) fn warn_of_unknown_variables(command: &Command) {
    let options = Options::of(command);
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut names: Vec<_> = names.collect();
    names.sort();
    for name in names {
        if let Some(text) = unknown_variable(&options, &name) {
            warn(&text);
        }
    }
}

fn unknown_variable(options: &Options, name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let (section, key) = lower.strip_prefix(PREFIX)?.split_once('_')?;
    let key = key.replace('_', "-");
    // Kubernetes sets such variables for a service with the name of a section.
    let is_of_service = key.starts_with("service-") || key.starts_with("port-");
    if is_of_service || !options.sections().contains(section) || options.has(section, &key) {
        return None;
    }
    let keys = options.keys.iter().filter(|(other, _)| other == section);
    let meant = nearest(&key, keys.map(|(_, key)| &**key)).map(|meant| {
        let variable = format!("{PREFIX}{section}_{}", meant.replace('-', "_"));
        format!("; did you mean {}?", variable.to_ascii_uppercase())
    });
    Some(format!(
        "the variable {name} sets no option{}",
        meant.unwrap_or_default()
    ))
}

/// Returns the most similar of some words, by the measure that the command line uses.
fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<String> {
    let args = words.map(|word| Arg::new(word.to_owned()).long(word.to_owned()));
    let command = Command::new("options").no_binary_name(true).args(args);
    let error = command.try_get_matches_from([format!("--{word}")]).err()?;
    match error.get(ContextKind::SuggestedArg)? {
        ContextValue::String(meant) => Some(meant.trim_start_matches('-').to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn keys_are_explained() {
        let options = Options::of(&crate::cli::Arguments::command());
        for (section, key, expected) in [
            (
                "nodes",
                "port",
                "there is no section [nodes]; did you mean [node]?",
            ),
            ("x", "port", "there is no section [x]"),
            (
                "node",
                "dificulty",
                "there is no such option; did you mean difficulty?",
            ),
            (
                "node",
                "max_reorg",
                "there is no such option; did you mean max-reorg?",
            ),
            (
                "node",
                "PORT",
                "there is no such option; did you mean port?",
            ),
            ("node", "xyz", "there is no such option"),
            (
                "ui",
                "difficulty",
                "there is no such option here; it belongs to [node]",
            ),
            (
                "",
                "port",
                "there is no such option here; it belongs to [client] or [node] or [ui]",
            ),
            (
                "node",
                "force-new-chain",
                "there is no such option in files: it is accepted on the command line only",
            ),
        ] {
            assert_eq!(options.explain(section, key), expected, "{section} {key}");
        }
    }

    #[test]
    fn variables_are_explained() {
        let options = Options::of(&crate::cli::Arguments::command());
        let unknown = |name| unknown_variable(&options, name);
        assert_eq!(
            unknown("BLOCKCHAIN_NODE_PROT").as_deref(),
            Some(
                "the variable BLOCKCHAIN_NODE_PROT sets no option; did you mean BLOCKCHAIN_NODE_PORT?"
            )
        );
        for name in [
            "BLOCKCHAIN_NODE_PORT",
            "BLOCKCHAIN_NODE_MAX_REORG",
            "BLOCKCHAIN_NODE_SERVICE_HOST",
            "BLOCKCHAIN_NODE_PORT_12345_TCP",
            "BLOCKCHAIN_VERSION",
            "BLOCKCHAIN_EVENT",
            "BLOCKCHAIN_TEST_RUNS",
            "PATH",
        ] {
            assert_eq!(unknown(name), None, "{name}");
        }
    }
}
