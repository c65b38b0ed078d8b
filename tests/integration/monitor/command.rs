//! `--exec`, kills, options and exit codes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use super::{Front, Watch, grow, node_with, rewrite};
use crate::support::command::{BINARY, Blockchain, foreign_variables, signal};
use crate::support::wait_for;

#[test]
fn a_monitor_that_is_killed_by_its_command_tells_the_alarm_again() {
    let mut node = node_with(8, &[]);
    let front = Front::of(&node);
    let watch = Watch::of(&front);
    watch.polls(0);
    let settled = watch.file("settled");
    rewrite(&front, &mut node, &mut node_with(11, &[]));
    let told = watch.root.path().join("told");
    // The command kills the monitor after the event is written and before the state is.
    let command = format!("cat >> {}; kill -9 $PPID", told.display());
    let count = || {
        fs::read_to_string(&told)
            .unwrap_or_default()
            .matches("\"rewrite\"")
            .count()
    };
    for kill in 1..=50 {
        let before = count();
        assert_eq!(
            watch.command(&["--once", "--exec", &command]).exits_any(),
            -9
        );
        wait_for("the command", || (count() > before).then_some(()));
        assert_eq!(watch.file("settled"), settled, "after kill {kill}");
    }
    assert!(
        watch
            .kinds()
            .iter()
            .filter(|kind| *kind == "rewrite")
            .count()
            >= 1
    );
    let command = format!("cat >> {}", told.display());
    let before = count();
    watch.command(&["--once", "--exec", &command]).exits(1);
    assert!(count() > before);
    assert_eq!(watch.file("outbox.ndjson"), "");
}

#[test]
fn polling_goes_on_while_the_command_fails_and_a_failed_one_is_run_again() {
    let mut node = node_with(8, &[]);
    let front = Front::of(&node);
    let watch = Watch::of(&front);
    watch.polls(0);
    rewrite(&front, &mut node, &mut node_with(11, &[]));
    let failed = watch.command(&["--once", "--exec", "false"]).exits(1);
    assert!(failed.stderr.contains("the command failed"), "{failed:?}");
    assert_eq!(watch.file("outbox.ndjson").lines().count(), 1);
    let told = watch.root.path().join("told");
    let command = format!("cat >> {}", told.display());
    watch.command(&["--once", "--exec", &command]).exits(1);
    assert!(fs::read_to_string(&told).unwrap().contains("\"rewrite\""));
    assert_eq!(watch.file("outbox.ndjson"), "");

    // Without --once, the command hangs, and the second node is still noticed.
    let mut second = node_with(3, &[]);
    let mut command = Command::new(BINARY);
    foreign_variables().for_each(|name| _ = command.env_remove(name));
    let mut monitor = command
        .args([
            "--json",
            "monitor",
            "--interval",
            "1s",
            "--exec",
            "sleep 20",
            "--state",
        ])
        .arg(watch.root.path().join("state"))
        .args([
            front.peer.address().to_string(),
            second.address().to_string(),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let address = second.address().to_string();
    wait_for("the second node", || {
        let events = watch.events();
        events
            .iter()
            .any(|event| event["node"] == *address)
            .then_some(())
    });
    second.kill();
    wait_for("the alarm", || {
        watch
            .kinds()
            .contains(&"unreachable".to_owned())
            .then_some(())
    });
    let busy = watch.polls(3);
    assert!(
        busy.stderr.contains("is in use by another monitor"),
        "{busy:?}"
    );
    signal("TERM", monitor.id());
    let ended = wait_for("the end", || monitor.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0));
}

#[test]
fn exit_codes_tell_what_stands() {
    let mut node = node_with(3, &[]);
    let front = Front::of(&node);
    let address = front.peer.address().to_string();
    let watch = Watch::new(&[address.clone(), "127.0.0.1:1".to_owned()]);
    watch.polls(3);
    assert_eq!(watch.kinds(), ["start", "unreachable"]);
    let alone = Watch::new(&["127.0.0.1:1".to_owned()]);
    alone
        .polls(3)
        .complains(&["no node is listening on 127.0.0.1:1"]);
    for wrong in [
        &["--interval", "999ms"][..],
        &["--trust", "blockchain-checkpoint/1 0"],
        &["--accept", "0"],
        &["--sample", "1001"],
    ] {
        watch.command(wrong).exits(2);
    }
    Blockchain::new(["monitor"])
        .exits(2)
        .complains(&["name at least one node"]);
    // The option is accepted at the first start only.
    let kept = watch.folder().join("kept.txt");
    let kept = kept.to_str().unwrap();
    let again = watch.command(&["--once", "--trust", kept]).exits(2);
    assert!(again.stderr.contains("holds a state already"), "{again:?}");
    let trusting = Watch::new(std::slice::from_ref(&address));
    trusting.command(&["--once", "--trust", kept]).exits(0);
    assert_eq!(trusting.file("settled"), watch.file("settled"));
    let tip = node.status().tip.hash;
    let trusting = Watch::new(&[address]);
    trusting.command(&["--once", "--trust", &tip]).exits(0);
    assert_eq!(trusting.settled(), 3);
    // The node does not have the trusted checkpoint.
    rewrite(&front, &mut node, &mut node_with(6, &[]));
    let distrusting = Watch::of(&front);
    let line = watch.file("settled");
    distrusting
        .command(&["--once", "--trust", line.trim()])
        .exits(1);
    assert_eq!(distrusting.kinds(), ["start", "rewrite"]);
}

#[test]
fn a_state_that_cannot_be_written_is_exit_code_3_and_the_alarm_is_told() {
    let mut node = node_with(8, &[]);
    let front = Front::of(&node);
    let watch = Watch::of(&front);
    watch.polls(0);
    rewrite(&front, &mut node, &mut node_with(11, &[]));
    let events = watch.folder().join("events.ndjson");
    fs::remove_file(&events).unwrap();
    fs::create_dir(&events).unwrap();
    let told = watch.root.path().join("told");
    let command = format!("cat >> {}", told.display());
    let failed = watch.command(&["--once", "--exec", &command]).exits(3);
    assert!(failed.stderr.contains("events.ndjson"), "{failed:?}");
    assert!(failed.stdout.contains("\"rewrite\""), "{failed:?}");
    assert!(fs::read_to_string(told).unwrap().contains("\"rewrite\""));
}

#[test]
fn options_come_from_the_environment_and_the_configuration_file() {
    let node = node_with(5, &[]);
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let config = folder.path().join("config.toml");
    let text = format!(
        "[monitor]\nnodes = [\"{}\"]\nstate = {state:?}\ndepth = 1\nonce = true\n",
        node.address()
    );
    fs::write(&config, text).unwrap();
    let command = Blockchain::new(["monitor", "--config"]).args([&config]);
    command
        .exits(0)
        .prints(&["block 4 is settled, trusted on first use"]);
    grow(&node, 1, "more");
    let command = Blockchain::new(["monitor", "--once"]).env("BLOCKCHAIN_MONITOR_STATE", &state);
    command
        .env("BLOCKCHAIN_MONITOR_NODES", node.address().to_string())
        .exits(0);
}

#[test]
fn a_monitor_asks_for_compressed_responses() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let heads = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        lines
            .take_while(|line| !line.is_empty())
            .collect::<Vec<_>>()
    });
    Watch::new(&[address]).polls(3);
    let head = heads.join().unwrap().join("\n").to_ascii_lowercase();
    assert!(head.contains("accept-encoding: gzip"), "{head}");
    // A node compresses responses.
    let node = node_with(20, &[]);
    Watch::new(&[node.address().to_string()]).polls(0);
}
