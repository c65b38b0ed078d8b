//! Text for people: escaping of untrusted text, plurals and durations.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// Escapes the characters of untrusted text that [are unsafe to print](is_unsafe). Emoji stay whole.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for (character, joins_emoji) in with_emoji_joiners(text) {
        if is_unsafe(character) && !joins_emoji {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped.into()
}

/// Escapes each line of an untrusted text.
pub fn escape_lines(text: &str) -> String {
    text.split('\n').map(escape).collect::<Vec<_>>().join("\n")
}

/// Escapes the characters of JSON that [`escape`] would escape, as JSON escapes. Control characters
/// below DEL are already escaped in strings; those outside strings are line breaks.
pub fn escape_json(json: &str) -> Cow<'_, str> {
    let is_raw = |character| character >= '\u{7f}' && is_unsafe(character);
    if json.bytes().all(|byte| byte < 0x7f) || !json.contains(is_raw) {
        return json.into();
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for (character, joins_emoji) in with_emoji_joiners(json) {
        if is_raw(character) && !joins_emoji {
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

/// Returns the characters of a text, each with `true` if it is a zero width joiner that joins two
/// pictographs to one emoji, such as a family or a flag. Anywhere else, a joiner hides.
pub(crate) fn with_emoji_joiners(text: &str) -> impl Iterator<Item = (char, bool)> {
    let mut follows_pictograph = false;
    let mut characters = text.chars().peekable();
    std::iter::from_fn(move || {
        let character = characters.next()?;
        let joins = character == ZERO_WIDTH_JOINER
            && follows_pictograph
            && characters.peek().copied().is_some_and(is_pictograph);
        // A variation selector or a skin tone belongs to the pictograph before it.
        follows_pictograph = is_pictograph(character)
            || follows_pictograph && matches!(character, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}');
        Some((character, joins))
    })
}

/// Joins two characters to one, without a width of its own.
const ZERO_WIDTH_JOINER: char = '\u{200d}';

/// Returns `true` for the pictographs that emoji sequences of Unicode join.
fn is_pictograph(character: char) -> bool {
    matches!(
        character,
        '\u{2194}' | '\u{2195}' | '\u{2600}'..='\u{27bf}' | '\u{2b1b}'
            | '\u{1f300}'..='\u{1f3fa}' | '\u{1f400}'..='\u{1faff}'
    )
}

/// Returns `true` if a character could control a terminal, or hide or reorder text.
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // Soft hyphen, Arabic letter mark, Mongolian vowel separator.
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            // Zero-width characters, directional marks, line and paragraph separators.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            // Byte order mark, interlinear annotation, tags.
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// Returns at most `length` characters of a text, followed by an ellipsis if there are more.
pub fn shorten(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Formats a number with a noun: `1 block`, `2 blocks`.
pub fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", plural(count))
}

/// Returns the plural ending of a regular noun: empty for 1, `s` otherwise.
pub fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// A duration in seconds, displayed in at most two units.
#[derive(Clone, Copy, Debug)]
pub struct Span(pub f64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.max(0.0);
        let (minute, hour, day) = (60.0, 3600.0, 86_400.0);
        let (unit, name, lower, lower_name) = match seconds {
            _ if seconds < minute => return write!(f, "{seconds:.0} s"),
            _ if seconds < hour => (minute, "min", 1.0, "s"),
            _ if seconds < day => (hour, "h", minute, "min"),
            _ => (day, "d", hour, "h"),
        };
        let whole = (seconds / unit).floor();
        let rest = ((seconds - whole * unit) / lower).floor();
        write!(f, "{whole} {name} {rest} {lower_name}")
    }
}

/// A number of bytes, displayed in a binary unit with at most one decimal.
#[derive(Clone, Copy, Debug)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
        let Some((name, bits)) = units.iter().find(|(_, bits)| self.0 >> bits > 0) else {
            return write!(f, "{}", counted(self.0, "byte"));
        };
        // Rounded down: a shortage by a little must not look like enough.
        let tenths = (u128::from(self.0) * 10) >> bits;
        match tenths % 10 {
            0 => write!(f, "{} {name}", tenths / 10),
            tenth => write!(f, "{}.{tenth} {name}", tenths / 10),
        }
    }
}

/// Formats the offset of a clock in seconds, positive if it is ahead. `duration` formats its length.
pub(crate) fn clock_offset<D: fmt::Display>(offset: f64, duration: impl Fn(f64) -> D) -> String {
    match offset {
        offset if offset.abs() < 1.0 => "in sync".to_owned(),
        offset if offset > 0.0 => format!("{} ahead", duration(offset.round())),
        offset => format!("{} behind", duration(-offset.round())),
    }
}

/// Returns the length of a text as a JSON string in bytes, without the quotation marks.
pub fn json_length(text: &[u8]) -> usize {
    let more = |byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        ..b' ' => 5,
        _ => 0,
    };
    text.len() + sum_of_bytes(text, more)
}

/// Returns the sum of a value of each byte, at most 7. The sums of chunks fit in a byte, which lets
/// the compiler use vector instructions; checks for overflow would prevent that.
pub(crate) fn sum_of_bytes(text: &[u8], value: impl Fn(u8) -> u8) -> usize {
    let sum = |chunk: &[u8]| {
        let sum = chunk.iter().map(|byte| value(*byte));
        usize::from(sum.fold(0, u8::wrapping_add))
    };
    text.chunks(32).map(sum).sum()
}

#[cfg(test)]
mod tests {
    #[test]
    fn json_length_counts_escapes() {
        let text: String = (0..0x250).filter_map(char::from_u32).collect();
        let json = serde_json::to_string(&text).unwrap();
        assert_eq!(super::json_length(text.as_bytes()), json.len() - 2);
    }

    use super::{Size, Span, counted, escape, escape_json};

    #[test]
    fn only_1_is_singular() {
        let texts = [0, 1, 2, 11].map(|count| counted(count, "block"));
        assert_eq!(texts, ["0 blocks", "1 block", "2 blocks", "11 blocks"]);
    }

    #[test]
    fn characters_that_control_a_terminal_are_escaped() {
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
    fn emoji_stay_whole_and_other_joiners_are_escaped() {
        for emoji in ["👨‍👩‍👧", "🏳️‍🌈", "👩🏽‍💻", "❤️‍🔥", "🐈‍⬛", "🙂‍↔️"]
        {
            assert_eq!(escape(emoji), emoji);
            let json = serde_json::to_string(emoji).unwrap();
            assert_eq!(escape_json(&json), json);
        }
        for (text, escaped) in [
            ("👨\u{200d}", "👨\\u{200d}"),
            ("\u{200d}👨", "\\u{200d}👨"),
            ("a\u{200d}b", "a\\u{200d}b"),
            ("👨\u{200d}\u{200d}👩", "👨\\u{200d}\\u{200d}👩"),
            ("👨\u{200d}a\u{200d}👩", "👨\\u{200d}a\\u{200d}👩"),
            ("👨\u{202e}\u{200d}👩", "👨\\u{202e}\\u{200d}👩"),
        ] {
            assert_eq!(escape(text), escaped, "{text:?}");
        }
    }

    #[test]
    fn escaping_json_keeps_its_value() {
        assert_eq!(escape_json("{\n\"a\": \"é😀\"}"), "{\n\"a\": \"é😀\"}");
        let text = "\u{9b}31m\u{7f}\u{202e}\u{e0041}\u{1b}é";
        let json = serde_json::to_string(text).unwrap();
        let escaped = escape_json(&json);
        assert_eq!(escaped, r#""\u009b31m\u007f\u202e\udb40\udc41\u001bé""#);
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
    }

    #[test]
    fn sizes_are_rounded_down_to_a_tenth_of_a_unit() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (64 << 20, "64 MiB"),
            ((64 << 20) - 1, "63.9 MiB"),
            (38_112_395_264, "35.4 GiB"),
            (u64::MAX, "17179869183.9 GiB"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }

    #[test]
    fn spans_have_at_most_two_units() {
        for (seconds, text) in [
            (0.2, "0 s"),
            (59.4, "59 s"),
            (61.0, "1 min 1 s"),
            (7_379.0, "2 h 2 min"),
            (180_000.0, "2 d 2 h"),
            (-1.0, "0 s"),
            (f64::NAN, "0 s"),
        ] {
            assert_eq!(Span(seconds).to_string(), text);
        }
    }
}
