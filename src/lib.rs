//! x
pub mod chain;
pub mod codec;
pub mod legacy;
pub mod pow;
