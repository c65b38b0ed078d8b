//! The one test binary.
#![expect(
    clippy::unwrap_used,
    reason = "a test that meets an error it does not expect has failed"
)]

/// What the tests of the store share: a die, a disk in memory, a maker of blocks.
mod support_store;

/// The store does what a plain list of blocks and messages does, step by step.
mod store_model;

/// Nothing acknowledged is lost when the disk fails or the power does, and damage has a name.
mod store_faults;

/// Chains, proofs and seals made by the original program or written down for both.
mod vectors;
