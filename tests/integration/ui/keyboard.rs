//! The explorer without a mouse: everything is reached and used with Tab and Enter, and each stop
//! shows its focus.

use serde_json::json;

use super::places::{MESSAGES, Scene, scene};
use crate::support::wait_for;

/// The keys as `WebDriver` names them.
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// More stops than any page has.
const MAX_STOPS: usize = 120;

/// Describes the element that has the focus, and tells whether it shows that. The page itself has it
/// between the last stop and the first one.
const FOCUS: &str = "
    const focused = document.activeElement;
    if (focused === document.body) return ['body', true];
    const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(focused);
    const { top, bottom, left, right } = focused.getBoundingClientRect();
    const isDrawn = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 && outlineColor !== 'rgba(0, 0, 0, 0)';
    const isOnScreen = right > left && bottom > top && bottom > 0 && top < innerHeight && right > 0 && left < innerWidth;
    return [focused.outerHTML.slice(0, 200), isDrawn && isOnScreen]";

impl Scene {
    #[track_caller]
    fn press(&self, keys: &str) {
        let keys = keys.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|action| json!({"type": action, "value": key.to_string()}))
        });
        let keys: Vec<_> = keys.collect();
        self.browser
            .perform(&json!({"type": "key", "id": "keyboard", "actions": keys}));
    }

    /// Presses Tab until the element that a selector names has the focus.
    #[track_caller]
    fn tab_to(&self, selector: &str) {
        let reached = format!("return document.activeElement.matches({})", json!(selector));
        for _ in 0..MAX_STOPS {
            self.press(TAB);
            let focus = self.browser.run(FOCUS);
            assert_eq!(focus[1], json!(true), "the focus is not visible on {focus}");
            if self.browser.run(&reached) == json!(true) {
                return;
            }
        }
        panic!("no stop at {selector} on {}", self.path());
    }

    /// Reaches an element and presses Enter on it.
    #[track_caller]
    fn enter(&self, selector: &str) {
        self.tab_to(selector);
        self.press(ENTER);
    }

    fn path(&self) -> String {
        let path = self.browser.run("return location.pathname");
        path.as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn wait_for_text(&self, text: &str) {
        wait_for(text, || {
            let shown = self.browser.run("return document.body.innerText");
            shown.as_str()?.contains(text).then_some(())
        });
    }

    /// Waits until the script of a page has taken an element with the focus away or moved it.
    #[track_caller]
    fn wait_for_focus(&self, selector: &str) {
        let script = format!("return document.activeElement.matches({})", json!(selector));
        wait_for(selector, || {
            (self.browser.run(&script) == json!(true)).then_some(())
        });
    }
}

#[test]
fn every_task_is_done_with_tab_and_enter() {
    let Some(scene) = scene("the keyboard in a browser", MESSAGES) else {
        return;
    };
    // The first stop jumps over the header.
    scene.open("/");
    scene.press(TAB);
    scene.wait_for_focus(".skip");
    scene.press(ENTER);
    scene.wait_for_focus("#main");
    scene.press(TAB);
    scene.wait_for_focus("#main a");

    // From there, the search field comes after the end of the page.
    scene.tab_to("[type=search]");
    scene.press("hello");
    scene.press(ENTER);
    scene.wait_for_text("2 hits");
    scene.enter(".hits a");
    scene.wait_for_text("All checks passed.");
    assert_eq!(scene.path(), "/block/2");

    scene.tab_to("#edited-message");
    scene.press("!");
    scene.wait_for_text("The hash is different, the seal is broken.");
    scene.enter("#restore");
    scene.wait_for_text("All checks passed.");
    scene.enter(".exact summary");
    scene.tab_to("#bytes");
    scene.enter("nav a[href='/']");

    scene.wait_for_text("is the newest (the tip)");
    scene.tab_to("#message");
    scene.press("added without a mouse");
    scene.enter("form.add button");
    scene.wait_for_text("The message is in the chain");

    scene.enter("nav a[href='/lab']");
    scene.wait_for_text("1. What is a hash?");
    for step in ["build", "copies", "tamper"] {
        scene.enter(&format!(".lab-button[href='#{step}']"));
        scene.wait_for_focus(&format!("#{step}-title"));
    }
    scene.wait_for_text("identical to the chain of the node");
    scene.tab_to("#tamper-7");
    scene.press("!");
    scene.wait_for_text("1 block is broken");
    scene.enter("[data-index='7'] .lab-mine");
    scene.wait_for_text("The copy is valid again by every rule.");
    scene.wait_for_focus("[data-index='7'] h3");
    scene.enter(".lab-button[href='#verdict']");
    scene.wait_for_text("Valid, and yet exposed");

    scene.enter("#present");
    scene.is("document.documentElement.dataset.present === 'on'");
    scene.press(ENTER);
    scene.is("!document.documentElement.dataset.present");
}
