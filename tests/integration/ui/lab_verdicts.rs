//! The conclusions that the lab draws from copies that are valid only in part or that disagree.

use serde_json::json;

use super::lab::scene;
use crate::support::wait_for;

#[test]
fn a_copy_mined_with_too_few_zeros_is_never_called_valid() {
    let Some(scene) = scene(7) else { return };
    scene.open("/lab?from=2#tamper");
    scene.wait_for_text("identical to the chain of the node");
    scene.browser.run(
        "const puzzle = document.getElementById('tamper-zeros');
         puzzle.value = '1';
         puzzle.dispatchEvent(new Event('change'))",
    );
    scene.browser.type_into("#tamper-3", "?");
    scene.browser.click("#tamper-mine-all");
    scene.wait_for_text("rejects a proof with 1 zero at once, because 2 are required");
    scene.wait_for_text("mined with 1 zero only");
    scene.browser.click("#tamper-verdict a");
    scene.wait_for_text("A node of this chain rejects your copy at once");
    scene.wait_for_text("(supposed: yours has only 1)");
    scene.wait_for_text("Even with all the work done, exposed: the two tip hashes");
    let page = scene.browser.run("return document.body.innerText");
    let page = page.as_str().unwrap();
    for text in ["valid again by every rule", "not measured yet"] {
        assert!(!page.contains(text), "{text}: {page}");
    }
}

#[test]
fn a_tip_hash_accuses_nobody() {
    let Some(scene) = scene(1) else { return };
    scene.open("/lab#copies");
    scene.wait_for_text("All three copies are valid and have the same tip hash");
    for copy in [0, 1] {
        scene.browser.type_into(&format!("#copy-{copy}-2"), "0");
        for index in [2, 3] {
            let mine = format!("#copies-{copy} [data-index='{index}'] .lab-mine");
            scene.browser.click(&mine);
            let is_mined = format!("return document.querySelector(\"{mine}\").hidden");
            wait_for("a mined block", || {
                (scene.browser.run(&is_mined) == json!(true)).then_some(())
            });
        }
    }
    // Carla, the only one with another tip hash, is the only one who changed nothing.
    scene.wait_for_text("and yet Carla's tip hash is different. The hashes show that the copies disagree, not who changed something");
    let accused = "return document.querySelectorAll('#copies .lab-tip.bad').length";
    assert_eq!(scene.browser.run(accused), json!(0));
}

#[test]
fn a_broken_block_names_the_block_that_broke_it() {
    let Some(scene) = scene(5) else { return };
    scene.open("/lab?from=99#tamper");
    scene.wait_for_text("The chain has no block 99");
    scene.wait_for_text("identical to the chain of the node");
    scene.browser.type_into("#tamper-3", "?");
    scene.wait_for_text("still carries the seal of the old message");
    scene.wait_for_text("contains the old hash of block 3");
    scene.wait_for_text("seal belongs to the old blocks before it");
    scene.browser.click("#tamper [data-index='3'] .lab-mine");
    scene.wait_for_text("reject this copy at block 4");
    // By chance, the old proof of block 4 solves the new puzzle once in 256 times.
    let is_explained = "const reasons = document.querySelector(\"#tamper [data-index='4'] .lab-checks\").innerText;
        return !reasons.includes('puzzle not solved') || reasons.includes('because block 3 has a new proof')";
    assert_eq!(scene.browser.run(is_explained), json!(true));

    // The figures count the whole repair, as the sentence above them does.
    scene.browser.click("#tamper-mine-all");
    scene.wait_for_text("The copy is valid again by every rule.");
    let is_equal = "return document.getElementById('tamper-verdict').textContent
        .includes(`${document.getElementById('tamper-tries').textContent} tries`)";
    assert_eq!(scene.browser.run(is_equal), json!(true));
}
