//! Environment variables that lengthen a test or choose its seed.

use std::fmt::Display;
use std::str::FromStr;

/// Returns the value of a variable, or `None` if it is unset or empty.
///
/// # Panics
///
/// If the value does not parse as a `T`: a long campaign must not silently run as a short one.
#[track_caller]
pub(crate) fn variable<T: FromStr<Err: Display>>(name: &str) -> Option<T> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
    Some(parse(name, &value.to_string_lossy()))
}

/// Returns `true` if a variable has the value `on`, and `false` if it is unset, empty or `0`.
///
/// # Panics
///
/// If the variable has any other value.
#[track_caller]
pub(crate) fn is_on(name: &str, on: &str) -> bool {
    match variable::<String>(name).as_deref() {
        None | Some("0") => false,
        Some(value) if value == on => true,
        Some(other) => panic!("the environment variable {name} must be {on:?}, not {other:?}"),
    }
}

#[track_caller]
fn parse<T: FromStr<Err: Display>>(name: &str, value: &str) -> T {
    value.parse().unwrap_or_else(|error| {
        panic!("the environment variable {name} has an invalid value {value:?}: {error}")
    })
}

#[test]
#[should_panic(expected = "the environment variable N has an invalid value \"ten\": invalid digit")]
fn an_invalid_value_is_named() {
    parse::<u64>("N", "ten");
}
