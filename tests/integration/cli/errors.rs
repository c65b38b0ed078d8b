//! Errors of the command line: complete, safe to print, JSON on request, and never lost.

use std::fs::{File, OpenOptions};
use std::process::Stdio;

use serde::Deserialize;
use serde_json::Value;

use crate::support::command::{BINARY, Blockchain, Finished};
use crate::support::test_node::TestNode;
use crate::support::wait_for;

/// An error as `--json` prints it.
#[derive(Debug, Deserialize)]
struct ErrorObject {
    error: String,
    message: String,
    hint: Option<String>,
}

fn error_of(finished: &Finished) -> ErrorObject {
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
    serde_json::from_str(&finished.stderr).unwrap_or_else(|error| panic!("{error}: {finished:?}"))
}

/// Returns `true` if a character may change how a terminal shows a line.
fn is_unsafe(found: char) -> bool {
    found != '\n' && (found.is_control() || found == '\u{202e}')
}

#[test]
fn errors_are_json_objects_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    for (arguments, code, error, message, hint) in [
        ("get blok", 2, "usage", "blok", Some("block")),
        ("", 2, "usage", "a command is missing", None),
        ("get block zz", 2, "usage", "zz", None),
        ("export --format xml", 2, "usage", "xml", Some("ndjson")),
        ("get status --host https://a", 2, "usage", "https", None),
        (
            "get status --port 1",
            3,
            "unreachable",
            "127.0.0.1:1",
            Some("blockchain node"),
        ),
        ("verify -", 1, "", "", None),
        (&format!("verify --db {nowhere}"), 3, "", "nowhere", None),
    ] {
        let finished = Blockchain::new(arguments.split_whitespace().chain(["--json"])).exits(code);
        if error.is_empty() && code == 1 {
            // A verdict is the output of the command.
            assert!(finished.json::<Value>()["valid"] == false, "{finished:?}");
            assert_eq!(finished.stderr, "");
            continue;
        }
        assert_eq!(finished.stdout, "", "{finished:?}");
        let found = error_of(&finished);
        assert!(error.is_empty() || found.error == error, "{found:?}");
        assert!(found.message.contains(message), "{found:?}");
        let is_hint = |hint| found.hint.as_deref().unwrap_or_default().contains(hint);
        assert!(hint.is_none_or(is_hint), "{found:?}");
    }
    let after = Blockchain::new(["get", "status", "--host", "a@b", "--", "--json"]).exits(2);
    assert!(
        after.stderr.starts_with("error: "),
        "not an option: {after:?}"
    );
}

#[test]
fn arguments_in_errors_are_escaped() {
    let wild = "x\u{1b}[31m\n\u{202e}";
    for arguments in [
        vec![wild],
        vec!["get", wild],
        vec!["get", "block", wild],
        vec!["get", "status", "--port", wild],
        vec!["get", "status", "--host", wild],
        vec!["get", "status", wild],
        vec!["get", "--x\u{1b}[31m"],
        vec!["--log", wild, "get", "status"],
        vec!["--config", wild, "node"],
        vec!["export", "--format", wild],
        vec!["man", wild],
        vec!["node", "--neighbours", wild],
        vec!["node", "--min-free", wild],
        vec!["node", "--genesis", wild],
        vec!["node", "--host", wild],
        vec!["import", wild, "--db", wild],
        vec!["verify", wild],
        vec!["verify", "--db", wild],
        vec!["verify", "--checkpoint", wild, "-"],
        vec!["receipt", "show", wild],
        vec!["receipt", "verify", wild, "--trust", wild],
        vec!["pow", "check", "--proof", wild],
    ] {
        for json in [false, true] {
            let mut command = std::process::Command::new(BINARY);
            command.args(&arguments).args(json.then_some("--json"));
            let output = command.stdin(Stdio::null()).output().unwrap();
            let text = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success(), "{arguments:?}");
            assert!(!text.contains(is_unsafe), "{text:?}");
            let start = if json { "{\"" } else { "error: " };
            assert!(text.starts_with(start), "{text}");
        }
    }
}

#[test]
fn a_path_in_the_log_of_a_node_is_escaped() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("x\u{1b}[31m\u{202e}");
    for format in ["text", "json"] {
        let path = root.path().join(format);
        let mut node = std::process::Command::new(BINARY)
            .args(["node", "--port", "0", "--log-format", format, "--db"])
            .arg(folder.join(format))
            .stderr(File::create(&path).unwrap())
            .spawn()
            .unwrap();
        let log = wait_for("the start", || {
            let log = std::fs::read_to_string(&path).unwrap();
            log.contains("listening").then_some(log)
        });
        node.kill().unwrap();
        node.wait().unwrap();
        assert!(
            log.contains("database created") && log.contains("[31m"),
            "{log}"
        );
        assert!(!log.contains(is_unsafe), "{log:?}");
    }
}

#[test]
fn an_output_that_cannot_be_written_is_a_failure() {
    for arguments in [
        "--help",
        "-h",
        "get --help",
        "help get",
        "--version",
        "--version --json",
        "man",
        "completions bash",
        "pow solve --difficulty 1",
    ] {
        let full: File = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = std::process::Command::new(BINARY);
        let output = command
            .args(arguments.split(' '))
            .stdout(full)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{arguments}: {stderr}");
        assert!(
            stderr.contains("standard output: No space left"),
            "{stderr}"
        );
    }
}

#[test]
fn a_refused_connection_is_one_line_and_a_hint() {
    let rejected = Blockchain::new(["get", "chain", "--port", "1"]).exits(3);
    let expected = "error: no node is listening on 127.0.0.1:1\n\
                    hint: start one with \"blockchain node\"\n";
    assert_eq!(rejected.stderr, expected);
}

#[test]
fn a_message_without_quotes_is_told_about_quotes() {
    let stray = Blockchain::new(["add", "hello", "world"]).exits(2);
    stray.complains(&["'world'", "hint: put a message with spaces in quotes"]);
}

#[test]
fn a_malformed_name_is_wrong_usage_and_a_name_of_nothing_is_a_negative_answer() {
    let node = TestNode::start(&[]);
    let asked = |arguments: &[&str]| node.command(arguments);
    for name in ["zz", "c0f0d", "tipp", "", " ", "../status", "a?b", "ü"] {
        for command in [
            &["get", "block"][..],
            &["get", "message"],
            &["receipt", "get"],
            &["checkpoint", "--at"],
            &["consistency", "get", "--from", "0", "--to"],
        ] {
            let wrong = asked(&[command, &[name]].concat()).exits(2);
            wrong.complains(&["invalid value", "expected"]);
        }
    }
    for name in ["abcdef", "7", "123456", "ffffffffffffffffffffffffffffffff"] {
        for command in [
            &["get", "block"][..],
            &["receipt", "get"],
            &["checkpoint", "--at"],
            &["consistency", "get", "--from", "0", "--to"],
        ] {
            asked(&[command, &[name]].concat())
                .exits(1)
                .complains(&["there is no"]);
        }
    }
    let id = "ffffffffffffffffffffffffffffffff";
    asked(&["get", "message", id])
        .exits(1)
        .complains(&["there is no"]);
}

#[test]
fn the_version_as_json_describes_the_build() {
    let version: Value = Blockchain::new(["--version", "--json"]).succeeds().json();
    let text = |key: &str| version[key].as_str().unwrap_or_default().to_owned();
    assert!(
        text("version").starts_with(env!("CARGO_PKG_VERSION")),
        "{version}"
    );
    assert!(text("target").contains(std::env::consts::ARCH), "{version}");
    assert!(
        version["features"]
            .as_array()
            .unwrap()
            .contains(&version["kernel"])
    );
    let commit = &version["commit"];
    assert!(commit.is_null() || commit.as_str().is_some_and(|hash| hash.len() == 40));
}
