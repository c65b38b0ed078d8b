//! The time of a block, and the exact text of it that is hashed.
//!
//! A time is a finite number of seconds since the epoch. Its *type* is part of the chain: an
//! integer is hashed as `1600000000`, the equal float as `1600000000.0`. Blocks made here carry
//! floats; integers occur in chains written by hand.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Largest magnitude of an integer time: every such integer is exact as a double, too.
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
    /// A float time.
    ///
    /// # Errors
    /// [`InvalidTimestamp::NotFinite`] for NaN and the infinities.
    pub fn float(seconds: f64) -> Result<Self, InvalidTimestamp> {
        if seconds.is_finite() {
            Ok(Self(Number::Float(seconds)))
        } else {
            Err(InvalidTimestamp::NotFinite)
        }
    }

    /// An integer time.
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

    /// Seconds since the epoch.
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

    /// The double, if the time is a float: only such a time can be sealed.
    pub fn as_float(self) -> Option<f64> {
        match self.0 {
            Number::Float(seconds) => Some(seconds),
            Number::Integer(_) => None,
        }
    }

    /// The integer, if the time is one.
    pub fn as_integer(self) -> Option<i64> {
        match self.0 {
            Number::Float(_) => None,
            Number::Integer(seconds) => Some(seconds),
        }
    }

    /// Compares the instants exactly; `1` and `1.0` are the same instant.
    pub fn cmp_instant(self, other: Self) -> Ordering {
        // Both are exact as doubles and neither is NaN.
        self.seconds()
            .partial_cmp(&other.seconds())
            .unwrap_or(Ordering::Equal)
    }

    /// The time of a block made at `now` after a block of this time: `now`, or the next double
    /// after this time if that is later.
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

/// Equal in type and value, so in the text that is hashed.
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

/// The text that is hashed: for a float the shortest digits that read back as the same double, in
/// plain notation from 1e-4 up to 1e16 and in scientific notation outside (the rule of Python's
/// `repr`).
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
    // Both forms have the shortest digits. Debug always shows a point and stays plain in this
    // range; the other writes `1.5e22` and `1e-5`.
    let text = if plain {
        format!("{value:?}")
    } else {
        format!("{value:e}")
    };
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().map_err(|_| fmt::Error)?;
    let decimals = digits.split_once('.').map_or(0, |(_, behind)| behind.len());
    // A value halfway between two of the shortest texts: Rust takes the upper, Python the even one.
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
    // The sign and two digits of the exponent are added.
    let digits = text.split_once('e').map_or(&text[..], |(digits, _)| digits);
    let sign = if exponent < 0 { '-' } else { '+' };
    write!(f, "{digits}e{sign}{:02}", exponent.unsigned_abs())
}

/// Digits behind the point that the exact value takes; none or less for an integer.
fn exact_decimals(value: f64) -> i32 {
    let bits = value.to_bits();
    let (exponent, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
    let mantissa = fraction | u64::from(exponent > 0) << 52;
    let zeros = i64::from(mantissa.trailing_zeros());
    i32::try_from(1075 - exponent.max(1).cast_signed() - zeros).unwrap_or(0)
}

/// Reads a number as JSON spells it: without point and exponent it is an integer.
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

/// Why a number is no time of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidTimestamp {
    /// The text is no number.
    #[error("the time is not a number")]
    NotANumber,
    /// NaN or an infinity.
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
    fn text_of_every_vector_is_the_documented_one() {
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
    fn a_value_halfway_between_two_texts_takes_the_even_one() {
        // Each as CPython prints it; one in 32768 of today's clock readings is such a value.
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
    fn integers_reach_as_far_as_they_are_exact() {
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
    fn what_is_no_json_number_is_refused() {
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
    fn a_block_made_under_a_clock_that_went_back_is_one_step_later() {
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
