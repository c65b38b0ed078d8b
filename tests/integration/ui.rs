//! The explorer, run as the real binary.
//!
//! * [`pages`]: every page, over a real node
//! * [`form`]: the form for a new message, and its protection against forgery
//! * [`safety`]: security headers, foreign requests, hostile messages
//! * [`deployment`]: below a base path, inside a node process, without its node, over other nodes
//! * [`events`]: events of the node reach every open page
//! * [`browser`]: the pages in a real browser, if one is installed
//! * [`places`]: phone, projector, forced colours, search and dates in a real browser
//! * [`keyboard`]: every task with Tab and Enter in a real browser
//! * [`accessibility`]: every page, checked by axe-core
//! * [`proxy`]: behind a proxy that replaces the host name
//! * [`lab`]: the lab in a real browser, from tampering to the final comparison
//! * [`lab_screens`]: the lab on projectors and phones
//! * [`lab_verdicts`]: what the lab concludes from copies that disagree or that a node rejects

mod accessibility;
mod browser;
mod deployment;
mod events;
mod form;
mod keyboard;
mod lab;
mod lab_screens;
mod lab_verdicts;
mod pages;
mod places;
mod proxy;
mod safety;
