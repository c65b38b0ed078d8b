//! x
pub mod api;
pub mod chain;
pub mod clock;
pub mod codec;
pub mod legacy;
pub mod node;
pub mod pow;
pub mod store;
pub mod wire;
