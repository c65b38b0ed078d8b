//! Text from the chain, which may be hostile. Control, invisible and bidirectional characters are
//! shown as visible marks, and the template escapes the rest.

use std::cmp::Reverse;
use std::ops::Range;

use askama::Template;
use askama::filters::HtmlSafe;

use crate::text::{is_unsafe, with_emoji_joiners};
use crate::ui::format;

/// Number of characters shown before the rest is folded.
const FOLD: usize = 600;

/// Maximum number of folded characters. The raw JSON holds the whole text.
const MAX_FOLDED: usize = 20_000;

/// Names of the ASCII control characters.
const CONTROLS: [&str; 32] = [
    "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "TAB", "LF", "VT", "FF", "CR",
    "SO", "SI", "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC",
    "FS", "GS", "RS", "US",
];

/// A run of text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Run {
    Plain(String),
    /// Plain text that a search found.
    Found(String),
    /// The symbol shown in place of a character, and the name of the character.
    Mark(String, String),
    /// A line break, shown as a mark and a break.
    Break,
}

/// A whole message with its line breaks. The end of a long message is folded.
#[derive(Debug, Template)]
#[template(path = "parts/text.html", config = "src/ui/askama.toml")]
pub(in crate::ui) struct Text {
    start: Vec<Run>,
    folded: Vec<Run>,
    is_truncated: bool,
    size: String,
    blank: Option<String>,
}

impl HtmlSafe for Text {}

impl Text {
    pub(in crate::ui) fn new(text: &str) -> Self {
        Self::folded(text, FOLD, false)
    }

    /// Shows every character that is not visible, and folds the text after `fold` characters.
    pub(in crate::ui) fn exact(text: &str, fold: usize) -> Self {
        Self::folded(text, fold, true)
    }

    fn folded(text: &str, fold: usize, exact: bool) -> Self {
        let (start, rest) = split(text, fold);
        let (folded, omitted) = split(rest, MAX_FOLDED);
        Self {
            start: runs(start, true, exact),
            folded: runs(folded, true, exact),
            is_truncated: !omitted.is_empty(),
            size: format::bytes(text.len()),
            blank: blank(text),
        }
    }

    /// Returns the size of the message.
    pub(in crate::ui) fn size(&self) -> &str {
        &self.size
    }
}

/// The start of a message on one line.
#[derive(Debug, Template)]
#[template(path = "parts/line.html", config = "src/ui/askama.toml")]
pub(in crate::ui) struct Line {
    runs: Vec<Run>,
    is_truncated: bool,
    blank: Option<String>,
}

impl HtmlSafe for Line {}

/// Number of characters shown before the first word that a search found.
const BEFORE_FOUND: usize = 40;

impl Line {
    /// Shows at most `length` characters around the first of the words, and marks the words, which
    /// are in lower case.
    pub(in crate::ui) fn found(text: &str, length: usize, words: &[String]) -> Self {
        let found = find_words(text, words);
        let first = found.first().map_or(0, |first| first.start);
        let before = text[..first].char_indices().rev().nth(BEFORE_FOUND);
        // A word near the start is shown without a cut.
        let start = before
            .filter(|_| first > length / 2)
            .map_or(0, |(at, _)| at);
        let (shown, rest) = split(&text[start..], length);
        let (end, mut at) = (start + shown.len(), start);
        let mut marked = Vec::new();
        if start > 0 {
            marked.push(Run::Plain("…".to_owned()));
        }
        for range in found.iter().filter(|range| range.end <= end) {
            marked.extend(runs(&text[at..range.start], false, false));
            let inside = runs(&text[range.clone()], false, false).into_iter();
            marked.extend(inside.map(|run| match run {
                Run::Plain(text) => Run::Found(text),
                other => other,
            }));
            at = range.end;
        }
        marked.extend(runs(&text[at..end], false, false));
        Self {
            runs: marked,
            is_truncated: !rest.is_empty(),
            blank: blank(text),
        }
    }

    /// Shows at most `length` characters.
    pub(in crate::ui) fn new(text: &str, length: usize) -> Self {
        let (start, rest) = split(text, length);
        Self {
            runs: runs(start, false, false),
            is_truncated: !rest.is_empty(),
            blank: blank(text),
        }
    }
}

fn split(text: &str, length: usize) -> (&str, &str) {
    let end = text.char_indices().nth(length).map(|(end, _)| end);
    text.split_at(end.unwrap_or(text.len()))
}

/// Returns the ranges of a text that are equal to one of the words in lower case, in order and without
/// overlaps.
fn find_words(text: &str, words: &[String]) -> Vec<Range<usize>> {
    // The lower case of a character can have another length, so each byte is mapped to its source.
    let (mut lower, mut source) = (String::new(), Vec::new());
    for (at, character) in text.char_indices() {
        let begin = lower.len();
        lower.extend(character.to_lowercase());
        source.resize(
            source.len() + lower.len() - begin,
            at..at + character.len_utf8(),
        );
    }
    let mut found: Vec<Range<usize>> = Vec::new();
    for word in words.iter().filter(|word| !word.is_empty()) {
        for (at, part) in lower.match_indices(word.as_str()) {
            found.push(source[at].start..source[at + part.len() - 1].end);
        }
    }
    found.sort_unstable_by_key(|range| (range.start, Reverse(range.end)));
    let mut end = 0;
    found.retain(|range| {
        let is_free = range.start >= end;
        end = end.max(range.end);
        is_free
    });
    found
}

/// Splits a text into runs. `breaks` keeps line breaks, and `exact` shows the joiners of emoji too.
fn runs(text: &str, breaks: bool, exact: bool) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut plain = String::new();
    for (character, joins_emoji) in with_emoji_joiners(text) {
        if joins_emoji && !exact || !is_hidden(character) {
            plain.push(character);
            continue;
        }
        if !plain.is_empty() {
            runs.push(Run::Plain(std::mem::take(&mut plain)));
        }
        runs.push(match character {
            '\n' if breaks => Run::Break,
            other => Run::Mark(symbol(other), name(other)),
        });
    }
    if !plain.is_empty() {
        runs.push(Run::Plain(plain));
    }
    runs
}

/// Returns `true` for characters that are unsafe on a terminal or invisible in a browser.
fn is_hidden(character: char) -> bool {
    is_unsafe(character)
        || matches!(
            character,
            '\u{34f}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{17b4}'
                | '\u{17b5}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{ffa0}'
                | '\u{fffc}'
                | '\u{e0100}'..='\u{e01ef}'
        )
}

/// Returns the symbol shown in place of a character.
fn symbol(character: char) -> String {
    let code = u32::from(character);
    match character {
        '\n' => "↵".to_owned(),
        '\t' => "⇥".to_owned(),
        '\0'..='\u{1f}' => CONTROLS[code as usize % CONTROLS.len()].to_owned(),
        '\u{7f}' => "DEL".to_owned(),
        _ => short_name(character)
            .map_or_else(|| format!("U+{code:04X}"), |(short, _)| short.to_owned()),
    }
}

fn name(character: char) -> String {
    let code = u32::from(character);
    let known = match character {
        '\n' => Some("line feed"),
        '\r' => Some("carriage return"),
        '\t' => Some("tab"),
        '\0' => Some("null"),
        '\u{1b}' => Some("escape: starts a terminal command"),
        _ => short_name(character).map(|(_, name)| name),
    };
    known.map_or_else(
        || format!("U+{code:04X}"),
        |name| format!("U+{code:04X} {name}"),
    )
}

fn short_name(character: char) -> Option<(&'static str, &'static str)> {
    Some(match character {
        '\u{ad}' => ("SHY", "soft hyphen"),
        '\u{200b}' => ("ZWSP", "zero width space"),
        '\u{200c}' => ("ZWNJ", "zero width non-joiner"),
        '\u{200d}' => ("ZWJ", "zero width joiner"),
        '\u{200e}' => ("LRM", "left-to-right mark"),
        '\u{200f}' => ("RLM", "right-to-left mark"),
        '\u{2028}' => ("LS", "line separator"),
        '\u{2029}' => ("PS", "paragraph separator"),
        '\u{202a}' => ("LRE", "left-to-right embedding"),
        '\u{202b}' => ("RLE", "right-to-left embedding"),
        '\u{202c}' => ("PDF", "pop directional formatting"),
        '\u{202d}' => ("LRO", "left-to-right override"),
        '\u{202e}' => ("RLO", "right-to-left override"),
        '\u{2060}' => ("WJ", "word joiner"),
        '\u{2066}' => ("LRI", "left-to-right isolate"),
        '\u{2067}' => ("RLI", "right-to-left isolate"),
        '\u{2068}' => ("FSI", "first strong isolate"),
        '\u{2069}' => ("PDI", "pop directional isolate"),
        '\u{feff}' => ("BOM", "byte order mark"),
        _ => return None,
    })
}

/// Returns a description of a text that consists of white space only.
fn blank(text: &str) -> Option<String> {
    let count = text.chars().count() as u64;
    text.chars()
        .all(|character| character.is_whitespace() && !is_hidden(character))
        .then(|| format!("{count} blank{}", format::plural(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_inert_and_hidden_characters_are_shown() {
        let hostile = "<script>alert(1)</script>\u{202e}\u{0}\x1b[31m\"'&\u{200b}";
        for html in [
            Text::new(hostile).render().unwrap(),
            Line::new(hostile, 100).render().unwrap(),
        ] {
            assert!(!html.contains("<script"), "{html}");
            assert!(html.contains("&#60;script&#62;"), "{html}");
            for shown in [
                ">RLO<",
                ">NUL<",
                ">ESC<",
                ">ZWSP<",
                "right-to-left override",
            ] {
                assert!(html.contains(shown), "{shown} {html}");
            }
            assert!(
                !html.contains(['\u{202e}', '\0', '\x1b', '\u{200b}']),
                "{html}"
            );
        }
    }

    #[test]
    fn found_words_are_marked_in_any_case_and_order() {
        let words = ["straße", "b", "i̇"].map(str::to_owned);
        let html = Line::found("B in der STRAßE <b> İ", 100, &words)
            .render()
            .unwrap();
        for text in [
            "<mark>B</mark> in der <mark>STRAßE</mark> &#60;<mark>b</mark>&#62;",
            "<mark>İ</mark>",
        ] {
            assert!(html.contains(text), "{html}");
        }
        let far = format!("{}needle{}", "x".repeat(500), "y".repeat(500));
        let html = Line::found(&far, 100, &["needle".to_owned()])
            .render()
            .unwrap();
        assert!(html.contains("x<mark>needle</mark>y"), "{html}");
        assert!(html.contains(">…x") && html.len() < 300, "{html}");
        assert_eq!(
            find_words("aaaa", &["aa".to_owned(), "a".to_owned()]),
            [0..2, 2..4]
        );
    }

    #[test]
    fn emoji_stay_whole_except_in_exact_text() {
        let family = "👨\u{200d}👩\u{200d}👧 a\u{200d}b";
        let html = Line::new(family, 99).render().unwrap();
        assert!(html.contains("👨\u{200d}👩\u{200d}👧 a<span"), "{html}");
        assert_eq!(html.matches(">ZWJ<").count(), 1, "{html}");
        let exact = Text::exact(family, 99).render().unwrap();
        assert_eq!(exact.matches(">ZWJ<").count(), 3, "{exact}");
    }

    #[test]
    fn line_breaks_are_kept_in_a_message_and_not_in_a_line() {
        let html = Text::new("a\nb").render().unwrap();
        assert!(html.contains("↵</span>\nb"), "{html}");
        let html = Line::new("a\nb", 9).render().unwrap();
        assert!(html.contains("↵</span>b"), "{html}");
    }

    #[test]
    fn long_messages_are_folded_and_very_long_ones_truncated() {
        assert!(
            !Text::new(&"é".repeat(FOLD))
                .render()
                .unwrap()
                .contains("<details")
        );
        let folded = Text::new(&"x".repeat(10_000)).render().unwrap();
        assert!(folded.contains("<details") && folded.contains("10,000 bytes"));
        assert!(!folded.contains("truncated"));
        assert!(
            Text::new(&"x".repeat(64_000))
                .render()
                .unwrap()
                .contains("truncated")
        );
        assert!(Line::new("long", 3).render().unwrap().contains('…'));
    }

    #[test]
    fn blank_messages_are_described() {
        assert!(Text::new("   ").render().unwrap().contains("3 blanks"));
        assert!(
            Line::new(" \u{2003}", 9)
                .render()
                .unwrap()
                .contains("2 blanks")
        );
        assert!(
            Line::new("\u{3164}", 9)
                .render()
                .unwrap()
                .contains(">U+3164<")
        );
    }
}
