//! Whole networks in one thread, on a simulated clock: real sessions, routes and stores on a network
//! that loses, delays and duplicates requests, splits and heals, while nodes are killed, restarted
//! and have different clocks. A seed determines the whole run.
//!
//! After the faults end, all nodes must agree on one tip, and every acknowledged message must be in
//! its chain exactly once.
//!
//! Long form: `BLOCKCHAIN_SIMULATION_SEEDS=1000`, `BLOCKCHAIN_SIMULATION_NODES=500`.

pub(crate) mod network;
mod world;

use std::time::{Duration, Instant};

use world::{Outcome, Plan, simulate};

use crate::support::environment::variable;

#[expect(
    clippy::print_stdout,
    reason = "the figures are shown with --nocapture"
)]
fn report(plan: &Plan, outcomes: &[Outcome], took: Duration) {
    let mut healed: Vec<_> = outcomes.iter().map(|outcome| outcome.healed_in).collect();
    healed.sort();
    let average =
        |of: fn(&Outcome) -> u64| outcomes.iter().map(of).sum::<u64>() / outcomes.len() as u64;
    println!(
        "{} nodes, {} seeds in {took:.1?}: {} messages and {} blocks a run, {} kills, {} reorgs; \
         one tip after {:.1?} (median), {:.1?} (longest); {} requests and {} KiB a node and run",
        plan.nodes,
        outcomes.len(),
        average(|outcome| outcome.messages),
        average(|outcome| outcome.blocks),
        average(|outcome| outcome.kills),
        average(|outcome| outcome.reorgs),
        healed[healed.len() / 2],
        healed[healed.len() - 1],
        average(|outcome| outcome.requests) / plan.nodes as u64,
        average(|outcome| outcome.bytes) / plan.nodes as u64 / 1024,
    );
}

/// Runs each seed. A failure names its seed.
fn run_seeds(plan: Plan, seeds: std::ops::Range<u64>) {
    let begun = Instant::now();
    let outcomes: Vec<_> = seeds.map(|seed| simulate(plan, seed)).collect();
    report(&plan, &outcomes, begun.elapsed());
}

/// Runs one half of the seeds, so that two processors share the work.
fn half(part: u64) {
    let seeds = variable("BLOCKCHAIN_SIMULATION_SEEDS").unwrap_or(20);
    let nodes = variable("BLOCKCHAIN_SIMULATION_NODES").unwrap_or(25);
    let plan = Plan::new(nodes);
    run_seeds(plan, part * seeds / 2..(part + 1) * seeds / 2);
}

#[test]
fn networks_heal_and_lose_no_message() {
    half(0);
}

#[test]
fn more_networks_heal_and_lose_no_message() {
    half(1);
}

#[test]
fn a_run_is_determined_by_its_seed() {
    let plan = Plan::new(6);
    let (first, second) = (simulate(plan, 7), simulate(plan, 7));
    assert_eq!(first.trace, second.trace);
    assert_eq!(first.healed_in, second.healed_in);
    assert_ne!(first.trace, simulate(plan, 8).trace);
}
