//! The explorer in a real browser: live updates, pages without scripts, phone layout, dark theme and
//! hostile messages. The test is skipped with a note if no browser can be started.

use serde_json::{Value, json};

use super::safety::HOSTILE;
use crate::support::explorer::Explorer;
use crate::support::skip::skip;
use crate::support::test_node::TestNode;
use crate::support::wait_for;
use crate::support::webdriver::Browser;

const PAGES: &[&str] = &[
    "/",
    "/blocks",
    "/block/1",
    "/block/2",
    "/mempool",
    "/peers",
    "/reorgs",
    "/lab",
    "/search?q=zz",
    "/add",
    "/nope",
];

struct Scene {
    node: TestNode,
    explorer: Explorer,
    browser: Browser,
}

#[test]
fn the_explorer_works_in_a_browser() {
    let browser = match Browser::start() {
        Ok(browser) => browser,
        Err(reason) => {
            return skip("tests in a browser", &reason);
        }
    };
    let node = TestNode::start(&["--difficulty", "1"]);
    let explorer = Explorer::of(node.address(), &[]);
    let scene = Scene {
        node,
        explorer,
        browser,
    };
    scene.a_block_appears_without_a_reload();
    scene.the_form_redirects_to_the_message_and_follows_it();
    scene.a_search_redirects_to_its_only_hit();
    scene.an_edited_message_fails_hash_and_seal_in_the_inspector();
    scene.hostile_messages_do_nothing();
    scene.a_phone_shows_every_page_without_scrolling_sideways();
    scene.the_theme_follows_the_system_and_the_choice();
    scene.pages_are_complete_without_scripts();
}

impl Scene {
    fn open(&self, path: &str) {
        self.browser
            .open(&format!("http://{}{path}", self.explorer.address()));
    }

    fn text(&self) -> String {
        let text = self.browser.run("return document.body.innerText");
        text.as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn wait_for_text(&self, text: &str) {
        wait_for(text, || self.text().contains(text).then_some(()));
    }

    fn a_block_appears_without_a_reload(&self) {
        self.open("/");
        self.browser.run("window.same = true");
        self.node.mine(&["appears without a reload"]);
        self.wait_for_text("appears without a reload");
        self.wait_for_text("Block 1 is the newest (the tip)");
        assert_eq!(self.browser.run("return window.same"), json!(true));
    }

    fn the_form_redirects_to_the_message_and_follows_it(&self) {
        self.open("/");
        self.browser.type_into("#message", "typed into the form");
        self.browser.click("form.add button");
        self.wait_for_text("typed into the form");
        let path = self.browser.run("return location.pathname");
        assert!(path.as_str().unwrap().starts_with("/message/"), "{path}");
        self.wait_for_text("The message is in the chain");
    }

    fn a_search_redirects_to_its_only_hit(&self) {
        self.open("/peers");
        let hash = self
            .node
            .json::<blockchain::wire::SingleBlock>("/blocks/2")
            .block
            .hash;
        self.browser.type_into("[type=search]", &hash);
        self.browser.click(".search-form button");
        self.wait_for_text("Inspector: verify this block");
        assert_eq!(
            self.browser.run("return location.pathname"),
            json!("/block/2")
        );
    }

    fn an_edited_message_fails_hash_and_seal_in_the_inspector(&self) {
        self.open("/block/2");
        self.wait_for_text("All checks passed.");
        // The verdict on a receipt has a style of its own.
        let verdict = "const { fontWeight, borderLeftWidth } = getComputedStyle(document.getElementById('verdict'));
            return [fontWeight, borderLeftWidth]";
        assert_eq!(self.browser.run(verdict), json!(["600", "0px"]));
        self.browser.type_into("#edited-message", "!");
        self.wait_for_text("The hash is different, the seal is broken.");
        self.browser.click("#restore");
        self.wait_for_text("All checks passed.");
    }

    fn hostile_messages_do_nothing(&self) {
        let mut payloads: Vec<String> = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
        for tag in [
            "body",
            "video",
            "details open",
            "input autofocus",
            "marquee",
            "object",
            "math",
        ] {
            for event in ["onload", "onerror", "onfocus", "ontoggle", "onstart"] {
                payloads.push(format!(
                    "\"'></textarea><{tag} src=//evil.example {event}=alert(1)>"
                ));
            }
        }
        assert!(payloads.len() > 50);
        let payloads: Vec<&str> = payloads.iter().map(String::as_str).collect();
        let first = self.node.status().length;
        self.node.mine(&payloads);
        self.browser.console();
        let last = first + payloads.len() as u64;
        let blocks = (first..last).map(|index| format!("/block/{index}"));
        let lists = ["/", "/lab", "/blocks", "/blocks?from=40"].map(str::to_owned);
        for path in blocks.chain(lists) {
            // An open dialog would fail the next command.
            self.open(&path);
            let origin = format!("http://{}/", self.explorer.address());
            let loaded = self
                .browser
                .run("return performance.getEntriesByType('resource').map((entry) => entry.name)");
            for name in loaded.as_array().unwrap() {
                assert!(
                    name.as_str().unwrap().starts_with(&origin),
                    "{name} on {path}"
                );
            }
        }
        for line in self.browser.console() {
            assert!(!line.contains("Content Security Policy"), "{line}");
            assert!(!line.contains("evil.example"), "{line}");
            assert!(!line.contains("Uncaught"), "{line}");
        }
    }

    fn a_phone_shows_every_page_without_scrolling_sideways(&self) {
        let phone = json!({"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true});
        self.browser
            .command("Emulation.setDeviceMetricsOverride", &phone);
        for path in PAGES {
            self.open(path);
            let script = "return document.documentElement.scrollWidth - innerWidth";
            assert_eq!(self.browser.run(script), json!(0), "{path}");
        }
        self.browser
            .command("Emulation.clearDeviceMetricsOverride", &json!({}));
    }

    fn the_theme_follows_the_system_and_the_choice(&self) {
        let background = || {
            let script = "return getComputedStyle(document.documentElement).backgroundColor";
            self.browser.run(script)
        };
        let prefer = |scheme: &str| {
            let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
            self.browser
                .command("Emulation.setEmulatedMedia", &features);
        };
        prefer("light");
        self.open("/");
        let light = background();
        prefer("dark");
        let dark = background();
        assert_ne!(light, dark);
        self.browser.click("#theme");
        assert_eq!(background(), light);
        self.open("/blocks");
        assert_eq!(background(), light);
        self.browser.run("localStorage.clear()");
        self.open("/blocks");
        assert_eq!(background(), dark);
    }

    fn pages_are_complete_without_scripts(&self) {
        let off = json!({"value": true});
        self.browser
            .command("Emulation.setScriptExecutionDisabled", &off);
        for (path, text) in [
            ("/", "is the newest (the tip)"),
            ("/blocks?from=3", "appears without a reload"),
            ("/block/1", "Proof solves the puzzle"),
            ("/lab", "The experiments need JavaScript"),
        ] {
            self.open(path);
            let tree = self
                .browser
                .command("Accessibility.getFullAXTree", &json!({}));
            let said: String = names(&tree).collect::<Vec<_>>().join(" ");
            assert!(said.contains(text), "{path}: {said}");
            assert!(
                !said.contains("Switch to the"),
                "{path}: the theme button needs scripts: {said}"
            );
        }
        let on = json!({"value": false});
        self.browser
            .command("Emulation.setScriptExecutionDisabled", &on);
    }
}

/// Returns the names in the accessibility tree of a page.
fn names(tree: &Value) -> impl Iterator<Item = &str> {
    let nodes = tree["nodes"].as_array().into_iter().flatten();
    nodes.filter_map(|node| node["name"]["value"].as_str())
}
