//! The store on a disk that fails: whatever call fails, and however much of the last writes a
//! power cut takes along, nothing acknowledged is lost and nothing stands there by halves.
//!
//! Both tests take the steps of one [`script`]. In the first the power is cut after writes and
//! syncs, in the second a call of the disk fails; then the database is opened on what is left. By
//! default some moments are tried; `STORE_FAULTS=all` tries every one (minutes), and
//! `STORE_FAULTS_SEED` chooses other steps and other cuts. [`damage`],
//! [`files`], [`config`] and [`commands`] are about files that changed behind the program's back.

mod commands;
mod config;
mod damage;
mod files;
mod mutation;
mod script;

use std::fs;
use std::time::{Duration, Instant};

use blockchain::store::{Addition, Operation, PageLimit, Store, StoreError};

use self::script::{Held, Script, open, prepared};
use crate::support::check::{check_all, check_file};
use crate::support::environment::{is_on, variable};
use crate::support::random::SeededRng;
use crate::support::simulated_disk::{Disk, Errno, Event, Fault, Platter, Progress};

const EVERYTHING: PageLimit = PageLimit {
    count: usize::MAX,
    bytes: usize::MAX,
};

/// Time limit of opening a database, generous enough for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Returns `true` if the long form is requested.
fn all() -> bool {
    is_on("STORE_FAULTS", "all")
}

#[expect(clippy::print_stderr, reason = "the counts are shown with --nocapture")]
fn tell(text: &str) {
    eprintln!("{text}");
}

fn seed() -> u64 {
    variable("STORE_FAULTS_SEED").unwrap_or(1)
}

/// Opens a database after a fault, checks that its content is complete and that of one of the
/// possible steps, and takes the next step. Returns how long opening took.
fn check(image: Vec<u8>, progress: Progress, script: &Script, what: &str) -> Duration {
    let disk = Disk::holding(image);
    let begin = Instant::now();
    let (store, _heard) = open(&disk).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let took = begin.elapsed();
    assert!(took < TIMEOUT, "{what}: opened after {took:?}");
    let view = store.view().unwrap();
    check_all(&view).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let held = Held::of(&view).unwrap();
    let mut possible = progress.acknowledged..=progress.submitted;
    let Some(step) = possible.find(|step| script.held[*step] == held) else {
        let (blocks, pending) = (held.blocks.len(), held.pending.len());
        panic!("{what}: {blocks} blocks and {pending} messages as after no step of {progress:?}");
    };
    drop(view);
    let next = script.len().min(step + 1);
    if next > step {
        script.take(&store, step).unwrap();
    }
    store.close().unwrap();
    let (store, _heard) = open(&disk).unwrap();
    assert!(store.stopped_cleanly(), "{what}");
    let held = Held::of(&store.view().unwrap()).unwrap();
    assert!(held == script.held[next], "{what}: the next step differs");
    took
}

/// As `verify --db` checks a file.
fn check_as_file(image: &[u8], what: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");
    fs::write(&path, image).unwrap();
    check_file(&path).unwrap_or_else(|error| panic!("{what}: {error:?}"));
}

#[test]
fn nothing_acknowledged_is_lost_whenever_the_power_is_cut() {
    let seed = seed();
    let script = Script::of(seed, if all() { 200 } else { 40 });
    let disk = prepared();
    let mut platter = Platter::holding(disk.image());
    disk.record();
    let (store, _heard) = open(&disk).unwrap();
    script.play(&store, &disk).unwrap();
    store.close().unwrap();
    let events = disk.recorded();

    let mut rng = SeededRng::new(seed);
    let (mut writes, mut syncs, mut images, mut files) = (0, 0, 0, 0);
    let (mut progress, mut slowest) = (Progress::default(), Duration::ZERO);
    let each = if all() { 4 } else { 2 };
    for (number, event) in events.into_iter().enumerate() {
        let cuts = match event {
            Event::Progress(now) => {
                progress = now;
                continue;
            }
            Event::Sync => {
                platter.sync();
                syncs += 1;
                1
            }
            Event::Change(change) => {
                platter.change(change);
                writes += 1;
                each
            }
        };
        // The short form tries one moment in four.
        if !all() && rng.below(4) > 0 {
            continue;
        }
        for _ in 0..cuts {
            let image = platter.cut(&mut rng);
            let what = format!("seed {seed}, event {number}, image {images}");
            if images % 8 == 0 {
                check_as_file(&image, &what);
                files += 1;
            }
            slowest = slowest.max(check(image, progress, &script, &what));
            images += 1;
        }
    }
    assert_eq!(progress.acknowledged, script.len());
    assert!(images > 100, "{images} images");
    tell(&format!(
        "power cuts: seed {seed}, {} steps, {writes} writes, {syncs} syncs; {images} images all \
         whole, {files} of them also as files; slowest to open {slowest:?}",
        script.len(),
    ));
}

/// Asserts that nothing is written after a failure, and that the listener knows the reason.
fn check_ended(store: &Store, first: &StoreError, what: &str) {
    assert!(
        !matches!(first, StoreError::Rejected(_)),
        "{what}: {first:?}"
    );
    for _ in 0..3 {
        let addition = Addition {
            message: SeededRng::new(3).message(),
            key: None,
            arrived: 1,
        };
        let response = store.write(|reply| Operation::Add(addition, reply));
        assert!(
            matches!(response, Err(StoreError::Closed)),
            "{what}: {response:?}"
        );
    }
}

/// Takes steps on a failing disk, and checks the result. Returns `true` if a call has failed.
fn fail_at(fault: Fault, script: &Script, start: &[u8], cuts: u64) -> bool {
    let disk = Disk::holding(start.to_vec());
    disk.set_fault(Some(fault));
    let what = format!("{fault:?}");
    let mut met = true;
    if let Ok((store, heard)) = open(&disk) {
        match script.play(&store, &disk) {
            Ok(()) => {
                // The fault comes after the last step, if at all.
                met = store.close().is_err();
            }
            Err(error) => {
                check_ended(&store, &error, &what);
                let told = heard.try_iter().last().unwrap();
                let told = told.expect_err("the listener heard of a commit last");
                assert!(matches!(told, StoreError::Engine(_)), "{what}: {told:?}");
                let closed = store.close();
                assert!(closed.is_err(), "{what}: closed as if nothing had been");
            }
        }
    }
    let progress = disk.progress();
    let mut rng = SeededRng::new(fault.call);
    let mut images = vec![disk.image()];
    images.extend((0..cuts).map(|_| disk.image_after_power_cut(&mut rng)));
    for image in images {
        check(image, progress, script, &what);
    }
    met
}

#[test]
fn nothing_acknowledged_is_lost_whatever_call_fails() {
    let seed = seed();
    let script = Script::of(seed, if all() { 200 } else { 40 });
    let start = prepared().image();
    let disk = Disk::holding(start.clone());
    let (store, _heard) = open(&disk).unwrap();
    script.play(&store, &disk).unwrap();
    store.close().unwrap();
    let calls = disk.calls();

    let ways = [
        (true, Errno::InputOutput),
        (false, Errno::InputOutput),
        (true, Errno::NoSpace),
        (false, Errno::NoSpace),
    ];
    let mut rng = SeededRng::new(seed);
    // The first calls belong to opening, the last to closing.
    let ends = (0..calls).step_by(5).take(6).chain(calls - 8..calls);
    let sample: Vec<_> = if all() {
        (0..calls).collect()
    } else {
        ends.chain((0..26).map(|_| rng.below(calls))).collect()
    };
    let (mut met, tried) = (0, sample.len());
    for call in sample {
        let (lasting, errno) = ways[usize::try_from((call + seed) % 4).unwrap()];
        let fault = Fault {
            call,
            lasting,
            errno,
        };
        met += usize::from(fail_at(fault, &script, &start, 2));
    }
    assert!(met * 2 > tried, "{met} of {tried} failures were met");
    tell(&format!(
        "failing calls: seed {seed}, {} steps, {calls} calls of the disk; {tried} failed once or \
         from then on, {met} ended the store, {} images all whole",
        script.len(),
        tried * 3,
    ));
}
