//! A monitor that is killed between any two of its writes.

use super::simulated::{Chain, SimulatedNode};
use super::world::World;

#[tokio::test]
async fn a_kill_between_any_two_writes_repeats_an_alarm_and_never_loses_one() {
    let chain = Chain::new(12);
    let mut grown = chain.clone();
    grown.grow_to(14, 0);
    let other = grown.forked(4, 16);
    for writes in 0..12 {
        let node = SimulatedNode::new("a:1", &chain);
        let told = tempfile::NamedTempFile::new().unwrap();
        let mut world = World::new(&[&node], 2);
        world.command = Some(format!("cat >> {}", told.path().display()));
        assert_eq!(world.round().await, 0);
        // Killed while it notes new blocks.
        *node.chain.borrow_mut() = grown.clone();
        let killed_growing = world.round_with_kill(writes).await;
        let settled = world.settled();
        assert!(settled.index <= 11 && settled == grown.checkpoint(settled.index));
        // Killed while it tells of the rewrite.
        *node.chain.borrow_mut() = other.clone();
        let killed = world.round_with_kill(writes).await;
        assert_eq!(world.settled(), settled, "after {writes} writes");
        assert_eq!(world.round().await, 1, "after {writes} writes");
        assert_eq!(world.settled(), settled);
        let count = |text: &str| text.matches("\"rewrite\"").count();
        let (events, commands) = (world.file("events.ndjson"), std::fs::read_to_string(&told));
        assert!(count(&events) >= 1, "after {writes} writes");
        assert!(count(&commands.unwrap()) >= 1, "after {writes} writes");
        if writes == 11 {
            assert!(
                !killed && !killed_growing,
                "there are no more writes than these"
            );
        }
        world.restart();
        assert_eq!(world.round().await, 1);
        assert_eq!(
            count(&world.file("events.ndjson")),
            count(&events),
            "it is told once"
        );
    }
}
