//! Parsing of what people type to find a block or a message. The API, the explorer and the command
//! line share it, and it accepts everything that a page or a command prints.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};

use crate::chain::{BlockHash, MessageId};

/// Minimum number of digits of a hash prefix.
pub const MIN_HASH_DIGITS: usize = 6;

/// Number of digits of a hash that lists print. No chain has an index with as many digits, so such a
/// number is the prefix of a hash.
const PRINTED_HASH_DIGITS: usize = 12;

/// Number of digits of a complete hash.
const HASH_DIGITS: usize = 64;

/// Separators of groups of three digits: comma, apostrophes and spaces.
const SEPARATORS: [char; 7] = [',', '\'', '’', ' ', '\u{a0}', '\u{2009}', '\u{202f}'];

/// Rounding error of printed times in seconds: times are printed to the microsecond.
const ROUNDING: f64 = 0.6e-6;

/// Everything that a text can refer to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lookup {
    /// Index of a block: `1434`, `#1434` or `1,434`.
    pub index: Option<u64>,
    /// Lowest and highest hash with this prefix: `c0f0de3647e3`, also in upper case or followed by an
    /// ellipsis.
    pub hashes: Option<(BlockHash, BlockHash)>,
    /// Id of a message, also in upper case or with the hyphens of a UUID.
    pub id: Option<MessageId>,
    /// Date or time in seconds since the epoch, in UTC if it has no time zone.
    pub time: Option<f64>,
}

impl Lookup {
    /// Parses a text. Interpretations that do not apply are `None`.
    pub fn parse(text: &str) -> Self {
        let text = text.trim().to_ascii_lowercase();
        let digits = without_ellipsis(&text);
        Self {
            index: index(&text),
            hashes: hashes(digits),
            id: id(&text),
            time: time(&text),
        }
    }

    /// Returns the path segment of the API for the block that a text refers to.
    pub fn block_name(text: &str) -> String {
        match Self::parse(text) {
            Self {
                index: Some(index), ..
            } => index.to_string(),
            Self {
                hashes: Some(_), ..
            } => without_ellipsis(text.trim()).to_owned(),
            _ => text.trim().to_owned(),
        }
    }

    /// Returns the words to find in a message, in lower case. Words in quotation marks are one.
    pub fn words(text: &str) -> Vec<String> {
        let text = text.to_lowercase();
        // A single quotation mark is part of a word, such as 5".
        let has_pairs = text.matches('"').count().is_multiple_of(2);
        if !has_pairs {
            return text.split_whitespace().map(str::to_owned).collect();
        }
        let mut words = Vec::new();
        for (at, part) in text.split('"').enumerate() {
            if at % 2 == 1 {
                words.push(part.to_owned());
            } else {
                words.extend(part.split_whitespace().map(str::to_owned));
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    /// Returns `true` if the time of a block is before the wanted time, both in seconds.
    pub fn is_before(time: f64, wanted: f64) -> bool {
        time + ROUNDING < wanted
    }
}

fn without_ellipsis(text: &str) -> &str {
    text.trim_end_matches('…').trim_end_matches("...")
}

fn index(text: &str) -> Option<u64> {
    let text = text.strip_prefix('#').unwrap_or(text);
    let mut groups = text.split(SEPARATORS);
    let is_group = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let first = groups.next()?;
    let is_grouped = groups.clone().next().is_some();
    let is_first = is_group(first) && (!is_grouped || (1..=3).contains(&first.len()));
    let is_number = is_first && groups.all(|group| group.len() == 3 && is_group(group));
    let digits = is_number.then(|| text.replace(SEPARATORS, ""))?;
    if digits.len() >= PRINTED_HASH_DIGITS {
        return None;
    }
    digits.parse().ok()
}

fn hashes(digits: &str) -> Option<(BlockHash, BlockHash)> {
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || !(MIN_HASH_DIGITS..=HASH_DIGITS).contains(&digits.len()) {
        return None;
    }
    let first = format!("{digits:0<HASH_DIGITS$}").parse().ok()?;
    let last = format!("{digits:f<HASH_DIGITS$}").parse().ok()?;
    Some((first, last))
}

fn id(text: &str) -> Option<MessageId> {
    let groups: Vec<_> = text.split('-').map(str::len).collect();
    let is_plain = groups.len() == 1 || groups == [8, 4, 4, 4, 12];
    is_plain.then(|| text.replace('-', ""))?.parse().ok()
}

fn time(text: &str) -> Option<f64> {
    let with_zone = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    let moment = with_zone.ok().or_else(|| {
        let text = text
            .trim_end_matches("utc")
            .trim_end_matches('z')
            .trim_end();
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
        let with_time = || {
            [
                "%Y-%m-%d %H:%M",
                "%Y-%m-%dt%H:%M",
                "%Y-%m-%d %H:%M:%S%.f",
                "%Y-%m-%dt%H:%M:%S%.f",
            ]
            .into_iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        };
        let moment = date
            .map(|date| date.and_time(NaiveTime::MIN))
            .or_else(with_time)?;
        Some(moment.and_utc())
    })?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "exact to the microsecond for present dates"
    )]
    let seconds = moment.timestamp_micros() as f64 / 1e6;
    Some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_parsed_as_pages_print_it() {
        for (text, index) in [
            ("0", Some(0)),
            ("#1434", Some(1434)),
            (" 1,434 ", Some(1434)),
            ("1 434 567", Some(1_434_567)),
            ("1\u{202f}434", Some(1434)),
            ("1'434", Some(1434)),
            ("99999999999", Some(99_999_999_999)),
            // The beginning of a hash, as lists print it.
            ("330363094476", None),
            ("18446744073709551616", None),
            ("1,43", None),
            ("1434,567", None),
            (",434", None),
            ("", None),
            ("#", None),
            ("-1", None),
            ("1.5", None),
        ] {
            assert_eq!(Lookup::parse(text).index, index, "{text:?}");
        }
    }

    #[test]
    fn a_hash_prefix_has_at_least_six_digits() {
        for text in ["c0f0de", "C0F0DE", "c0f0de…", "c0f0de..."] {
            let range = Lookup::parse(text).hashes.unwrap();
            assert!(range.0.to_string().starts_with("c0f0de0000"));
            assert!(range.1.to_string().starts_with("c0f0deffff"));
        }
        let whole = "7".repeat(HASH_DIGITS);
        let range = Lookup::parse(&whole).hashes.unwrap();
        assert_eq!((range.0, range.1.to_string()), (range.1, whole));
        for text in ["c0f0d", "c0f0dg", &"7".repeat(65), "", "é00000"] {
            assert!(Lookup::parse(text).hashes.is_none(), "{text}");
        }
    }

    #[test]
    fn an_id_may_have_the_hyphens_of_a_uuid() {
        let plain = "0123456789abcdef0123456789abcdef";
        for text in [
            plain,
            "0123456789ABCDEF0123456789ABCDEF",
            "01234567-89ab-cdef-0123-456789abcdef",
        ] {
            let id = Lookup::parse(text).id.unwrap();
            assert_eq!(id.to_string(), plain);
        }
        for text in ["0-123456789abcdef0123456789abcdef", &plain[1..], ""] {
            assert!(Lookup::parse(text).id.is_none(), "{text}");
        }
    }

    #[test]
    fn words_are_separated_by_space_unless_quoted() {
        for (text, words) in [
            ("Hello  World", &["hello", "world"][..]),
            ("\"Hello World\" X", &["hello world", "x"]),
            ("5\" pipe", &["5\"", "pipe"]),
            ("\"\"", &[]),
            (" ", &[]),
        ] {
            assert_eq!(Lookup::words(text), words, "{text}");
        }
    }

    #[test]
    fn dates_and_times_are_parsed_in_common_formats() {
        for (text, seconds) in [
            ("1970-01-02", Some(86_400.0)),
            ("1970-01-01 00:01", Some(60.0)),
            ("1970-01-01T00:00:01Z", Some(1.0)),
            ("1970-01-01 00:00:01.5 UTC", Some(1.5)),
            ("2026-11-22t10:00:00.5z", Some(1_795_341_600.5)),
            ("2026-11-22T12:00:00+02:00", Some(1_795_341_600.0)),
            ("2026-11-22 10:00:00Z", Some(1_795_341_600.0)),
            ("2026-11-22T10:00:00", Some(1_795_341_600.0)),
            (
                "2026-11-22 10:00:00.123456 UTC",
                Some(1_795_341_600.123_456),
            ),
            ("2026-02-30", None),
            ("2026", None),
            ("20261122", None),
            ("1970-01-01 25:00", None),
            ("12:00", None),
            ("tomorrow", None),
            ("99999999-01-01", None),
            ("", None),
        ] {
            assert_eq!(Lookup::parse(text).time, seconds, "{text}");
        }
    }
}
