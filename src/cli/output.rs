//! Prints values as text or JSON on standard output, and messages on standard error. Text from the
//! chain is always escaped.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::fs::Permissions;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tempfile::NamedTempFile;

use super::error::{Error, ErrorKind};
use super::files::replaceable;
use super::log;
use crate::fs::{folder_of, persist};
use crate::text::escape_json;
pub(super) use crate::text::{escape, escape_lines};

/// Output format of a command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// Prints a value.
    pub(super) fn print<T: Serialize + Display>(self, value: &T) -> Result<(), Error> {
        let mut stdout = stdout();
        if self.json {
            write_json(&mut stdout, value)?;
            stdout.write_all(b"\n")
        } else {
            writeln!(stdout, "{}", escape_lines(&value.to_string()))
        }
        .and_then(|()| stdout.flush())
        .map_err(Error::stdout)
    }

    /// Prints one of many values: with `--json`, each on a line of its own (NDJSON).
    pub(super) fn print_one_of_many<T: Serialize + Display>(self, value: &T) -> Result<(), Error> {
        if !self.json {
            return self.print(value);
        }
        let mut stdout = stdout();
        serde_json::to_string(value)
            .map_err(io::Error::from)
            .and_then(|json| writeln!(stdout, "{}", escape_json(&json)))
            .and_then(|()| stdout.flush())
            .map_err(Error::stdout)
    }

    /// Prints a verdict. The exit code reports a negative one even if the output was closed.
    pub(super) fn print_verdict<T: Serialize + Display>(
        self,
        verdict: &T,
        is_positive: bool,
    ) -> Result<(), Error> {
        let printed = self.print(verdict);
        if is_positive {
            printed
        } else {
            Err(ErrorKind::Negative.into())
        }
    }
}

/// Returns standard output, buffered.
pub(super) fn stdout() -> impl Write {
    io::BufWriter::new(io::stdout().lock())
}

/// Writes indented JSON, safe to show.
pub(super) fn write_json(out: &mut impl Write, value: &impl Serialize) -> Result<(), Error> {
    serde_json::to_string_pretty(value)
        .map_err(io::Error::from)
        .and_then(|json| out.write_all(escape_json(&json).as_bytes()))
        .map_err(Error::stdout)
}

/// Writes a file, or to the standard output if no path is given.
pub(super) fn write_to(path: Option<&Path>, content: &[u8]) -> Result<(), Error> {
    if let Some(path) = path {
        return write_file(path, content);
    }
    let mut out = stdout();
    out.write_all(content)
        .and_then(|()| out.flush())
        .map_err(Error::stdout)
}

/// Replaces a file, whole or not at all. A file of a node is not replaced.
pub(super) fn write_file(path: &Path, content: &[u8]) -> Result<(), Error> {
    let path = &*replaceable(path)?;
    let file = write_temporary(path, content)?;
    persist(file, path).map_err(|source| Error::file(path, source))
}

/// Writes the content of a file to a temporary file beside it.
pub(super) fn write_temporary(path: &Path, content: &[u8]) -> Result<NamedTempFile, Error> {
    let failed = |source| Error::file(path, source);
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder_of(path))
        .map_err(failed)?;
    file.write_all(content).map_err(failed)?;
    Ok(file)
}

/// An error as JSON.
#[derive(Serialize)]
struct ErrorObject<'a> {
    error: &'a str,
    message: &'a str,
    hint: Option<&'a str>,
}

/// `true` if messages on the standard error are JSON.
static ERRORS_ARE_JSON: AtomicBool = AtomicBool::new(false);

/// Looks for `--json` among the arguments of this process, which may not be parsed yet.
pub(super) fn detect_json() {
    let mut options = std::env::args_os().skip(1).take_while(|word| word != "--");
    ERRORS_ARE_JSON.store(options.any(|word| word == "--json"), Ordering::Relaxed);
}

/// Returns `true` if messages on the standard error are JSON.
pub(super) fn errors_are_json() -> bool {
    ERRORS_ARE_JSON.load(Ordering::Relaxed)
}

/// Prints an error with its causes and remedy. Returns the exit code that reports it.
pub(super) fn report(error: &Error) -> ExitCode {
    let lines = error.lines();
    if errors_are_json() && !lines.is_empty() {
        let texts = |wanted: &[&str], separator| {
            let lines = lines.iter().filter(|(kind, _)| wanted.contains(kind));
            let texts: Vec<_> = lines.map(|(_, text)| &**text).collect();
            texts.join(separator)
        };
        let message = texts(&["error", "caused by"], ": ");
        let hint = Some(texts(&["hint"], "; ")).filter(|hint| !hint.is_empty());
        print_json(&ErrorObject {
            error: error.code(),
            message: &message,
            hint: hint.as_deref(),
        });
        return error.exit_code();
    }
    for (kind, text) in lines {
        print_line(kind, &escape(&text));
    }
    error.exit_code()
}

/// Prints that a signal ends the process.
pub(super) fn report_signal(text: &str) {
    if errors_are_json() {
        print_json(&ErrorObject {
            error: "signal",
            message: text,
            hint: None,
        });
    } else {
        print_line("error", text);
    }
}

fn print_json(object: &impl Serialize) {
    if let Ok(json) = serde_json::to_string(object) {
        log::print(format!("{}\n", escape_json(&json)));
    }
}

/// Prints a message, such as a warning, on the standard error. It may contain untrusted text.
pub(super) fn print_message(kind: &str, text: &str) {
    if errors_are_json() {
        print_json(&BTreeMap::from([(kind, text)]));
    } else {
        print_line(kind, &escape(text));
    }
}

fn print_line(kind: &str, text: &str) {
    let style = match kind {
        "error" => AnsiColor::Red.on_default().bold(),
        "warning" => AnsiColor::Yellow.on_default().bold(),
        _ => Style::new().bold(),
    };
    let mut line = format!("{style}{kind}:{style:#} {text}\n");
    // Colours are for terminals only.
    if AutoStream::choice(&io::stderr()) == ColorChoice::Never {
        line = strip_str(&line).to_string();
    }
    log::print(line);
}

/// Returns a progress bar, hidden unless standard error is a terminal. Without a length it counts.
pub(super) fn bar(length: Option<u64>, unit: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = match length {
        Some(_) => format!("{{bar:32}} {{pos}}/{{len}} {unit}, {{per_sec}}, {{eta}} left"),
        None => format!("{{spinner}} {{pos}} {unit}, {{per_sec}}"),
    };
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr_with_hz(8));
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}

/// Returns a progress bar over the bytes of a file, hidden unless standard error is a terminal.
pub(super) fn bytes_bar(length: Option<u64>) -> ProgressBar {
    let bar = bar(length, "");
    let template = match length {
        Some(_) => "{bar:32} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
        None => "{spinner} {bytes}, {bytes_per_sec}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Prints a warning, which may contain untrusted text.
pub(super) fn warn(text: &str) {
    print_message("warning", text);
}

/// Maximum number of characters of a [`Preview`].
const PREVIEW_WIDTH: usize = 60;

/// The beginning of a text, safe to show in a list.
pub(super) struct Preview<'a>(pub(super) &'a str);

impl Display for Preview<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.char_indices().nth(PREVIEW_WIDTH).map(|(end, _)| end);
        f.write_str(&escape(&self.0[..end.unwrap_or(self.0.len())]))?;
        f.write_str(if end.is_some() { "…" } else { "" })
    }
}

/// Formats rows with aligned columns, two spaces apart.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width_of = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width_of);
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}
