//! Durations and sizes on the command line: whole numbers with a unit.

use std::str::FromStr;
use std::time::Duration;

/// An interval, such as `500ms`, `2s` or `5m`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval(pub(super) Duration);

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
        match parse_quantity(text, "a duration", &units)? {
            0 => Err("a duration must be greater than zero".to_owned()),
            millis => Ok(Self(Duration::from_millis(millis))),
        }
    }
}

/// Parses a number of bytes, such as `64MiB`, `500kB` or `1000`.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let units = [
        ("B", 1),
        ("kB", 1000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("", 1),
    ];
    parse_quantity(text, "a size", &units)
}

/// Parses a whole number followed by one of `units`, each with its factor.
fn parse_quantity(text: &str, kind: &str, units: &[(&str, u64)]) -> Result<u64, String> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = units.iter().find(|(name, _)| *name == unit.trim());
    let (false, Some((_, factor))) = (number.is_empty(), factor) else {
        let names: Vec<_> = units.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        return Err(format!(
            "{kind} is a whole number with a unit: {}",
            names.trim_end_matches(", ")
        ));
    };
    let product = number
        .parse()
        .ok()
        .and_then(|number: u64| number.checked_mul(*factor));
    product.ok_or_else(|| format!("{kind} must be less than 2^64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("1 GB"), Ok(1_000_000_000));
        assert_eq!(parse_size("0"), Ok(0));
        for wrong in ["", "MiB", "1XB", "99999999999GiB", "-1"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn intervals_are_greater_than_zero() {
        let millis = |text: &str| Ok::<_, String>(text.parse::<Interval>()?.0.as_millis());
        for (text, expected) in [
            ("500ms", 500),
            ("2s", 2000),
            ("5m", 300_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(millis(text), Ok(expected));
        }
        for wrong in ["", "5", "s", "0s", "1d", "99999999999999999h", "-1s"] {
            assert!(millis(wrong).is_err(), "{wrong}");
        }
    }
}
