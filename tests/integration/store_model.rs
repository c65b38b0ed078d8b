//! The store does what [`model::Model`] does, step by step.
//!
//! Each step is one action with random content, taken on both; then everything the store can be
//! asked is compared. Disks and seeds are fixed, so a failure comes again: proptest prints the
//! shortest list of steps it finds. `STORE_MODEL_STEPS` is the length of the long run (default
//! 120).

mod compare;
mod model;
mod world;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use self::world::{Action, World};
use crate::support::environment::variable;

/// Actions with their weights, each with the seed of its content.
fn step() -> impl Strategy<Value = (Action, u64)> {
    let action = prop_oneof![
        4 => Just(Action::Add),
        3 => Just(Action::AddWithKey),
        5 => Just(Action::Append),
        1 => Just(Action::AppendToOtherTip),
        2 => Just(Action::AppendBroken),
        6 => Just(Action::Adopt),
        2 => Just(Action::AdoptBroken),
        1 => Just(Action::AdoptNothing),
        2 => Just(Action::Burst),
        1 => Just(Action::SetNetwork),
        2 => Just(Action::Reopen),
    ];
    (action, any::<u64>())
}

fn run(steps: Vec<(Action, u64)>) {
    let mut world = World::new();
    for (action, seed) in steps {
        world.take(action, seed);
        world.compare(seed);
    }
}

/// A runner whose choices are the same on every run.
fn runner(cases: u32) -> TestRunner {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]))
}

#[test]
fn any_short_run_does_what_the_model_does() {
    runner(24)
        .run(&prop::collection::vec(step(), 1..30), |steps| {
            run(steps);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_long_run_does_what_the_model_does() {
    let steps = variable("STORE_MODEL_STEPS").unwrap_or(120);
    let mut runner = runner(1);
    let one = step();
    run((0..steps)
        .map(|_| one.new_tree(&mut runner).unwrap().current())
        .collect());
}
