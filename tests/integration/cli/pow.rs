//! `blockchain pow`: the documented puzzle by hand.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::command::{BINARY, Blockchain, signal};
use crate::support::wait_for;

fn pow(arguments: &[&str]) -> Blockchain {
    Blockchain::new(["pow"]).args(arguments)
}

#[test]
fn the_documented_proofs_are_found_with_any_number_of_threads() {
    for (difficulty, proof) in [("1", "1"), ("2", "350"), ("3", "3969"), ("4", "15558")] {
        for threads in ["1", "2", "3"] {
            let solved = pow(&["solve", "--difficulty", difficulty, "--threads", threads]);
            let solved: Value = solved.args(["--json"]).succeeds().json();
            assert_eq!(solved["proof"], proof, "{solved}");
            assert_eq!(solved["difficulty"].to_string(), difficulty);
            assert!(
                solved["hash"]
                    .as_str()
                    .unwrap()
                    .ends_with(&"0".repeat(difficulty.parse().unwrap()))
            );
            assert!(solved["tries"].as_u64().unwrap() > proof.parse().unwrap());
        }
    }
    pow(&["solve", "--difficulty", "3", "--last-proof", "None"])
        .succeeds()
        .prints(&["proof  3969\n", "hash   1604de88", "tries  ", "time   "]);
    // The second of the documented sequence.
    let solved: Value = pow(&["solve", "--difficulty", "1", "--last_proof", "1", "--json"])
        .succeeds()
        .json();
    assert_eq!(solved["proof"], "33");
}

#[test]
fn a_proof_is_checked() {
    let hash = "65f24f9482849a12c878413dd06ff5ebf8dfc659c8e4d1d081af927698aa8380";
    pow(&["check", "--proof", "1", "--difficulty", "1"])
        .succeeds()
        .prints(&["valid\n", hash, "zeros  1 of 1\n"]);
    pow(&["check", "--proof", "1", "--difficulty", "2"])
        .exits(1)
        .prints(&["NOT VALID\n", hash, "zeros  1 of 2\n"]);
    // The default difficulty is 5.
    let checked: Value = pow(&["check", "--proof", "1406000", "--json"])
        .succeeds()
        .json();
    assert_eq!(
        (&checked["valid"], &checked["zeros"]),
        (&true.into(), &7.into())
    );
    assert_eq!(checked["proof"], "1406000");
    let checked = pow(&["check", "--proof", "1406001", "--json"]).exits(1);
    assert_eq!(checked.stderr, "");
    assert_eq!(checked.json::<Value>()["valid"], false);
}

#[test]
fn proofs_are_integers_of_any_size_and_sign() {
    let huge = "9".repeat(4300);
    let lowest = format!("-{huge}");
    for proof in ["0", "-1", "-5", "18446744073709551616", &huge, &lowest] {
        for option in ["--proof", "--last-proof"] {
            let other = if option == "--proof" {
                "--last-proof"
            } else {
                "--proof"
            };
            let checked = pow(&["check", option, proof, other, "7", "--json"]).exits(1);
            let checked: Value = checked.json();
            assert!(checked["zeros"].as_u64().unwrap() < 5, "{checked}");
        }
    }
    let longer = "9".repeat(4301);
    for proof in [
        "", "x", "+5", "007", "-0", "1.0", "1e5", " 1", "None", "٣", &longer,
    ] {
        pow(&["check", "--proof", proof])
            .exits(2)
            .complains(&["--proof"]);
    }
    // Nothing separates the two proofs: 1|33 is 13|3.
    let one: Value = pow(&[
        "check",
        "--last-proof",
        "1",
        "--proof",
        "33",
        "--difficulty",
        "1",
        "--json",
    ])
    .succeeds()
    .json();
    let two: Value = pow(&[
        "check",
        "--last-proof",
        "13",
        "--proof",
        "3",
        "--difficulty",
        "1",
        "--json",
    ])
    .succeeds()
    .json();
    assert_eq!(one["hash"], two["hash"]);
}

#[test]
fn a_search_can_be_interrupted() {
    let mut pause = Duration::from_millis(50);
    let output = wait_for("the search to listen", || {
        let child = Command::new(BINARY)
            .args(["pow", "solve", "--difficulty", "30"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The search does not show when it handles signals, so it gets more time at each attempt.
        std::thread::sleep(pause);
        pause *= 2;
        signal("INT", child.id());
        let output = child.wait_with_output().unwrap();
        // A signal that comes before the handler is installed ends the process without an exit
        // code.
        output.status.code().map(|_| output)
    });
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(output.stdout, b"");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("stopped after "), "{stderr}");
}

#[test]
fn the_exit_code_is_right_when_nobody_reads_the_output() {
    for (proof, code) in [("1406000", 0), ("1406001", 1)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = Command::new(BINARY)
            .args(["pow", "check", "--difficulty", "5", "--proof", proof])
            .stdout(writer)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(code), "{proof}");
    }
}
