//! Stamps on the pages of the explorer and on the offline page: the file never leaves the browser.

use std::fs;

use blockchain::chain::BlockHash;
use blockchain::proofs::stamp::Stamp;
use serde_json::{Value, json};

use super::browser::{assert_same_reason, open_offline_page, verify};
use crate::support::command::Blockchain;
use crate::support::explorer::Explorer;
use crate::support::http::percent_encode;
use crate::support::random::SeededRng;
use crate::support::skip::skip;
use crate::support::test_node::TestNode;
use crate::support::wait_for;
use crate::support::webdriver::Browser;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/receipts");

fn vector(name: &str) -> String {
    fs::read_to_string(format!("{VECTORS}/{name}")).unwrap()
}

/// The hash of the block with the stamp, which a reader of the vector trusts.
fn trusted() -> String {
    let stamp = Stamp::read(vector("stamp_file2_of_5.json").as_bytes()).unwrap();
    BlockHash::of(stamp.carrier.block().unwrap()).to_string()
}

#[test]
fn browsers_and_the_command_line_agree_on_stamps() {
    let browser = match Browser::start() {
        Ok(browser) => browser,
        Err(reason) => return skip("stamps in a browser", &reason),
    };
    let folder = tempfile::tempdir().unwrap();
    open_offline_page(&browser, folder.path());
    let trust = trusted();
    let (file, stamp) = (format!("{VECTORS}/file2"), folder.path().join("stamp.json"));
    // The browser hashes the file that a person chooses.
    browser.type_into("#stamped", &file);
    let digest = wait_for("the digest", || {
        let value = browser.run("return document.getElementById('digest').value");
        value
            .as_str()
            .filter(|text| text.len() == 64)
            .map(str::to_owned)
    });
    let compare = |text: &str| {
        fs::write(&stamp, text).unwrap();
        let (proven, reason) = verify(&browser, text, &trust);
        let command = Blockchain::new(["--json", "stamp", "verify", &file, "--trust", &trust]);
        let command = command.args(["--stamp".as_ref(), stamp.as_os_str()]);
        let verdict: Value = command.exits(i32::from(!proven)).json();
        assert_same_reason(&reason, &verdict, text);
        proven
    };
    let original = vector("stamp_file2_of_5.json");
    assert!(compare(&original));
    let said = browser.run("return document.getElementById('verdict').innerText");
    let said = said.as_str().unwrap();
    assert!(
        said.contains("5 files were stamped by this message") && said.contains("before block 12"),
        "{said}"
    );
    for (from, to) in [
        ("\"leaf\": 2", "\"leaf\": 3"),
        ("\"leaf\": 2", "\"leaf\": 5"),
        ("c3a6a853", "c3a6a854"),
        ("c3a6a853", "C3a6a853"),
        ("sha256 5", "sha256 6"),
        ("stamp/1", "stamp/2"),
    ] {
        assert!(!compare(&original.replacen(from, to, 1)), "{from}");
    }
    let mut random = SeededRng::new(51);
    for _ in 0..20 {
        let at = random.index(original.len() - 1);
        let (before, after) = (&original[..at], &original[at + 1..]);
        let changed = match random.below(2) {
            0 => format!("{before}{after}"),
            _ => format!("{before}7{after}"),
        };
        assert!(changed == original || !compare(&changed), "{changed}");
    }
    let set = |text: &str| {
        let script = format!("document.getElementById('digest').value = {}", json!(text));
        browser.run(&script);
    };
    for (digest, reason) in [
        ("", "no_file"),
        ("abc", "not_readable"),
        (&*"0".repeat(64), "other_file"),
    ] {
        set(digest);
        assert_eq!(
            verify(&browser, &original, &trust),
            (false, reason.to_owned())
        );
    }
    set(&format!("{}  file2", digest.to_uppercase()));
    assert!(verify(&browser, &original, &trust).0);
    assert_eq!(browser.console(), Vec::<String>::new());
}

#[test]
fn the_server_verifies_a_stamp_by_the_digest_of_the_file() {
    let node = TestNode::start(&["--threads", "0"]);
    let explorer = Explorer::of(node.address(), &[]);
    let stamp = vector("stamp_file2_of_5.json");
    let sent = stamp.trim_end().replace('\n', "\r\n");
    let digest = {
        use sha2::{Digest, Sha256};
        hex::encode(Sha256::digest(vector("file2")))
    };
    let trust = trusted();
    let post = |receipt: &str, digest: &str| {
        let form = [
            ("receipt", receipt),
            ("digest", digest),
            ("by", "text"),
            ("trust", &trust),
        ];
        let body = form.map(|(name, value)| format!("{name}={}", percent_encode(value)));
        let response = explorer.browse("POST", "/receipt", &[], &body.join("&"));
        response.expect(200).text().to_owned()
    };
    let page = post(&sent, &digest);
    assert!(page.contains("data-proven=\"true\""), "{page}");
    assert!(page.contains("5 files were stamped by this message"));
    for (receipt, digest, reason) in [
        (&*sent, "", "no_file"),
        (&sent, "xyz", "not_readable"),
        (&sent, &"0".repeat(64), "other_file"),
        (
            &sent.replace("sha256 5", "sha256 x"),
            &digest,
            "not_a_stamp",
        ),
        (
            &sent.replace("\"leaf\": 2", "\"leaf\": 02"),
            &digest,
            "not_readable",
        ),
    ] {
        let page = post(receipt, digest);
        let expected = format!("data-reason=\"{reason}\"");
        assert!(page.contains(&expected), "{reason}: {page}");
    }
}

#[test]
fn the_message_of_a_stamp_is_shown_in_words() {
    let node = TestNode::start(&["--difficulty", "1"]);
    let root = "ab".repeat(32);
    node.mine(&[
        &format!("blockchain-stamp/1 sha256 1200 {root}"),
        &format!("blockchain-stamp/1 sha256 01 {root}"),
    ]);
    let explorer = Explorer::of(node.address(), &[]);
    let id = |index: u64| {
        let block: Value = node.json(&format!("/blocks/{index}"));
        block["data"]["id"].as_str().unwrap().to_owned()
    };
    for page in ["/block/1", &format!("/message/{}", id(1))] {
        let html = explorer.get(page).expect(200);
        let text = "<strong>Stamp of 1,200 files</strong>";
        assert!(html.text().contains(text), "{page}: {}", html.text());
    }
    let html = explorer.get(&format!("/message/{}", id(2))).expect(200);
    assert!(!html.text().contains("Stamp of"), "{}", html.text());
}
