//! Formats numbers, durations and sizes for display.

pub(super) use crate::text::plural;

/// Formats an integer with thousands separators.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a count that may be too large to write out.
pub(super) fn large_number(value: f64) -> String {
    const NAMES: [(f64, &str); 4] = [
        (1e18, "quintillion"),
        (1e15, "quadrillion"),
        (1e12, "trillion"),
        (1e9, "billion"),
    ];
    if value >= 1e21 {
        return format!("{value:.1e}");
    }
    for (unit, name) in NAMES {
        if value >= unit {
            return format!("{:.1} {name}", value / unit);
        }
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "below a billion here, and a count"
    )]
    number(value.max(0.0).round() as u64)
}

/// Formats a rate in hashes per second.
pub(super) fn hash_rate(hashes: f64) -> String {
    match hashes {
        rate if rate >= 1e9 => format!("{:.1} GH/s", rate / 1e9),
        rate if rate >= 1e6 => format!("{:.1} MH/s", rate / 1e6),
        rate if rate >= 1e3 => format!("{:.1} kH/s", rate / 1e3),
        rate => format!("{rate:.0} H/s"),
    }
}

/// Formats a duration in one unit, with a decimal below ten. `chain.js` holds the same function.
pub(super) fn duration(seconds: f64) -> String {
    const UNITS: [(f64, &str); 5] = [
        (365.25 * 86_400.0, "years"),
        (86_400.0, "days"),
        (3600.0, "hours"),
        (60.0, "minutes"),
        (1.0, "s"),
    ];
    if seconds >= 1e4 * UNITS[0].0 {
        return format!("{} years", large_number(seconds / UNITS[0].0));
    }
    for (unit, name) in UNITS {
        // A larger unit is used from two of it on, but minutes from 100 seconds on.
        let minimum = match name {
            "s" => unit,
            "minutes" => 100.0,
            _ => 2.0 * unit,
        };
        if seconds >= minimum {
            let value = seconds / unit;
            return if value >= 10.0 {
                format!("{value:.0} {name}")
            } else {
                format!("{value:.1} {name}")
            };
        }
    }
    match seconds {
        short if short >= 0.001 => format!("{:.0} ms", short * 1e3),
        short if short >= 1e-6 => format!("{:.0} µs", short * 1e6),
        _ => "under 1 µs".to_owned(),
    }
}

/// Formats an age, or the time until a moment in the future.
pub(super) fn ago(seconds: f64) -> String {
    let (text, is_future) = (coarse_duration(seconds.abs()), seconds < 0.0);
    match (text.as_str(), is_future) {
        ("now", _) => text,
        (_, false) => format!("{text} ago"),
        (_, true) => format!("in {text}"),
    }
}

/// Formats the offset of a clock in seconds; positive if it is ahead.
pub(super) fn clock_offset(ahead: f64) -> String {
    crate::text::clock_offset(ahead, coarse_duration)
}

/// Formats a duration in whole units, for lists. `page.js` holds the same function.
pub(super) fn coarse_duration(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => "now".to_owned(),
        s if s < 100.0 => format!("{:.0} s", s.floor()),
        s if s < 6000.0 => format!("{:.0} min", (s / 60.0).floor()),
        s if s < 172_800.0 => format!("{:.0} h", (s / 3600.0).floor()),
        s => format!("{} days", large_number((s / 86_400.0).floor())),
    }
}

/// Turns an error message into a sentence.
pub(super) fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(char::to_uppercase);
    first
        .into_iter()
        .flatten()
        .chain(characters)
        .chain(['.'])
        .collect()
}

/// Formats the confirmations of a block. A block without a later one is the tip.
pub(super) fn confirmations(count: u64) -> String {
    let tip = if count == 1 { " (the tip)" } else { "" };
    format!("{} confirmation{}{tip}", number(count), plural(count))
}

/// Formats a size in bytes.
pub(super) fn bytes(count: usize) -> String {
    format!("{} byte{}", number(count as u64), plural(count as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_048_576, "1,048,576"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(large_number(16_f64.powi(7)), "268,435,456");
        assert_eq!(large_number(16_f64.powi(9)), "68.7 billion");
        assert_eq!(large_number(16_f64.powi(64)), "1.2e77");
    }

    #[test]
    fn durations_range_from_microseconds_to_billions_of_years() {
        for (seconds, text) in [
            (0.0, "under 1 µs"),
            (0.000_02, "20 µs"),
            (0.016, "16 ms"),
            (1.61, "1.6 s"),
            (99.0, "99 s"),
            (100.0, "1.7 minutes"),
            (162.0, "2.7 minutes"),
            (41_400.0, "12 hours"),
            (4e9, "127 years"),
            (1e30, "3.2e22 years"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn ages_have_one_unit() {
        assert_eq!(ago(0.2), "now");
        assert_eq!(ago(59.9), "59 s ago");
        assert_eq!(ago(-600.0), "in 10 min");
        assert_eq!(ago(864_000.0), "10 days ago");
        assert_eq!(hash_rate(65_200_000.0), "65.2 MH/s");
        assert_eq!(bytes(1), "1 byte");
    }
}
