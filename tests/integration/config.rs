//! `--config FILE`: options override the environment, the environment the file, and the file the
//! defaults; invalid files.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use blockchain::wire::Neighbours;

use crate::support::command::{Blockchain, Finished};
use crate::support::test_node::TestNode;

/// A configuration file in a folder of its own.
struct ConfigFile {
    folder: TempDir,
    path: PathBuf,
}

impl ConfigFile {
    fn new(content: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blockchain.toml");
        fs::write(&path, content).unwrap();
        Self { folder, path }
    }

    /// A command line with this file.
    fn run(&self, arguments: &str) -> Blockchain {
        Blockchain::new(["--config"])
            .args([&self.path])
            .args(arguments.split_whitespace())
    }

    /// Expects that a node does not start with it.
    #[track_caller]
    fn rejected(&self) -> Finished {
        let database = self.folder.path().join("db");
        self.run("node --port 0 --db").args([database]).exits(2)
    }
}

/// Returns the port that a command tried, where no node listens.
#[track_caller]
fn asked(command: Blockchain) -> String {
    let stderr = command.exits(3).stderr;
    let rest = stderr.split("127.0.0.1:").nth(1).unwrap();
    rest.chars().take_while(char::is_ascii_digit).collect()
}

#[test]
fn options_override_the_environment_then_the_file_then_defaults() {
    let file = ConfigFile::new("[client]\nport = 3\n");
    let variable = |command: Blockchain| command.env("BLOCKCHAIN_CLIENT_PORT", "2");
    assert_eq!(asked(file.run("get status")), "3");
    assert_eq!(asked(variable(file.run("get status"))), "2");
    assert_eq!(asked(variable(file.run("get status --port 1"))), "1");
    assert_eq!(asked(file.run("get status --port 1")), "1");
    // The variable may name the file, and an option another one.
    let other = ConfigFile::new("[client]\nport = 5\n");
    let named = |command: Blockchain| command.env("BLOCKCHAIN_CONFIG", &other.path);
    assert_eq!(asked(named(Blockchain::new(["get", "data"]))), "5");
    assert_eq!(asked(named(file.run("get data"))), "3");
}

#[test]
fn a_node_takes_its_options_from_a_file() {
    let file = ConfigFile::new(
        "log = \"debug\"\n\
         [node]\n\
         difficulty = 2\n\
         threads = 0\n\
         accept-open = true\n\
         neighbours = [\"127.0.0.2:1\", \"127.0.0.3,127.0.0.4:3\"]\n\
         max-neighbours = 7\n\
         chain-interval = \"7m\"\n\
         ui = 0\n\
         log-format = \"json\"\n",
    );
    let path = file.path.to_str().unwrap();
    let mut node = TestNode::start(&["--config", path, "--difficulty", "3"]);
    let status = node.status();
    assert_eq!(status.difficulty, 3, "an option goes before the file");
    assert_eq!(status.sealed_from, None);
    assert_eq!(status.proof_mode, "sealed", "a default, named nowhere");
    let neighbours: Neighbours = node.json("/neighbours");
    let neighbours = neighbours.neighbours.into_iter();
    let addresses: Vec<_> = neighbours.map(|neighbour| neighbour.address).collect();
    assert_eq!(addresses, ["127.0.0.2:1", "127.0.0.3:12345", "127.0.0.4:3"]);
    let log = node.stop();
    assert!(log.contains("\"level\":\"DEBUG\""), "{log}");
    assert!(log.contains("\"explorer\":"), "{log}");
}

#[test]
fn invalid_keys_and_values_are_named_with_their_line() {
    for (content, reason) in [
        (
            "[node]\n\nprot = 1",
            "line 3: prot in [node]: there is no such option; did you mean port?",
        ),
        (
            "[node]\nmax_reorg = 1",
            "line 2: max_reorg in [node]: there is",
        ),
        ("[node]\nPORT = 1", "line 2: PORT in [node]: there is"),
        (
            "[node]\nforce-new-chain = true",
            "line 2: force-new-chain in [node]: there is",
        ),
        ("[Node]\nport = 1", "line 2: port in [Node]: there is"),
        (
            "[nodes]\nport = 1",
            "line 2: port in [nodes]: there is no section [nodes]; did you mean [node]?",
        ),
        ("port = 1", "line 1: port: there is"),
        ("node = 1", "line 1: node: there is"),
        ("json = true", "line 1: json: there is"),
        (
            "[node]\nport = 65536",
            "line 2: port in [node]: \"65536\": ",
        ),
        ("[node]\nport = \"\"", "line 2: port in [node]: \"\": "),
        (
            "[node]\ndb = \"\"",
            "line 2: db in [node]: \"\": the value is empty",
        ),
        (
            "[node]\nui = \"true\"",
            "line 2: ui in [node]: \"true\": expected a whole number",
        ),
        ("[node]\nport = -1", "line 2: port in [node]: \"-1\": "),
        (
            "[node]\nport = 1.5",
            "line 2: port in [node]: expected a text",
        ),
        (
            "[node]\nport = 2026-01-01",
            "line 2: port in [node]: expected a text",
        ),
        (
            "[node]\nport = [1]",
            "line 2: port in [node]: takes one value, not a list",
        ),
        (
            "[node.port]\na = 1",
            "line 1: port in [node]: expected a text",
        ),
        ("[[node]]\nport = 1", "line 1: node: expected a text"),
        (
            "[node]\nneighbours = [[\"a\"]]",
            "line 2: neighbours in [node]: expected a text",
        ),
        (
            "[node]\nneighbours = [\"a:1\", \"b:x\"]",
            "line 2: neighbours in [node]: \"b:x\": ",
        ),
        (
            "[node]\nproof = \"other\"",
            "line 2: proof in [node]: \"other\": expected one of sealed, open",
        ),
        (
            "[node]\naccept-open = \"maybe\"",
            "line 2: accept-open in [node]: \"maybe\": expected one of",
        ),
        (
            "[ui]\nbase-path = \"//x\"",
            "line 2: base-path in [ui]: \"//x\": a path consists",
        ),
        ("[node]\nport = 1\nport = 2", "line 3: duplicate key"),
        ("[node\n", "line 1: "),
    ] {
        let finished = ConfigFile::new(content).rejected();
        finished.complains(&["error: ", "blockchain.toml, ", reason]);
    }
    let pair = ConfigFile::new("[node]\naccept-open = true\nrequire-sealed = \"tip\"");
    pair.rejected()
        .complains(&["--accept-open and --require-sealed cannot be used together"]);
    let pair = ConfigFile::new("[node]\nnew-genesis = \"a\"\ngenesis = \"any\"");
    pair.rejected()
        .complains(&["--new-genesis and --genesis cannot be used together"]);
}

#[test]
fn hostile_configuration_files_are_rejected_and_escaped() {
    let escape = ConfigFile::new("[node]\n\"po\\u001b[2Jrt\" = 1\n");
    let escape = escape
        .rejected()
        .complains(&["line 2: po\\u{1b}[2Jrt in [node]"]);
    assert!(!escape.stderr.contains('\u{1b}'), "{escape:?}");
    let value = ConfigFile::new("[node]\nhost = 1\nport = \"\\u001b[2J\\u202e\"\n");
    let value = value
        .rejected()
        .complains(&["line 3: port in [node]: \"\\u{1b}[2J\\u{202e}\""]);
    assert!(!value.stderr.contains('\u{202e}'), "{value:?}");

    let latin1 = ConfigFile::new(b"[node]\n# \xe4\n");
    latin1
        .rejected()
        .complains(&["blockchain.toml: is not UTF-8 text"]);
    let fits = ConfigFile::new("#".repeat(64 * 1024));
    fits.run("pow check --proof 1 --difficulty 1").succeeds();
    let long = ConfigFile::new("#".repeat(64 * 1024 + 1));
    long.rejected()
        .complains(&["blockchain.toml: has more than 64 KiB"]);
    let deep = format!("a = {}", "[".repeat(60_000));
    ConfigFile::new(deep).rejected().complains(&["line 1: "]);

    let node = Blockchain::new(["pow", "check", "--proof", "1", "--config", "/dev/zero"]);
    node.exits(3).complains(&["/dev/zero: ", "a device"]);
    let node = Blockchain::new([
        "pow",
        "check",
        "--proof",
        "1",
        "--config",
        "/nowhere/x.toml",
    ]);
    node.exits(3).complains(&["/nowhere/x.toml: "]);
}
