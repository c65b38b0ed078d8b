//! The lab on the screens of projectors and phones.

use serde_json::json;

use super::lab::scene;
use crate::support::wait_for;

#[test]
fn the_lab_fits_projectors_and_phones() {
    let Some(scene) = scene(9) else { return };
    for (width, height) in [(1280, 720), (1920, 1080), (390, 844)] {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        scene
            .browser
            .command("Emulation.setDeviceMetricsOverride", &size);
        for step in ["hash", "build", "copies", "tamper", "verdict"] {
            scene.open(&format!("/lab?from=2#{step}"));
            wait_for(step, || {
                let shown = "return document.getElementById('lab').dataset.step";
                (scene.browser.run(shown) == json!(step)).then_some(())
            });
            let wide = "return Math.max(0, document.documentElement.scrollWidth - innerWidth)";
            assert_eq!(scene.browser.run(wide), json!(0), "{step} at {width}");
            // On a projector, what the visitor does in a step begins on the first screen.
            let limit = f64::from(if width < 500 { 2 * height } else { height });
            let top = format!(
                "return document.querySelector('#{step} textarea, #{step} button, #{step} table').getBoundingClientRect().top"
            );
            let top = scene.browser.run(&top).as_f64().unwrap();
            assert!(top < limit, "{step} at {width}: {top}");
        }
    }
}

/// Returns the neighbours whose line is not a single one, at the height of both hashes. At the end of a
/// row, each half leads out of it.
const BROKEN_LINES: &str = "
    const cards = [...document.querySelectorAll('#tamper-blocks > .lab-block:not(.lab-rest)')];
    const half = (part, pseudo) => {
        const { content, top, width, borderTopStyle } = getComputedStyle(part, pseudo);
        const y = part.getBoundingClientRect().top + parseFloat(top);
        return { isDrawn: content !== 'none', y, width: parseFloat(width), borderTopStyle };
    };
    return cards.slice(1).flatMap((card, at) => {
        const [end, start] = [half(cards[at].querySelector('.lab-hash'), '::after'), half(card.querySelector('.lab-previous'), '::before')];
        const [left, right] = [cards[at].getBoundingClientRect(), card.getBoundingClientRect()];
        const isSameRow = right.left > left.left;
        const isJoined = !isSameRow || (Math.abs(end.y - start.y) < 1 && Math.abs(right.left - left.right - end.width - start.width) < 3);
        const isWhole = end.isDrawn && start.isDrawn && end.borderTopStyle === start.borderTopStyle && isJoined;
        return isWhole ? [] : [card.dataset.index];
    })";

#[test]
fn a_line_joins_the_hashes_of_neighbours_also_when_one_is_broken() {
    let Some(scene) = scene(9) else { return };
    for width in [1280, 1920] {
        let size = json!({"width": width, "height": 1080, "deviceScaleFactor": 1, "mobile": false});
        scene
            .browser
            .command("Emulation.setDeviceMetricsOverride", &size);
        // The browser does not load an address with a fragment again.
        scene.open("/");
        scene.open("/lab?from=2#tamper");
        scene.wait_for_text("identical to the chain of the node");
        assert_eq!(scene.browser.run(BROKEN_LINES), json!([]), "at {width}");
        scene.browser.type_into("#tamper-3", "?");
        scene.wait_for_text("blocks are broken");
        assert_eq!(
            scene.browser.run(BROKEN_LINES),
            json!([]),
            "broken at {width}"
        );
    }
}

#[test]
fn a_projector_shows_the_result_of_a_step_without_scrolling() {
    let Some(scene) = scene(9) else { return };
    let size = json!({"width": 1280, "height": 720, "deviceScaleFactor": 1, "mobile": false});
    scene
        .browser
        .command("Emulation.setDeviceMetricsOverride", &size);
    let assert_shown = |selector: &str| {
        let script = format!(
            "const box = document.querySelector({selector:?}).getBoundingClientRect();
             return [scrollY, box.height > 0, box.bottom <= innerHeight]"
        );
        let shown = scene.browser.run(&script);
        assert_eq!(shown, json!([0, true, true]), "{selector}");
    };
    let is_folded = |step: &str| {
        let script = format!("return !document.querySelector('#{step} .lab-intro').open");
        scene.browser.run(&script) == json!(true)
    };
    scene.open("/lab#build");
    scene.wait_for_text("olved: the digest ends with");
    assert_shown("#build-verdict");
    assert!(!is_folded("build"));
    scene.browser.click("#present");
    wait_for("a folded explanation", || is_folded("build").then_some(()));
    for result in ["#build-verdict", "#build-digest", "#build-hash"] {
        assert_shown(result);
    }

    scene.browser.click(".lab-steps a[href='#copies']");
    scene.browser.type_into("#copy-1-2", "0");
    scene.wait_for_text("Ben's copy breaks at block 2");
    scene.wait_for_text("this is the old tip, mine to get a new one");
    scene.browser.run("scrollTo(0, 0)");
    assert_shown("#copies-tips");
    assert_shown("#copies-1 [data-index='2'] .lab-mine");

    scene.browser.click(".lab-steps a[href='#tamper']");
    scene.wait_for_text("identical to the chain of the node");
    assert_shown("#tamper .lab-block");
    scene.browser.type_into("#tamper-6", "?");
    scene.browser.click("#tamper-mine-all");
    scene.wait_for_text("The copy is valid again by every rule.");
    scene.browser.run("scrollTo(0, 0)");
    scene.browser.click("#tamper-verdict a");
    scene.wait_for_text("it is exposed");
    assert_shown("#verdict-mine");
    assert_shown("#verdict-theirs");
    assert_shown(".lab-conclusion");
}
