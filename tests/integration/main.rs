//! The one test binary: what holds only when the parts work together.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of a test fail like the test itself"
)]

/// What a node acknowledged outlives `kill -9`.
mod crash;
/// The source tree keeps its own rules.
mod layout;
/// Starting the binary, and speaking to it.
mod support;
