//! A monitor on a growing chain: memory and files stay flat.
//!
//! Long form: `BLOCKCHAIN_MONITOR_SOAK_SECONDS=3600`.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Front, Watch, node_with};
use crate::support::command::{BINARY, foreign_variables, signal};
use crate::support::environment::variable;
use crate::support::wait_for;

fn resident(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn memory_and_files_stay_flat_while_the_chain_grows() {
    let seconds = variable("BLOCKCHAIN_MONITOR_SOAK_SECONDS").unwrap_or(10);
    let node = node_with(1200, &[]);
    let front = Front::of(&node);
    let watch = Watch::of(&front);
    let mut command = Command::new(BINARY);
    foreign_variables().for_each(|name| _ = command.env_remove(name));
    let mut monitor = command
        .args(["monitor", "--interval", "1s", "--state"])
        .arg(watch.root.path().join("state"))
        .arg(node.address().to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the first poll", || {
        let state = watch.root.path().join("state");
        let has_folder = fs::read_dir(state).is_ok_and(|mut entries| entries.next().is_some());
        (has_folder && watch.file("recent.ndjson").lines().count() == 1000).then_some(())
    });
    let (begin, mut blocks, mut samples) = (Instant::now(), 0, Vec::new());
    while begin.elapsed() < Duration::from_secs(seconds) {
        let texts: Vec<_> = (0..20)
            .map(|n| format!("entry {} of {blocks}", blocks + n))
            .collect();
        node.mine(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        blocks += 20;
        std::thread::sleep(Duration::from_millis(200));
        let files = fs::read_dir(watch.folder()).unwrap().flatten();
        let bytes: u64 = files
            .map(|file| file.metadata().map_or(0, |file| file.len()))
            .sum();
        samples.push((resident(monitor.id()), bytes));
    }
    let settled = node.status().tip.index - 6;
    wait_for("the last blocks", || {
        (watch.settled() == settled).then_some(())
    });
    assert!(
        watch
            .kinds()
            .iter()
            .all(|kind| kind == "start" || kind == "advance")
    );
    let (first, last) = (samples[samples.len() / 4], samples[samples.len() - 1]);
    #[expect(
        clippy::print_stderr,
        reason = "the figures are shown with --nocapture"
    )]
    {
        eprintln!(
            "{blocks} blocks in {seconds} s: KiB resident and bytes of files {first:?}, {last:?}"
        );
    }
    // The kept lines and events of an hour have less than 100 kB.
    assert!(last.1 < first.1 + 100_000, "{first:?} {last:?}");
    if let (Some(first), Some(last)) = (first.0, last.0) {
        assert!(last < first + 8 * 1024, "{first} {last} KiB");
    }
    signal("INT", monitor.id());
    let ended = wait_for("the end", || monitor.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0));
}
