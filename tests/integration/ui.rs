//! The explorer of the real binary.
//!
//! * [`pages`]: every page, over a real node
//! * [`form`]: the one form, and who may send it
//! * [`safety`]: headers, foreign requests, hostile messages
//! * [`places`]: behind a base path, beside a node, without its node, over other nodes
//! * [`news`]: what happens at the node reaches every page
//! * [`browser`]: the same in a real browser, where there is one

mod browser;
mod form;
mod news;
mod pages;
mod places;
mod safety;
