//! The time of a block, and its exact text, which is hashed.
//!
//! A time is a finite number of seconds since the epoch. Its *type* is part of the chain: an
//! integer is hashed as `1600000000`, the equal float as `1600000000.0`. This program mines blocks
//! with floats; integers occur in hand-written chains.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Maximum magnitude of an integer time. All integers up to it are exact as a double.
pub const MAX_INTEGER: i64 = 1 << 53;

/// A finite time in seconds since the epoch, as a float or as an integer.
#[derive(Clone, Copy, Debug)]
pub struct Timestamp(Number);

#[derive(Clone, Copy, Debug)]
enum Number {
    Float(f64),
    Integer(i64),
}

impl Timestamp {
    /// Creates a float time.
    ///
    /// # Errors
    /// [`InvalidTimestamp::NotFinite`] for NaN and infinities.
    pub fn float(seconds: f64) -> Result<Self, InvalidTimestamp> {
        if seconds.is_finite() {
            Ok(Self(Number::Float(seconds)))
        } else {
            Err(InvalidTimestamp::NotFinite)
        }
    }

    /// Creates an integer time.
    ///
    /// # Errors
    /// [`InvalidTimestamp::TooLarge`] beyond ±2^53.
    pub fn integer(seconds: i64) -> Result<Self, InvalidTimestamp> {
        if seconds.unsigned_abs() <= MAX_INTEGER.unsigned_abs() {
            Ok(Self(Number::Integer(seconds)))
        } else {
            Err(InvalidTimestamp::TooLarge)
        }
    }

    /// Returns the seconds since the epoch.
    #[expect(
        clippy::cast_precision_loss,
        reason = "integer times fit 2^53, so this is exact"
    )]
    pub fn seconds(self) -> f64 {
        match self.0 {
            Number::Float(seconds) => seconds,
            Number::Integer(seconds) => seconds as f64,
        }
    }

    /// Returns the double if the time is a float. Only a float time can be sealed.
    pub fn as_float(self) -> Option<f64> {
        match self.0 {
            Number::Float(seconds) => Some(seconds),
            Number::Integer(_) => None,
        }
    }

    /// Returns the integer if the time is one.
    pub fn as_integer(self) -> Option<i64> {
        match self.0 {
            Number::Float(_) => None,
            Number::Integer(seconds) => Some(seconds),
        }
    }

    /// Compares the instants exactly; `1` and `1.0` are the same instant.
    pub fn cmp_instant(self, other: Self) -> Ordering {
        // Both times are exact as doubles, and neither is NaN.
        self.seconds()
            .partial_cmp(&other.seconds())
            .unwrap_or(Ordering::Equal)
    }

    /// Returns the time of a block mined at `now` after a block of this time: `now`, or the next
    /// double after this time if that is later.
    #[must_use]
    pub fn next(self, now: f64) -> Self {
        let earliest = self.seconds().next_up();
        let seconds = if now > earliest { now } else { earliest };
        Self(Number::Float(if seconds.is_finite() {
            seconds
        } else {
            f64::MAX
        }))
    }
}

/// Two times are equal if their type and value are, so if their hashed texts are.
impl PartialEq for Timestamp {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Number::Float(a), Number::Float(b)) => a.to_bits() == b.to_bits(),
            (Number::Integer(a), Number::Integer(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Timestamp {}

/// Writes the text that is hashed. A float has the shortest digits that parse to the same double, in
/// decimal notation from 1e-4 up to 1e16 and in scientific notation outside, as Python's `repr`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Number::Integer(seconds) => write!(f, "{seconds}"),
            Number::Float(seconds) => write_float(f, seconds),
        }
    }
}

fn write_float(f: &mut fmt::Formatter<'_>, value: f64) -> fmt::Result {
    let magnitude = value.abs();
    let plain = magnitude == 0.0 || (1e-4..1e16).contains(&magnitude);
    // Both notations have the shortest digits. `Debug` always writes a point and is decimal in this
    // range; `LowerExp` writes `1.5e22` and `1e-5`.
    let text = if plain {
        format!("{value:?}")
    } else {
        format!("{value:e}")
    };
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().map_err(|_| fmt::Error)?;
    let decimals = digits.split_once('.').map_or(0, |(_, behind)| behind.len());
    // For a value halfway between two shortest texts, Rust writes the upper one, Python the even one.
    let halfway = i32::try_from(decimals)
        .is_ok_and(|decimals| decimals > 0 && exact_decimals(value) == decimals - exponent + 1);
    let even = match (halfway, plain) {
        (true, true) => format!("{value:.decimals$}"),
        (true, false) => format!("{value:.decimals$e}"),
        _ => String::new(),
    };
    let same = halfway && even.parse() == Ok(value);
    let text = if same { &even } else { &text };
    if plain {
        return f.write_str(text);
    }
    // Python writes a sign and at least two digits of the exponent.
    let digits = text.split_once('e').map_or(&text[..], |(digits, _)| digits);
    let sign = if exponent < 0 { '-' } else { '+' };
    write!(f, "{digits}e{sign}{:02}", exponent.unsigned_abs())
}

/// Returns the number of decimals of the exact value; 0 or less for an integer.
fn exact_decimals(value: f64) -> i32 {
    let bits = value.to_bits();
    let (exponent, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
    let mantissa = fraction | u64::from(exponent > 0) << 52;
    let zeros = i64::from(mantissa.trailing_zeros());
    i32::try_from(1075 - exponent.max(1).cast_signed() - zeros).unwrap_or(0)
}

/// Parses a JSON number. Without a point and an exponent it is an integer time.
impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(InvalidTimestamp::NotANumber);
        }
        if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::integer(text.parse().map_err(|_| InvalidTimestamp::TooLarge)?);
        }
        Self::float(text.parse().map_err(|_| InvalidTimestamp::NotANumber)?)
    }
}

/// Error for a number that is not the time of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidTimestamp {
    /// Not a JSON number.
    #[error("the time is not a number")]
    NotANumber,
    /// NaN or infinity.
    #[error("the time is not a finite number")]
    NotFinite,
    /// An integer beyond ±2^53.
    #[error("the integer time is beyond ±2^53")]
    TooLarge,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn float(seconds: f64) -> Timestamp {
        Timestamp::float(seconds).unwrap()
    }

    #[test]
    fn texts_of_floats_match_the_vectors() {
        let json = include_str!("../../tests/fixtures/float_repr.json");
        let pairs: Vec<(String, String)> = serde_json::from_str(json).unwrap();
        assert!(pairs.len() > 500);
        for (bits, text) in pairs {
            let value = f64::from_bits(u64::from_str_radix(&bits, 16).unwrap());
            if value.is_finite() {
                assert_eq!(float(value).to_string(), text);
            } else {
                assert_eq!(Timestamp::float(value), Err(InvalidTimestamp::NotFinite));
            }
        }
    }

    #[test]
    fn ties_between_two_shortest_texts_go_to_the_even_one() {
        // Texts of CPython. One in 32768 current clock readings is such a value.
        for (value, text) in [
            (1.6e9 + 1.0 / 256.0, "1600000000.0039062"),
            (1.6e9 + 3.0 / 256.0, "1600000000.0117188"),
            (-1_012_965_216_481_306.0 - 0.25, "-1012965216481306.2"),
            (1_012_965_216_481_306.0 + 0.75, "1012965216481306.8"),
            (9_007_199_254_740_991.0, "9007199254740991.0"),
            (0.5, "0.5"),
            (0.1, "0.1"),
            (2.5, "2.5"),
        ] {
            assert_eq!(float(value).to_string(), text);
        }
    }

    #[test]
    fn the_type_is_part_of_the_value_but_not_of_the_instant() {
        let (a, b) = (Timestamp::integer(1_600_000_000).unwrap(), float(1.6e9));
        assert_ne!(a, b);
        assert_eq!(a.cmp_instant(b), Ordering::Equal);
        assert_eq!(
            (a.to_string(), b.to_string()),
            ("1600000000".into(), "1600000000.0".into())
        );
    }

    #[test]
    fn integers_are_limited_to_those_exact_as_a_double() {
        assert!(Timestamp::integer(-MAX_INTEGER).is_ok());
        assert_eq!(
            Timestamp::integer(MAX_INTEGER + 1),
            Err(InvalidTimestamp::TooLarge)
        );
        assert_eq!(
            Timestamp::integer(i64::MIN),
            Err(InvalidTimestamp::TooLarge)
        );
        assert_eq!(
            "99999999999999999999".parse::<Timestamp>(),
            Err(InvalidTimestamp::TooLarge)
        );
    }

    #[test]
    fn only_json_numbers_are_accepted() {
        for text in ["", "-", "inf", "NaN", "+1", ".5", "1.6e9x", "0x10", "-inf"] {
            assert_eq!(
                text.parse::<Timestamp>(),
                Err(InvalidTimestamp::NotANumber),
                "{text}"
            );
        }
        assert_eq!(
            "1e999".parse::<Timestamp>(),
            Err(InvalidTimestamp::NotFinite)
        );
    }

    #[test]
    fn a_clock_that_went_back_gives_the_next_double() {
        let previous = float(1000.5);
        assert_eq!(previous.next(2000.0), float(2000.0));
        assert_eq!(previous.next(10.0), float(1000.5_f64.next_up()));
        assert_eq!(previous.next(f64::NAN), float(1000.5_f64.next_up()));
        assert_eq!(float(f64::MAX).next(f64::INFINITY), float(f64::MAX));
    }

    proptest! {
        #[test]
        fn text_reads_back_as_the_same_time(bits: u64, whole in -MAX_INTEGER..=MAX_INTEGER) {
            if let Ok(time) = Timestamp::float(f64::from_bits(bits)) {
                prop_assert_eq!(time.to_string().parse(), Ok(time));
            }
            let time = Timestamp::integer(whole).unwrap();
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }
    }
}
