use std::net::Ipv4Addr;

use futures_util::FutureExt;

use super::*;

const REMOTE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Acquires the slot of a connection that has sent nothing.
fn idle_slot(connections: &ConnectionPool) -> SlotGuard {
    let slot = connections.try_acquire(REMOTE).unwrap();
    slot.record_read();
    slot
}

#[test]
fn no_connection_is_accepted_while_too_many_are_closing() {
    let connections = ConnectionPool::with_slots(MAX_CLOSING + 1);
    let mut guards: Vec<_> = (0..MAX_CLOSING).map(|_| idle_slot(&connections)).collect();
    for _ in 0..MAX_CLOSING {
        let mut slots = connections.0.slots();
        connections.0.evict_idle(&mut slots, Duration::ZERO);
    }
    assert_eq!(connections.count(), 0);
    assert!(connections.try_acquire(REMOTE).is_none());
    drop(guards.pop());
    guards.push(idle_slot(&connections));
    assert!(connections.try_acquire(REMOTE).is_some());
}

#[test]
fn the_connection_idle_longest_is_evicted() {
    let connections = ConnectionPool::with_slots(3);
    let mut guards = Vec::new();
    for _ in 0..3 {
        guards.push(connections.try_acquire(REMOTE).unwrap());
    }
    std::thread::sleep(2 * FIRST_BYTE_TIMEOUT);
    assert!(
        connections.try_acquire(REMOTE).is_none(),
        "none has been read"
    );
    for slot in &guards {
        slot.record_read();
        std::thread::sleep(Duration::from_millis(2));
    }
    // The server works for the first one, and has just answered the second one.
    guards[0].set_server_busy(true);
    guards[1].set_server_busy(false);
    assert!(
        connections.try_acquire(REMOTE).is_none(),
        "none has been idle long enough"
    );
    std::thread::sleep(FIRST_BYTE_TIMEOUT);
    let newcomer = connections.try_acquire(REMOTE).unwrap();
    let is_evicted = |slot: &SlotGuard| slot.evicted().now_or_never().is_some();
    assert_eq!(
        [false, false, true],
        [0, 1, 2].map(|n| is_evicted(&guards[n]))
    );
    assert_eq!(connections.count(), 3);
    // The slot was given to the newcomer, so closing the evicted connection frees none.
    drop(guards.pop());
    assert_eq!(connections.count(), 3);
    drop(newcomer);
    assert_eq!(connections.count(), 2);
}

#[test]
fn reading_a_response_resets_the_idle_timer() {
    let connections = ConnectionPool::with_slots(2);
    let guards = [idle_slot(&connections), idle_slot(&connections)];
    std::thread::sleep(Duration::from_millis(2));
    guards[0].record_sent(usize::try_from(IDLE_RESET_BYTES).unwrap());
    let mut slots = connections.0.slots();
    connections.0.evict_idle(&mut slots, Duration::ZERO);
    let is_evicted = |slot: &SlotGuard| slot.evicted().now_or_never().is_some();
    assert!(!is_evicted(&guards[0]) && is_evicted(&guards[1]));
    drop(slots);
}

#[test]
fn the_large_connection_idle_longest_is_evicted_above_the_memory_limit() {
    let connections = ConnectionPool::with_slots(4);
    let guards: Vec<_> = (0..4)
        .map(|_| {
            std::thread::sleep(Duration::from_millis(2));
            idle_slot(&connections)
        })
        .collect();
    let evicted = || {
        let is_evicted = |slot: &SlotGuard| slot.evicted().now_or_never().is_some();
        guards.iter().map(is_evicted).collect::<Vec<_>>()
    };
    // The oldest holds little, and the server works for the next one.
    guards[0].record_received(100);
    guards[1].set_server_busy(true);
    guards[1].record_response(MAX_HELD_BYTES / 2);
    // The rest of a longer request is not held.
    guards[2].record_received(usize::try_from(2 * MAX_REQUEST_BYTES).unwrap());
    guards[2].record_sent(1 << 15);
    guards[3].record_response(MAX_HELD_BYTES / 2 - MAX_REQUEST_BYTES + (1 << 15) - 100);
    assert_eq!(evicted(), [false; 4]);
    guards[0].record_received(1);
    assert_eq!(evicted(), [false, false, true, false]);
    drop(guards);
    assert_eq!(connections.0.held.load(Ordering::Relaxed), 0);
}

#[test]
fn memory_is_taken_from_the_address_that_holds_most() {
    let connections = ConnectionPool::with_slots(9);
    let upload = |address: u8| {
        let slot = connections
            .try_acquire([127, 0, 0, address].into())
            .unwrap();
        slot.record_read();
        std::thread::sleep(Duration::from_millis(2));
        slot
    };
    // The one of the honest client is the oldest.
    let honest = upload(1);
    let greedy: Vec<_> = (0..6).map(|_| upload(2)).collect();
    honest.record_received(1 << 20);
    for slot in &greedy {
        slot.record_received(usize::try_from(MAX_REQUEST_BYTES).unwrap());
    }
    let is_evicted = |slot: &SlotGuard| slot.evicted().now_or_never().is_some();
    assert!(!is_evicted(&honest));
    assert!(is_evicted(&greedy[0]));
    assert!(!is_evicted(&greedy[5]));
}
