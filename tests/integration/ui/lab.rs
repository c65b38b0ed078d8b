//! The lab in a real browser. The browser's rules are compared with those of the node.

use blockchain::chain::{Block, BlockHash, Checker, Link, Message};
use blockchain::pow::Difficulty;
use blockchain::wire::BlockPage;
use serde_json::{Value, json};

use crate::support::axe::Axe;
use crate::support::explorer::Explorer;
use crate::support::skip::skip;
use crate::support::test_node::TestNode;
use crate::support::wait_for;
use crate::support::webdriver::Browser;

/// Zeros of the chain: enough for a proof to be searched, few enough for a slow machine.
const ZEROS: u8 = 2;

pub(super) struct Scene {
    node: TestNode,
    explorer: Explorer,
    pub(super) browser: Browser,
}

/// Starts a node with this many blocks after the genesis block, or skips the test.
pub(super) fn scene(blocks: usize) -> Option<Scene> {
    let browser = match Browser::start() {
        Ok(browser) => browser,
        Err(reason) => {
            skip("the lab in a browser", &reason);
            return None;
        }
    };
    let node = TestNode::start(&["--difficulty", &ZEROS.to_string()]);
    let texts: Vec<String> = (1..=blocks).map(|nth| format!("message {nth}")).collect();
    node.mine(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    let explorer = Explorer::of(node.address(), &[]);
    Some(Scene {
        node,
        explorer,
        browser,
    })
}

impl Scene {
    pub(super) fn open(&self, path: &str) {
        self.browser
            .open(&format!("http://{}{path}", self.explorer.address()));
    }

    fn text(&self) -> String {
        let text = self.browser.run("return document.body.innerText");
        text.as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub(super) fn wait_for_text(&self, text: &str) {
        wait_for(text, || self.text().contains(text).then_some(()));
    }

    fn number(&self, script: &str) -> u64 {
        self.browser
            .run(script)
            .as_u64()
            .unwrap_or_else(|| panic!("{script}"))
    }

    /// Counts the *Mine this block* buttons that are shown.
    fn broken_blocks(&self) -> u64 {
        self.number("return document.querySelectorAll('#tamper .lab-mine:not([hidden])').length")
    }

    /// Returns the tampered copy of the browser.
    fn copy(&self) -> Vec<Block> {
        let script = "return import('/assets/lab-tamper.js').then((lab) => lab.tampered().blocks)";
        let blocks = self.browser.run(script);
        blocks.as_array().unwrap().iter().map(block_of).collect()
    }
}

/// Returns a block in the form of the scripts.
fn block_of(block: &Value) -> Block {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let link = text(&block["proof"]).zip(text(&block["previous_hash"]));
    Block {
        index: block["index"].as_u64().unwrap(),
        timestamp: text(&block["timestamp_text"]).unwrap().parse().unwrap(),
        message: Message::new(
            text(&block["data"]["id"]).unwrap().parse().unwrap(),
            text(&block["data"]["message"]).unwrap(),
        )
        .unwrap(),
        link: link.map(|(proof, hash)| Link {
            previous_hash: hash.parse().unwrap(),
            proof: proof.parse().unwrap(),
        }),
    }
}

#[test]
fn a_copy_that_is_mined_again_is_valid_and_still_has_another_tip_hash() {
    let Some(scene) = scene(11) else { return };
    scene.open("/block/3");
    scene
        .browser
        .run("[...document.links].find((link) => link.textContent === 'Tamper from here').click()");
    scene.wait_for_text("identical to the chain of the node");
    assert_eq!(
        scene.browser.run("return location.search"),
        json!("?from=3")
    );
    assert_eq!(scene.broken_blocks(), 0);

    scene.browser.type_into("#tamper-4", ", forged");
    scene.wait_for_text("A node would reject this copy at block 4. 5 blocks are broken.");
    assert_eq!(scene.broken_blocks(), 5);
    scene.browser.click("[data-index='4'] .lab-mine");
    scene.wait_for_text("reject this copy at block 5. 4 blocks are broken.");
    let tries = scene
        .browser
        .run("return document.getElementById('tamper-tries').textContent");
    assert_ne!(tries, json!("0"));

    // The cards end with block 8. The run includes the three blocks after them.
    scene.wait_for_text("3 more blocks must be mined, too");
    scene.browser.click("#tamper-mine-all");
    scene.wait_for_text("The copy is valid again by every rule.");
    assert_eq!(scene.broken_blocks(), 0);
    scene.browser.click("#tamper .lab-button");
    scene.wait_for_text("Valid, and yet exposed: the two tip hashes are different.");
    scene.wait_for_text("Your copy does not: it is exposed.");

    let page: BlockPage = scene.node.json("/blocks?limit=100");
    let tip_hash = page.blocks.last().unwrap().hash.clone();
    let mut blocks: Vec<Block> = page.blocks[..3]
        .iter()
        .map(|block| block.clone().try_into().unwrap())
        .collect();
    blocks.extend(scene.copy());
    assert_eq!(blocks.len(), 12);
    assert_eq!(blocks[4].message.text(), "message 4, forged");
    let mut checker = Checker::new(Difficulty::new(ZEROS).unwrap(), Some(1));
    for block in &blocks {
        checker.push(block).unwrap();
    }
    let forged = BlockHash::of(&blocks[11]).to_string();
    assert_ne!(forged, tip_hash);
    for hash in [&forged, &tip_hash] {
        assert!(scene.text().contains(hash.as_str()), "{hash}");
    }

    // A hash from before the change exposes nothing.
    scene
        .browser
        .run("document.getElementById('verdict-kept').value = ''");
    scene
        .browser
        .type_into("#verdict-kept", &page.blocks[3].hash);
    scene.wait_for_text("it is older than the change");
    scene.node.mine(&["the others go on"]);
    scene.open("/lab?from=5#verdict");
    scene.wait_for_text("You have not changed anything yet");
    // It appears with the blocks.
    let is_shown = "return document.getElementById('verdict-for-me').hidden ? 0 : 1";
    wait_for("the button", || (scene.number(is_shown) == 1).then_some(()));
    scene.browser.click("#verdict-for-me");
    scene.wait_for_text("Valid, and yet exposed");
}

#[test]
fn every_step_leads_to_the_next_one() {
    let Some(scene) = scene(2) else { return };
    scene.open("/lab");
    let axe = Axe::download();
    if let Err(reason) = &axe {
        skip("accessibility of the lab", reason);
    }
    let check = |page: &str| {
        if let Ok(axe) = &axe {
            axe.assert_accessible(&scene.browser, page);
        }
    };
    scene.wait_for_text("1. What is a hash?");
    scene.browser.type_into("#hash-text", "!");
    scene.wait_for_text("Your last change altered");
    check("lab, hash");

    scene.browser.click("#hash .lab-button");
    scene.wait_for_text("2. Build the first block");
    assert!(!scene.text().contains("1. What is a hash?"));
    wait_for("a proof by hand", || {
        scene.browser.click("#build-next");
        scene.text().contains("The block is mined.").then_some(())
    });
    scene
        .browser
        .run("document.getElementById('build-zeros').value = 3");
    scene.browser.click("#build-search");
    scene.wait_for_text("The block is mined.");
    scene.browser.type_into("#build-message", "?");
    scene.wait_for_text("the number that you found no longer works");
    check("lab, block");

    scene.browser.click("#build .lab-button");
    scene.wait_for_text("All three copies are valid and have the same tip hash");
    scene.browser.type_into("#copy-1-2", "0");
    scene.wait_for_text("Ben's copy breaks at block 2: everyone would reject 2 blocks");
    check("lab, broken copy");
    for index in [2, 3] {
        scene
            .browser
            .click(&format!("#copies-1 [data-index='{index}'] .lab-mine"));
        wait_for("a mined block", || {
            let script = format!(
                "return document.querySelector(\"#copies-1 [data-index='{index}'] .lab-mine\").hidden"
            );
            (scene.browser.run(&script) == json!(true)).then_some(())
        });
    }
    scene.wait_for_text("and yet Ben's tip hash is different");

    scene.browser.click("#copies .lab-button");
    scene.wait_for_text("identical to the chain of the node");
    scene.browser.type_into("#tamper-1", "?");
    scene.wait_for_text("2 blocks are broken");
    check("lab, tampered copy");
    scene.browser.click("#tamper .lab-button");
    scene.wait_for_text("Your copy is not repaired yet");
    check("lab, broken comparison");
    scene.browser.click("#verdict-for-me");
    scene.wait_for_text("it is exposed");
    check("lab, final comparison");
    for line in scene.browser.console() {
        assert!(
            !line.contains("Uncaught") && !line.contains("Content Security"),
            "{line}"
        );
    }
}

#[test]
fn browsers_reject_the_block_that_a_node_rejects() {
    let Some(scene) = scene(1) else { return };
    scene.open("/lab");
    let first_broken = |blocks: &Value, difficulty: u64, sealed_from: Value| {
        let script = format!(
            "const blocks = {blocks};
             return import('/assets/lab-rules.js').then(({{ ChainCopy }}) =>
               new ChainCopy({{ blocks, difficulty: {difficulty}, sealedFrom: {sealed_from} }}).firstBroken())"
        );
        scene.browser.run(&script)
    };
    let in_script = |rows: &Value| -> Value {
        let blocks = rows.as_array().unwrap().iter().map(|row| {
            json!({"index": row["index"], "timestamp_text": row["timestamp"], "proof": row["proof"],
                "previous_hash": row["previous_hash"], "hash": row["hash"],
                "data": {"id": row["id"], "message": row["message"]}})
        });
        blocks.collect()
    };
    let read = |json: &str| -> Vec<Value> { serde_json::from_str(json).unwrap() };

    for chain in read(include_str!("../../fixtures/chains/valid.json")) {
        let blocks = in_script(&chain["blocks"]);
        for (difficulty, rejected) in (1..).zip(chain["first_rejected"].as_array().unwrap()) {
            let expected = rejected.as_u64().map_or(json!(-1), |index| json!(index));
            assert_eq!(
                first_broken(&blocks, difficulty, Value::Null),
                expected,
                "{} at {difficulty}",
                chain["name"]
            );
        }
    }
    let mut rejected = 0;
    for chain in read(include_str!("../../fixtures/chains/rejected.json")) {
        // The page never changes an index or a genesis block.
        if chain["rule"].as_u64() < Some(3) {
            continue;
        }
        let blocks = in_script(&chain["blocks"]);
        let difficulty = chain["difficulty"].as_u64().unwrap();
        assert_eq!(
            first_broken(&blocks, difficulty, Value::Null),
            chain["block"],
            "{}",
            chain["name"]
        );
        rejected += 1;
    }
    assert!(rejected >= 5, "{rejected}");

    let sealed: Value =
        serde_json::from_str(include_str!("../../fixtures/sealed/sealed.json")).unwrap();
    let mut blocks = in_script(&sealed["blocks"]);
    let genesis = scene
        .browser
        .run("return fetch('/raw/block/0').then((raw) => raw.json())");
    blocks.as_array_mut().unwrap().insert(0, genesis);
    assert_eq!(first_broken(&blocks, 2, json!(1)), json!(-1));
    let count = blocks.as_array().unwrap().len();
    for at in 1..count {
        for (key, value) in [
            ("message", json!("forged")),
            ("id", json!("0123456789abcdef0123456789abcdef")),
        ] {
            let mut forged = blocks.clone();
            forged[at]["data"][key] = value;
            assert_eq!(
                first_broken(&forged, 2, json!(1)),
                json!(at),
                "{key} of {at}"
            );
        }
    }
    let rates = "return import('/assets/lab-rules.js').then(({ measuredRate }) =>
        [measuredRate(699, 0.0003), measuredRate(49999, 1), measuredRate(99999, 0.1), measuredRate(50000, 0.5)])";
    assert_eq!(scene.browser.run(rates), json!([null, null, null, 100_000]));
}

/// Returns the properties in which cards of one list differ, and content that a rule adds to a card.
/// The colours of borders and backgrounds may tell the state of a card.
const CARD_DIFFERENCES: &str = "
    const properties = ['color', 'fontWeight', 'fontSize', 'fontStyle', 'fontFamily', 'lineHeight',
        'letterSpacing', 'textAlign', 'textTransform', 'textDecorationLine', 'listStyleType', 'display', 'opacity'];
    const cards = [...document.querySelectorAll('.card, .lab-block, .lab-screen, .lab-step')];
    const found = [];
    const compare = (name, first, other) => {
        const [a, b] = [getComputedStyle(first), getComputedStyle(other)];
        for (const property of properties) {
            if (a[property] !== b[property]) found.push(`${name} ${property}: ${a[property]}, ${b[property]}`);
        }
    };
    for (const card of cards) {
        for (const pseudo of ['::before', '::after']) {
            const { content } = getComputedStyle(card, pseudo);
            if (!['none', 'normal', '\"\"'].includes(content)) found.push(`${card.className} ${pseudo}: ${content}`);
        }
        const first = [...card.parentNode.children].find((other) => other.classList[0] === card.classList[0] && other.tagName === card.tagName);
        const isDrawn = (other) => other.getClientRects().length > 0;
        if (first === card || !isDrawn(card) || !isDrawn(first)) continue;
        compare(card.className, first, card);
        for (const part of ['h2', 'h3', 'label', 'textarea:enabled', 'code', 'dt']) {
            const [a, b] = [first.querySelector(part), card.querySelector(part)];
            if (a && b) compare(`${part} in ${card.className}`, a, b);
        }
    }
    return found";

#[test]
fn the_state_of_a_card_changes_no_text_of_its_neighbours() {
    let Some(scene) = scene(7) else { return };
    for path in ["/", "/blocks", "/block/2", "/peers", "/reorgs", "/lab"] {
        scene.open(path);
        assert_eq!(scene.browser.run(CARD_DIFFERENCES), json!([]), "{path}");
    }
    scene.open("/lab?from=2");
    scene.wait_for_text("identical to the chain of the node");
    scene.browser.type_into("#tamper-3", "?");
    scene.wait_for_text("blocks are broken");
    assert_eq!(scene.browser.run(CARD_DIFFERENCES), json!([]), "broken");
    // A block in the middle is valid again before the block before it.
    scene.browser.click("[data-index='5'] .lab-mine");
    scene.wait_for_text("after a broken block");
    assert_eq!(
        scene.browser.run(CARD_DIFFERENCES),
        json!([]),
        "valid after a broken block"
    );
    scene.browser.click("#tamper-mine-all");
    scene.wait_for_text("valid again by every rule");
    assert_eq!(scene.browser.run(CARD_DIFFERENCES), json!([]), "repaired");
}
