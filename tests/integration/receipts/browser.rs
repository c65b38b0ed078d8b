//! The pages that verify receipts, in a real browser: their verdicts are those of the command line.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::node_with;
use crate::support::command::Blockchain;
use crate::support::explorer::Explorer;
use crate::support::random::SeededRng;
use crate::support::skip::skip;
use crate::support::webdriver::Browser;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/receipts");

/// Writes the offline page to a folder and opens it.
pub(super) fn open_offline_page(browser: &Browser, folder: &Path) {
    let page = folder.join("verify.html");
    Blockchain::new(["receipt", "page", "--output", page.to_str().unwrap()]).succeeds();
    browser.open(&format!("file://{}", page.display()));
}

/// Checks that a page rejects a file for the same reason as the command line.
pub(super) fn assert_same_reason(reason: &str, verdict: &Value, file: &str) {
    let reading = ["not_readable", "not_well_formed", "not_canonical"];
    let same = verdict["reason"].as_str().unwrap_or_default();
    // JavaScript reads some files that are no JSON for stricter readers; none is proven.
    assert!(
        reason == same || reading.contains(&reason) && reading.contains(&same),
        "{reason}, but {same}: {file}"
    );
}

/// Fills in a form and presses its button; returns the verdict and the reason.
pub(super) fn verify(browser: &Browser, receipt: &str, trust: &str) -> (bool, String) {
    let script = format!(
        "document.getElementById('receipt').value = {};
         document.getElementById('trust').value = {};
         document.querySelector('input[name=by][value=text]')?.click();
         document.getElementById('verdict').removeAttribute('data-proven');
         document.querySelector('#verifier button').click();",
        json!(receipt),
        json!(trust)
    );
    browser.run(&script);
    let read = "const { dataset } = document.getElementById('verdict');
                return [dataset.proven, dataset.reason]";
    let found = crate::support::wait_for("the verdict", || {
        let found = browser.run(read);
        found[0].is_string().then_some(found)
    });
    (found[0] == "true", found[1].as_str().unwrap().to_owned())
}

#[test]
fn browsers_and_the_command_line_give_the_same_verdicts() {
    let browser = match Browser::start() {
        Ok(browser) => browser,
        Err(reason) => return skip("receipts in a browser", &reason),
    };
    let folder = tempfile::tempdir().unwrap();
    open_offline_page(&browser, folder.path());

    let trust_file = format!("{VECTORS}/checkpoints.txt");
    let trust = fs::read_to_string(&trust_file).unwrap();
    let file = folder.path().join("receipt.json");
    let compare = |text: &str| {
        fs::write(&file, text).unwrap();
        let (proven, reason) = verify(&browser, text, &trust);
        let command = ["--json", "receipt", "verify", file.to_str().unwrap()];
        let command = Blockchain::new(command).args(["--trust", &trust_file]);
        let verdict: Value = command.exits(i32::from(!proven)).json();
        assert_same_reason(&reason, &verdict, text);
        proven
    };
    for entry in fs::read_dir(VECTORS).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("receipt_") {
            assert!(compare(&fs::read_to_string(&path).unwrap()), "{name}");
        }
    }
    let original = fs::read_to_string(Path::new(VECTORS).join("receipt_3_under_11.json")).unwrap();
    let mut random = SeededRng::new(50);
    for _ in 0..50 {
        let at = random.index(original.len() - 1);
        let (before, after) = (&original[..at], &original[at + 1..]);
        let changed = match random.below(3) {
            0 => format!("{before}{after}"),
            1 => format!("{before}7{after}"),
            _ => format!("{before}{}", &original[at..].replacen(':', ";", 1)),
        };
        assert!(changed == original || !compare(&changed), "{changed}");
    }

    let node = node_with(4);
    let explorer = Explorer::of(node.address(), &[]);
    let receipt = node
        .get("/api/v1/blocks/2/receipt")
        .expect(200)
        .text()
        .to_owned();
    browser.open(&format!("http://{}/receipt", explorer.address()));
    assert_eq!(
        verify(&browser, &receipt, &trust),
        (false, "other_block".to_owned())
    );
    browser.run(
        "document.querySelector('input[name=by][value=node]').click();
                 document.getElementById('verdict').removeAttribute('data-proven');
                 document.querySelector('#verifier button').click();",
    );
    crate::support::wait_for("the verdict of this node", || {
        let proven = browser.run("return document.getElementById('verdict').dataset.proven");
        (proven == "true").then_some(())
    });
    browser.open(&format!("http://{}/checkpoint", explorer.address()));
    let drawn = browser.run("return document.querySelectorAll('.qr svg').length");
    assert_eq!(drawn, 1);
    assert_eq!(browser.console(), Vec::<String>::new());
}

#[test]
fn the_server_verifies_where_there_are_no_scripts() {
    let node = node_with(3);
    let explorer = Explorer::of(node.address(), &[]);
    let receipt = node
        .get("/api/v1/blocks/2/receipt")
        .expect(200)
        .text()
        .to_owned();
    let post = |receipt: &str, by: &str, trust: &str| {
        let form = [("receipt", receipt), ("by", by), ("trust", trust)];
        let body = form
            .map(|(name, value)| format!("{name}={}", crate::support::http::percent_encode(value)));
        let response = explorer.browse("POST", "/receipt", &[], &body.join("&"));
        response.expect(200).text().to_owned()
    };
    // A form turns line ends into CR LF and drops the last one.
    let sent = receipt.trim_end().replace('\n', "\r\n");
    assert!(post(&sent, "node", "").contains("data-proven=\"true\""));
    let line = node.json::<Value>("/checkpoint")["checkpoint"].clone();
    assert!(post(&sent, "text", line.as_str().unwrap()).contains("data-proven=\"true\""));
    let other = "0".repeat(64);
    assert!(post(&sent, "text", &other).contains("data-reason=\"not_trusted\""));
    assert!(post(&sent, "text", "").contains("data-reason=\"not_trusted\""));
    let changed = sent.replace("entry 2", "entry 3");
    assert!(post(&changed, "node", "").contains("data-reason=\"not_in_history\""));
    assert!(post("<script>alert(1)</script>", "node", "").contains("data-reason=\"not_readable\""));
}

#[test]
fn the_page_on_proving_is_linked_wherever_receipts_are() {
    let node = node_with(1);
    let explorer = Explorer::of(node.address(), &[]);
    let block: Value = node.json("/blocks/1");
    let message = format!("/message/{}", block["data"]["id"].as_str().unwrap());
    for page in ["/receipt", "/checkpoint", &message] {
        let html = explorer.get(page).expect(200);
        assert!(html.text().contains("href=\"/proving\""), "{page}");
    }
    let page = explorer.get("/proving").expect(200);
    for text in [
        "git tag -m \"$(blockchain checkpoint)\"",
        "ots stamp",
        "blockchain checkpoint --host A | blockchain add - --host B",
        "Who wrote the message",
        "miner's clock",
        "still follows this chain",
    ] {
        assert!(page.text().contains(text), "{text}");
    }
}
