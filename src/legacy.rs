//! What the original program speaks: its JSON shapes. Pure.

pub mod json;
pub mod query;
