//! Options set by environment variables: empty is unset, and an error names the variable.

use crate::support::command::Blockchain;
use crate::support::test_node::TestNode;

/// Every variable that an option can be set by, as the help of all commands lists them.
fn variables() -> Vec<String> {
    let mut found = Vec::new();
    for command in [
        &["node", "--help"][..],
        &["miner", "start", "--help"],
        &["ui", "--help"],
        &["add", "--help"],
    ] {
        let help = Blockchain::new(command).succeeds().stdout;
        let names = help.split("[env: ").skip(1);
        found.extend(names.map(|rest| rest.split(']').next().unwrap().to_owned()));
    }
    found.sort();
    found.dedup();
    found
}

/// A node with these variables.
fn started_with(variables: impl IntoIterator<Item = String>) -> TestNode {
    let mut node = TestNode::stopped();
    node.wrapper = vec!["env".to_owned()];
    node.wrapper.extend(variables);
    node.start_again(&[]);
    node
}

/// Returns the port that a command tried, where no node listens.
#[track_caller]
fn asked(command: Blockchain) -> String {
    let stderr = command.exits(3).stderr;
    let rest = stderr.split("127.0.0.1:").nth(1).unwrap();
    rest.chars().take_while(char::is_ascii_digit).collect()
}

#[test]
fn an_empty_variable_is_unset() {
    let variables = variables();
    assert!(variables.len() > 25, "{variables:?}");
    let node = started_with(variables.iter().map(|name| format!("{name}=")));
    let status = node.status();
    assert!(status.genesis.starts_with("c0f0de3647e3"), "{status:?}");
    assert_eq!(status.sealed_from, Some(1));
    assert_eq!(status.mining.threads, 1);
    let mut asks = Blockchain::new(["get", "status", "--port", "1"]);
    for name in &variables {
        asks = asks.env(name, "");
    }
    assert_eq!(asked(asks), "1");
}

#[test]
fn an_invalid_value_is_an_error_that_names_its_variable() {
    for (name, value, reason) in [
        ("BLOCKCHAIN_NODE_PORT", "abc", "expected a whole number"),
        (
            "BLOCKCHAIN_NODE_PORT",
            "65536",
            "65536 is not between 0 and 65535",
        ),
        ("BLOCKCHAIN_NODE_DIFFICULTY", "0", ""),
        (
            "BLOCKCHAIN_NODE_PROOF",
            "half",
            "expected one of sealed, open",
        ),
        ("BLOCKCHAIN_NODE_ACCEPT_OPEN", "maybe", ""),
        ("BLOCKCHAIN_NODE_NEIGHBOURS", "a:1,b:x", "port"),
        ("BLOCKCHAIN_NODE_HOST", "127.0.0.1:1", "--port 1"),
        ("BLOCKCHAIN_NODE_UI", "truth", "expected a whole number"),
        ("RUST_LOG", "a=b=c", ""),
    ] {
        let node = Blockchain::new(["node", "--db", "/dev/null/none"]).env(name, value);
        let finished = node.exits(2);
        let expected = format!("error: {name}={value}: ");
        assert!(finished.stderr.starts_with(&expected), "{finished:?}");
        assert!(finished.stderr.contains(reason), "{finished:?}");
    }
    // The variable affects neither other commands nor an option that is given.
    let check = ["pow", "check", "--proof", "1", "--difficulty", "1"];
    Blockchain::new(check)
        .env("BLOCKCHAIN_NODE_PORT", "abc")
        .succeeds();
    let asks = Blockchain::new(["get", "status", "--port", "1"]);
    assert_eq!(asked(asks.env("BLOCKCHAIN_CLIENT_PORT", "abc")), "1");
    let asks = Blockchain::new(["get", "status"]).env("BLOCKCHAIN_CLIENT_PORT", "\u{1b}[2J");
    let finished = asks
        .exits(2)
        .complains(&["BLOCKCHAIN_CLIENT_PORT=\\u{1b}[2J: "]);
    assert!(!finished.stderr.contains('\u{1b}'), "{finished:?}");
}

#[test]
fn flags_accept_the_usual_boolean_words() {
    for (value, is_open) in [("1", true), ("yes", true), ("on", true), ("true", true)]
        .into_iter()
        .chain([
            ("0", false),
            ("no", false),
            ("off", false),
            ("false", false),
        ])
    {
        let node = started_with([format!("BLOCKCHAIN_NODE_ACCEPT_OPEN={value}")]);
        assert_eq!(node.status().sealed_from.is_none(), is_open, "{value}");
    }
}

#[test]
fn an_option_with_an_optional_value_accepts_booleans() {
    let documented = |node: &TestNode| node.status().genesis.starts_with("c0f0de3647e3");
    let new_genesis = |value: &str| format!("BLOCKCHAIN_NODE_NEW_GENESIS={value}");
    assert!(!documented(&started_with([new_genesis("true")])));
    let node = started_with([new_genesis("False"), "BLOCKCHAIN_NODE_UI=false".to_owned()]);
    assert!(documented(&node));
    assert!(!node.stderr().contains("explorer"), "{}", node.stderr());
    // A variable overrides the configuration file, and an option overrides both.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blockchain.toml");
    let file = format!("BLOCKCHAIN_CONFIG={}", path.display());
    for (value, variable, is_documented) in [
        ("true", None, false),
        ("false", None, true),
        ("true", Some("false"), true),
        ("false", Some("true"), false),
    ] {
        std::fs::write(&path, format!("[node]\nnew-genesis = {value}\nui = false")).unwrap();
        let node = started_with([file.clone()].into_iter().chain(variable.map(new_genesis)));
        assert_eq!(documented(&node), is_documented, "{value} {variable:?}");
    }
}

#[test]
fn a_value_that_is_not_text_is_named_as_such() {
    use std::os::unix::ffi::OsStrExt;
    let wild = std::ffi::OsStr::from_bytes(b"\xff");
    for (name, reason) in [
        ("BLOCKCHAIN_NODE_PROOF", "the value is not UTF-8"),
        ("BLOCKCHAIN_NODE_PORT", "the value is not UTF-8"),
        ("BLOCKCHAIN_NODE_ALLOW_HOST", "the value is not UTF-8"),
        ("BLOCKCHAIN_NODE_UI", "the value is not UTF-8"),
    ] {
        let node = Blockchain::new(["node", "--db", "/dev/null/none"]).env(name, wild);
        node.exits(2).complains(&[reason]);
    }
}

#[test]
fn a_port_in_the_host_is_overridden_only_by_a_stronger_source() {
    let variable = |command: Blockchain| command.env("BLOCKCHAIN_CLIENT_PORT", "2");
    let asks = || Blockchain::new(["get", "status", "--host", "127.0.0.1:1"]);
    assert_eq!(asked(asks()), "1");
    assert_eq!(asked(variable(asks())), "1");
    assert_eq!(asked(asks().args(["--port", "1"])), "1");
    let asks = || Blockchain::new(["get", "status"]).env("BLOCKCHAIN_CLIENT_HOST", "127.0.0.1:1");
    assert_eq!(asked(asks()), "1");
    assert_eq!(asked(asks().args(["--port", "3"])), "3");
    variable(asks())
        .exits(2)
        .complains(&["names port 1", "--port names 2"]);
    let both = ["add", "x", "--host", "127.0.0.1:1", "--port", "2"];
    Blockchain::new(both)
        .exits(2)
        .complains(&["name one of them"]);
}

#[test]
fn an_ipv6_host_may_be_in_brackets() {
    let folder = tempfile::tempdir().unwrap();
    // A missing chain file ends the start after the port is bound.
    let node = Blockchain::new(["node", "--host", "[::1]", "--port", "0", "--threads", "0"]);
    let missing = folder.path().join("file");
    std::fs::write(&missing, "").unwrap();
    let finished = node.args(["--db"]).args([missing.join("below")]).exits(3);
    assert!(!finished.stderr.contains("lookup"), "{finished:?}");
    for command in ["node", "ui"] {
        Blockchain::new([command, "--host", "127.0.0.1:21001"])
            .exits(2)
            .complains(&["write --host 127.0.0.1 --port 21001"]);
    }
}

#[test]
fn a_variable_that_is_nearly_an_option_is_a_warning() {
    let finished = Blockchain::new(["completions", "bash"])
        .env("BLOCKCHAIN_NODE_PROT", "1234")
        .exits(0);
    for text in [
        "warning: ",
        "BLOCKCHAIN_NODE_PROT",
        "did you mean BLOCKCHAIN_NODE_PORT?",
    ] {
        assert!(finished.stderr.contains(text), "{finished:?}");
    }
}
