use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Killed, is_installed, path, read};
use crate::support::command::BINARY;
use crate::support::skip::skip;
use crate::support::test_node::TestNode;
use crate::support::wait_for;

/// The search path with the binary under test first.
fn search_path(first: &Path) -> OsString {
    let binary = Path::new(BINARY).parent().unwrap();
    let inherited = std::env::var_os("PATH").unwrap();
    let rest = std::env::split_paths(&inherited).collect::<Vec<_>>();
    let folders = [first.to_owned(), binary.to_owned()]
        .into_iter()
        .chain(rest);
    std::env::join_paths(folders).unwrap()
}

/// The number of blocks and pending messages that hold each message.
fn counts(node: &TestNode) -> BTreeMap<String, usize> {
    let export = node
        .command([
            "export",
            "--format",
            "json",
            "--with-mempool",
            "--output",
            "-",
        ])
        .exits(0);
    let mut counts = BTreeMap::new();
    count(&export.json(), &mut counts);
    counts
}

/// Counts the messages in any part of an export.
fn count(part: &Value, counts: &mut BTreeMap<String, usize>) {
    match part {
        Value::Array(items) => items.iter().for_each(|item| count(item, counts)),
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(text) if key == "message" => {
                        *counts.entry(text.clone()).or_default() += 1;
                    }
                    _ => count(value, counts),
                }
            }
        }
        _ => {}
    }
}

/// Copies a file, with replacements, and makes it executable.
fn copy(from: &str, to: &Path, replacements: &[(&str, &str)]) {
    let mut text = read(from);
    for (old, new) in replacements {
        assert!(text.contains(old), "{from}: no {old}");
        text = text.replace(old, new);
    }
    fs::write(to, text).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_git_hook_records_each_update_and_never_stops_a_push() {
    if !is_installed("git", "--version") {
        return skip("the_git_hook_records_each_update", "git is missing");
    }
    let node = TestNode::start(&["--difficulty", "1"]);
    let folder = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str], host: &str| {
        let output = Command::new("git")
            .current_dir(folder.path())
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
            .args(arguments)
            .env("PATH", search_path(folder.path()))
            .env("BLOCKCHAIN_CLIENT_HOST", host)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };
    let host = node.address().to_string();
    git(&["init", "-q", "--bare", "server.git"], &host);
    let hook = folder.path().join("server.git/hooks/post-receive");
    copy("docker/git-post-receive", &hook, &[]);
    git(&["init", "-q", "work"], &host);
    let work = |arguments: &[&str], host: &str| git(&[&["-C", "work"], arguments].concat(), host);
    work(&["commit", "-q", "--allow-empty", "-m", "first"], &host);
    let commit = work(&["rev-parse", "HEAD"], &host).trim().to_owned();
    work(
        &[
            "push",
            "-q",
            "../server.git",
            "HEAD:refs/heads/main",
            "HEAD:refs/tags/v1",
        ],
        &host,
    );
    let recorded = counts(&node);
    for reference in ["refs/heads/main", "refs/tags/v1"] {
        let zero = "0".repeat(commit.len());
        let text = format!(" git server {reference} {zero} {commit}");
        let found = recorded.keys().filter(|message| message.ends_with(&text));
        assert_eq!(found.count(), 1, "{text}: {recorded:?}");
    }
    drop(node);
    let output = work(&["push", "../server.git", "HEAD:refs/heads/late"], &host);
    assert!(output.contains("was not recorded on the chain"), "{output}");
    let listed = git(&["ls-remote", "server.git", "late"], &host);
    assert!(listed.contains(&commit), "{listed}");
}

#[test]
fn rsyslog_adds_each_line_once_although_the_node_is_killed() {
    let test = "rsyslog_adds_each_line_once_although_the_node_is_killed";
    let module = [
        "/usr/lib",
        "/usr/lib64",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
    ]
    .map(|folder| Path::new(folder).join("rsyslog/omprog.so"));
    let daemon = ["/usr/sbin/rsyslogd", "/sbin/rsyslogd"]
        .into_iter()
        .find(|daemon| Path::new(daemon).exists());
    let Some(daemon) = daemon.filter(|_| module.iter().any(|file| file.exists())) else {
        return skip(test, "rsyslog with omprog is missing");
    };
    let mut node = TestNode::start(&["--difficulty", "1"]);
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name).display().to_string();
    // The node has another port after each start.
    let keep_port = |node: &TestNode| {
        fs::write(inside("port"), node.address().port().to_string()).unwrap();
    };
    keep_port(&node);
    let ask = format!("blockchain add --port $(cat {})", inside("port"));
    copy(
        "docker/rsyslog-to-chain",
        &folder.path().join("to-chain"),
        &[("blockchain add", &ask)],
    );
    let action = folder.path().join("action.conf");
    let binary = inside("to-chain");
    copy(
        "docker/rsyslog.conf",
        &action,
        &[("/usr/local/bin/rsyslog-to-chain", &binary)],
    );
    let configuration = format!(
        "global(workDirectory=\"{}\")\nmodule(load=\"imuxsock\" SysSock.Use=\"off\")\n\
         input(type=\"imuxsock\" Socket=\"{}\" RateLimit.Interval=\"0\")\n{}",
        folder.path().display(),
        inside("socket"),
        fs::read_to_string(&action).unwrap(),
    );
    fs::write(inside("rsyslog.conf"), configuration).unwrap();
    let process = Command::new(daemon)
        .args(["-n", "-f", &inside("rsyslog.conf"), "-i", &inside("pid")])
        .env("PATH", search_path(folder.path()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _process = Killed(process);
    let socket = UnixDatagram::unbound().unwrap();
    wait_for("the socket of rsyslog", || {
        socket.connect(inside("socket")).ok()
    });
    let send = |number: usize| {
        socket
            .send(format!("<13>app: line {number} of 60").as_bytes())
            .unwrap();
    };
    (0..20).for_each(send);
    // Invalid text must not hold up the lines that follow.
    socket.send(b"<13>app: invalid \xff text").unwrap();
    wait_for("the first lines", || {
        (counts(&node)
            .keys()
            .any(|message| message.ends_with("line 19 of 60")))
        .then_some(())
    });
    (20..40).for_each(send);
    node.kill();
    (40..60).for_each(send);
    node.start_again(&[]);
    keep_port(&node);
    let counts = wait_for("the other lines", || {
        let counts = counts(&node);
        let lines = counts.keys().filter(|message| message.ends_with(" of 60"));
        (lines.count() == 60).then_some(counts)
    });
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    assert!(
        counts
            .keys()
            .any(|message| message.contains("app: invalid"))
    );
}

#[test]
fn a_transaction_of_rsyslog_with_an_invalid_line_is_confirmed() {
    let node = TestNode::start(&["--difficulty", "1"]);
    let mut script = Command::new("sh")
        .arg(path("docker/rsyslog-to-chain"))
        .env("PATH", search_path(Path::new("/")))
        .env("BLOCKCHAIN_CLIENT_HOST", node.address().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = b"BEGIN TRANSACTION\nbefore\ntag\xff: invalid\nafter\nCOMMIT TRANSACTION\n";
    script.stdin.take().unwrap().write_all(lines).unwrap();
    let output = script.wait_with_output().unwrap();
    let answers = String::from_utf8(output.stdout).unwrap();
    let expected = format!("OK\nOK\n{}OK\n", "DEFER_COMMIT\n".repeat(3));
    assert_eq!(answers, expected);
    let counts = counts(&node);
    assert!(counts.contains_key("before") && counts.contains_key("after"));
}

#[test]
fn the_journal_is_added_once_although_each_start_repeats_it() {
    let node = TestNode::start(&["--difficulty", "1"]);
    let unit = read("docker/journal.service");
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart=sh -c '"))
        .unwrap();
    let line = line.strip_suffix('\'').unwrap();
    // Prints a journal that has grown.
    let folder = tempfile::tempdir().unwrap();
    let journalctl = folder.path().join("journalctl");
    for lines in [3, 5] {
        let print = format!(
            "#!/bin/sh\nfor i in $(seq {lines}); do\n\
             echo \"2026-11-28T10:00:00.00000$i+0000 host app[1]: started\"\n\
             printf '\\377\\n'; head -c 70000 /dev/zero; echo\ndone\n"
        );
        fs::write(&journalctl, print).unwrap();
        fs::set_permissions(&journalctl, fs::Permissions::from_mode(0o755)).unwrap();
        let output = Command::new("sh")
            .args(["-c", line])
            .env("PATH", search_path(folder.path()))
            .env("BLOCKCHAIN_CLIENT_HOST", node.address().to_string())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let mut counts = counts(&node);
        counts.retain(|message, _| message.ends_with("app[1]: started"));
        assert_eq!(counts.len(), lines);
        assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    }
}

/// The value of an option of the configuration of Fluent Bit.
fn fluent_bit_option(name: &str) -> String {
    let text = read("docker/fluent-bit.conf");
    let mut words = text.lines().map(str::split_whitespace);
    let value = words.find_map(|mut words| (words.next() == Some(name)).then(|| words.next()));
    value.flatten().unwrap().to_owned()
}

/// The request is that of `plugins/out_http` with `json_lines`.
#[test]
fn a_chunk_that_fluent_bit_repeats_after_a_crash_adds_nothing() {
    let mut node = TestNode::start(&["--difficulty", "1"]);
    assert_eq!(fluent_bit_option("Format"), "json_lines");
    assert_eq!(fluent_bit_option("Key"), "log");
    let target = fluent_bit_option("URI");
    let records = (0..1000).map(|number| {
        format!(
            "{}\n",
            json!({"date": 1_795_860_000.123_456, "log": format!("10:00:00 line {number}")})
        )
    });
    let chunk: String = records.collect();
    let headers = [
        ("Content-Type", "application/x-ndjson"),
        ("User-Agent", "Fluent-Bit"),
    ];
    let post = |node: &TestNode| -> Value {
        let response = node.request("POST", &target, &headers, chunk.as_bytes());
        // Fluent Bit takes 200 to 205 as success.
        response.expect(201).json()
    };
    assert_eq!(post(&node), json!({"added": 1000, "known": 0}));
    node.kill();
    node.start_again(&[]);
    assert_eq!(post(&node), json!({"added": 0, "known": 1000}));
    let mut counts = counts(&node);
    counts.retain(|message, _| message.starts_with("10:00:00 line "));
    assert_eq!(counts.len(), 1000);
    assert!(counts.values().all(|count| *count == 1));
}

/// The scripts run without this program, so the shell must accept them.
#[test]
fn the_shell_accepts_the_scripts() {
    for script in [
        "docker/git-post-receive",
        "docker/rsyslog-to-chain",
        "docker/debian/postinst",
        "docker/debian/prerm",
        "docker/debian/postrm",
        "tests/package.sh",
    ] {
        let shell = read(script).lines().next().unwrap().contains("bash");
        let status = Command::new(if shell { "bash" } else { "sh" })
            .arg("-n")
            .arg(path(script))
            .status()
            .unwrap();
        assert!(status.success(), "{script}");
        let mode = fs::metadata(path(script)).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{script} is not executable");
    }
}
