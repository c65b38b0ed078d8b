//! Wrong usage is exit code 2, said on the standard error; help and version are asked for.

use crate::support::command::Blockchain;

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in [
        "",
        "nope",
        "get",
        "get nope",
        "get block",
        "get block ../status",
        "get message a?b",
        "get chain --newest x",
        "get status --port 0",
        "get status --port 65536",
        "get status --host a@b",
        "get status --host https://a",
        "get status --host http://a:0",
        "get status --host ftp://a",
        "completions",
        "completions dos",
        "man nope",
        "node --log-format xml",
        "add",
        "add message --lines",
        "node --difficulty 0",
        "node --difficulty 65",
        "node --port 65536",
        "node --port 8080 --ui",
        "node --port 7001 --ui=7001",
        "node --threads -1",
        "node --threads x",
        "node --min-free 1XB",
        "node --proof other",
        "node --accept-open --require-sealed",
        "node extra",
        "verify",
        "verify --db a --node b:1",
        "verify --node https://a:1",
        "verify --node a:b",
        "verify --db a --difficulty 65",
        "export --json --format csv",
        "export --output x.csv",
        "export --output x.chain",
        "pow",
        "pow solve --threads 0",
        "pow solve --difficulty 0",
        "pow check",
        "--log a=b=c get status",
        "--log inof get status",
        "--log blockchain,inof get status",
        "--log blockchain=loud get status",
    ] {
        let finished = Blockchain::new(arguments.split_whitespace()).exits(2);
        assert_eq!(finished.stdout, "", "{arguments}");
        assert!(finished.stderr.len() > 10, "{arguments}: {finished:?}");
    }
}

#[test]
fn help_and_version_go_to_the_standard_output() {
    let version = Blockchain::new(["--version"]).succeeds();
    assert!(
        version
            .stdout
            .starts_with(concat!("blockchain ", env!("CARGO_PKG_VERSION")))
    );
    let help = Blockchain::new(["--help"]).succeeds();
    for command in ["node", "add", "get", "export", "verify", "pow", "man"] {
        help.stdout
            .lines()
            .find(|line| line.trim_start().starts_with(command))
            .unwrap();
        let own = Blockchain::new([command, "--help"]).succeeds();
        assert!(own.stdout.contains("--json"), "{own:?}");
    }
}

#[test]
fn completions_and_man_pages_cover_the_command_line() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = Blockchain::new(["completions", shell]).succeeds();
        assert!(script.stdout.contains("accept-open"), "{shell}");
    }
    Blockchain::new(["man"])
        .succeeds()
        .prints(&[".TH blockchain 1", "blockchain\\-node"]);
    Blockchain::new(["man", "add"]).succeeds().prints(&[
        ".TH blockchain-add 1",
        "\\-\\-wait",
        "BLOCKCHAIN_CLIENT_HOST",
    ]);
    for group in [
        "get block",
        "receipt verify",
        "neighbours add",
        "miner start",
    ] {
        let page = Blockchain::new(["man"].into_iter().chain(group.split(' '))).succeeds();
        let title = format!(".TH blockchain-{} 1", group.replace(' ', "-"));
        page.prints(&[&title]);
    }
}

#[test]
fn man_writes_the_page_of_every_command_to_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man/man1");
    let write = ["man", "--dir", pages.to_str().unwrap()];
    assert_eq!(Blockchain::new(write).succeeds().stdout, "");
    for command in COMMANDS.split('|') {
        let name = format!("blockchain-{}", command.replace(' ', "-"));
        let page = std::fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
    }
    let file = pages.join("blockchain.1");
    let inside_a_file = ["man", "--dir", file.to_str().unwrap()];
    Blockchain::new(inside_a_file)
        .exits(3)
        .complains(&["blockchain.1"]);
    Blockchain::new(["man", "add", "--dir", "."]).exits(2);
}

/// All commands, each with its own help.
const COMMANDS: &str = "node|miner|miner start|ui|add|get|get chain|get block|get message|get data|\
    get neighbours|get status|neighbours|neighbours add|neighbours remove|export|import|verify|\
    checkpoint|receipt|receipt get|receipt show|receipt verify|receipt page|consistency|\
    consistency get|consistency verify|join|invite|pow|pow solve|pow check|completions|man";

#[test]
fn help_lists_the_options_of_a_command_before_the_global_ones() {
    for command in COMMANDS.split('|') {
        for flag in ["-h", "--help"] {
            let help = Blockchain::new(command.split(' ').chain([flag])).succeeds();
            let (own, global) = help.stdout.split_once("\nGlobal options:\n").unwrap();
            for option in [
                "--json",
                "--log <LEVEL>",
                "--config <FILE>",
                "--help",
                "--version",
            ] {
                let is_listed = |text: &str| {
                    let mut lines = text.lines().map(str::trim_start);
                    let short = ["-h, ", "-V, "].map(|short| format!("{short}{option}"));
                    lines.any(|line| {
                        line.starts_with(option) || short.iter().any(|s| line.starts_with(s))
                    })
                };
                assert!(is_listed(global) && !is_listed(own), "{option}: {help:?}");
            }
            let is_last = !global.contains("ptions:\n");
            assert!(is_last, "another group of options follows: {help:?}");
        }
    }
}

#[test]
fn help_does_not_print_the_values_of_variables() {
    for arguments in [&["node", "--help"][..], &["add", "-h"], &["man", "add"]] {
        let help = Blockchain::new(arguments)
            .env("BLOCKCHAIN_NODE_DB", "\u{1b}[31m")
            .env("BLOCKCHAIN_CLIENT_HOST", "secret\u{1b}[31m");
        let help = help.succeeds().stdout;
        assert!(!help.contains("[31m"), "{help}");
    }
}

#[test]
fn errors_are_coloured_only_on_request() {
    let wrong = || Blockchain::new(["get", "status", "--host", "https://a"]);
    let plain = "error: nodes are reached by http://, not by https://\n";
    assert_eq!(wrong().exits(2).stderr, plain);
    let coloured = wrong().env("CLICOLOR_FORCE", "1").exits(2).stderr;
    assert!(
        coloured.contains("\u{1b}[") && coloured.contains("not by https"),
        "{coloured:?}"
    );
    let never = wrong().env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1");
    assert_eq!(never.exits(2).stderr, plain);
}

#[test]
fn levels_and_directives_of_the_log_are_told_from_misspelled_ones() {
    for levels in [
        "info",
        "WARN",
        "off",
        "blockchain,h2=off",
        "a[b{c=d}]=trace",
    ] {
        Blockchain::new(["--log", levels, "completions", "bash"]).succeeds();
    }
    Blockchain::new(["--log", "inof", "get", "status"])
        .exits(2)
        .complains(&["'inof'", "use error, warn, info, debug or trace"]);
}
