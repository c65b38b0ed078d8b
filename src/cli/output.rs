//! What is printed: values as text or JSON on the standard output, messages on the standard
//! error. Text from the chain never reaches a terminal raw.

#![expect(clippy::print_stderr, reason = "this file is the one that prints")]

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::error::Error;

/// How a command prints.
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
            writeln!(stdout, "{value}")
        }
        .and_then(|()| stdout.flush())
        .map_err(|source| Error::io("the standard output", source))
    }
}

/// The standard output, buffered; for commands that print as they go.
pub(super) fn stdout() -> impl Write {
    io::BufWriter::new(io::stdout().lock())
}

/// Writes JSON with indentation, safe to show.
pub(super) fn write_json(out: &mut impl Write, value: &impl Serialize) -> Result<(), Error> {
    serde_json::to_string_pretty(value)
        .map_err(io::Error::from)
        .and_then(|json| out.write_all(escape_json(&json).as_bytes()))
        .map_err(|source| Error::io("the standard output", source))
}

/// Prints a line for people.
pub(super) fn print_error(kind: &str, text: &str) {
    eprintln!("{kind}: {text}");
}

/// A bar on a terminal, nothing elsewhere. Without a length it counts.
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

/// A bar over the bytes of a file on a terminal, nothing elsewhere.
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

/// Prints a warning for people; it may show text from outside.
pub(super) fn warn(text: &str) {
    print_error("warning", &escape(text));
}

/// Text from outside with everything that could steer a terminal, hide or reorder text shown as
/// an escape.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_unsafe(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped.into()
}

/// JSON with what [`escape`] would escape written as escapes of JSON. Control characters below
/// DEL are escaped already; those that are left are line breaks between the values.
pub(super) fn escape_json(json: &str) -> Cow<'_, str> {
    let is_raw = |character| character >= '\u{7f}' && is_unsafe(character);
    if !json.contains(is_raw) {
        return json.into();
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_raw(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing into a String cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    escaped.into()
}

fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // Soft hyphen, Arabic letter mark, Mongolian vowel separator.
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            // Zero-width characters, marks of direction, line and paragraph separators.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            // Byte order mark, interlinear annotation, tags.
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::{escape, escape_json};

    #[test]
    fn nothing_that_steers_a_terminal_passes() {
        assert_eq!(escape("plain é 中文 😀"), "plain é 中文 😀");
        assert_eq!(
            escape("\x1b[31mred\n\r\t\x07"),
            "\\u{1b}[31mred\\n\\r\\t\\u{7}"
        );
        assert_eq!(
            escape("\u{202e}x\u{2066}\u{200b}\u{9b}"),
            "\\u{202e}x\\u{2066}\\u{200b}\\u{9b}"
        );
    }

    #[test]
    fn nothing_that_steers_a_terminal_passes_in_json_and_the_value_is_the_same() {
        assert_eq!(escape_json("{\n\"a\": \"é😀\"}"), "{\n\"a\": \"é😀\"}");
        let text = "\u{9b}31m\u{7f}\u{202e}\u{e0041}\u{1b}é";
        let json = serde_json::to_string(text).unwrap();
        let escaped = escape_json(&json);
        assert_eq!(escaped, r#""\u009b31m\u007f\u202e\udb40\udc41\u001bé""#);
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
    }
}
