//! The explorer on a projector, a phone, in forced colours and in another time zone.

use serde_json::json;

use crate::support::explorer::Explorer;
use crate::support::skip::skip;
use crate::support::test_node::TestNode;
use crate::support::wait_for;
use crate::support::webdriver::Browser;

pub(super) struct Scene {
    pub(super) node: TestNode,
    pub(super) explorer: Explorer,
    pub(super) browser: Browser,
}

/// Starts a node whose chain has these messages, or skips the test.
pub(super) fn scene(test: &str, messages: &[&str]) -> Option<Scene> {
    let browser = match Browser::start() {
        Ok(browser) => browser,
        Err(reason) => {
            skip(test, &reason);
            return None;
        }
    };
    let node = TestNode::start(&["--difficulty", "1"]);
    node.mine(messages);
    Some(Scene {
        explorer: Explorer::of(node.address(), &[]),
        node,
        browser,
    })
}

pub(super) const MESSAGES: &[&str] = &[
    "hello world",
    "the world says hello",
    "a family: 👨\u{200d}👩\u{200d}👧, a\u{200d}b",
    "four",
    "five",
    "six",
];

impl Scene {
    pub(super) fn open(&self, path: &str) {
        self.browser
            .open(&format!("http://{}{path}", self.explorer.address()));
    }

    #[track_caller]
    fn number(&self, script: &str) -> f64 {
        let number = self.browser.run(&format!("return {script}"));
        number
            .as_f64()
            .unwrap_or_else(|| panic!("{script}: {number}"))
    }

    #[track_caller]
    pub(super) fn is(&self, script: &str) {
        let result = self.browser.run(&format!("return {script}"));
        assert_eq!(result, json!(true), "{script}");
    }

    pub(super) fn size(&self, width: u32, height: u32, mobile: bool) {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile});
        self.browser
            .command("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Asserts that each line joins the previous hash of a block to the hash of the block before it.
    #[track_caller]
    fn assert_lines_join_hashes(&self) {
        let script = "
            const within = (y, row) => {
              const { top, bottom } = row.getBoundingClientRect();
              return y >= top - 1 && y <= bottom + 1;
            };
            const cards = [...document.querySelectorAll('.strip .card')].filter((card) => card.offsetParent);
            return cards.slice(0, -1).every((card, at) => {
              const box = card.querySelector('.connector').getBoundingClientRect();
              const ends = [box.top, box.bottom];
              const previous = ends.some((y) => within(y, card.querySelector('.previous-row')));
              const hash = ends.some((y) => within(y, cards[at + 1].querySelector('.hash-row')));
              const title = (row) => row.querySelector('.hash').title;
              return previous && hash && box.height > 10 && title(card.querySelector('.previous-row'))
                === title(cards[at + 1].querySelector('.hash-row'));
            }) && cards.length";
        let cards = self.browser.run(script);
        assert!(cards.as_u64().is_some_and(|cards| cards >= 4), "{cards}");
    }
}

const SHOWN_CARDS: &str =
    "[...document.querySelectorAll('.strip .card')].filter((card) => card.offsetParent).length";

#[test]
fn a_projector_shows_larger_type_fewer_blocks_and_no_form() {
    let Some(scene) = scene("presentation in a browser", MESSAGES) else {
        return;
    };
    scene.size(1920, 1080, false);
    scene.open("/");
    let type_size =
        || scene.number("parseFloat(getComputedStyle(document.documentElement).fontSize)");
    let (small, cards) = (type_size(), scene.number(SHOWN_CARDS));
    scene.assert_lines_join_hashes();
    scene.browser.click("#present");
    assert!(
        (type_size() / small - 1.5).abs() < 0.01,
        "{small} {}",
        type_size()
    );
    assert!(scene.number(SHOWN_CARDS) < cards);
    scene.is("document.querySelector('form.add').offsetParent === null");
    scene.assert_lines_join_hashes();
    let height = scene.number("document.querySelector('.strip').getBoundingClientRect().bottom");
    assert!(height <= 1080.0, "the blocks end at {height}");
    scene.size(1280, 720, false);
    let height = scene.number("document.querySelector('.strip').getBoundingClientRect().bottom");
    assert!(height <= 720.0, "the blocks end at {height}");
    scene.open("/blocks");
    let hash =
        "Math.max(...[...document.querySelectorAll('.hash')].map((hash) => hash.offsetHeight))";
    let (height, line) = (scene.number(hash), type_size() * 1.6);
    assert!(height < line, "a hash of {height} in lines of {line}");
    scene.size(1920, 1080, false);
    for path in ["/blocks", "/block/2", "/mempool", "/peers", "/lab"] {
        scene.open(path);
        assert!(type_size() > small * 1.4, "{path}");
        scene.is("document.documentElement.scrollWidth <= innerWidth");
        scene.is("[...document.querySelectorAll('form.add')].every((form) => form.offsetParent === null)");
    }
    scene.browser.click("#present");
    assert!((type_size() - small).abs() < 0.01);
}

#[test]
fn a_phone_has_a_header_of_two_rows_and_the_form_below_the_figures() {
    let Some(scene) = scene("a phone in a browser", MESSAGES) else {
        return;
    };
    scene.size(390, 844, true);
    for path in ["/", "/block/1", "/search?q=x"] {
        scene.open(path);
        let rows = scene.number(
            "(() => { const middle = (item) => { const box = item.getBoundingClientRect();
                return Math.round((box.top + box.bottom) / 24); };
              const items = [...document.querySelectorAll('.brand, .search-form, #theme, header.site nav a')];
              return new Set(items.map(middle)).size; })()",
        );
        assert!(rows <= 2.0, "{path}: {rows} rows");
    }
    let cut = scene.number(
        "(() => { const field = document.querySelector('[type=search]');
          const { fontSize } = getComputedStyle(field, '::placeholder');
          const { fontFamily, paddingLeft, paddingRight } = getComputedStyle(field);
          const pen = document.createElement('canvas').getContext('2d');
          pen.font = `${fontSize} ${fontFamily}`;
          return pen.measureText(field.placeholder).width + parseFloat(paddingLeft) + parseFloat(paddingRight)
            - field.clientWidth; })()",
    );
    assert!(
        cut <= 0.0,
        "{cut} pixels of the hint in the search field are cut off"
    );
    scene.open("/");
    scene.assert_lines_join_hashes();
    scene.is(
        "(() => { const box = (query) => document.querySelector(query).getBoundingClientRect();
          return box('.stats').bottom <= box('.compose').top && box('.compose').bottom <= box('#strip').top; })()",
    );
}

#[test]
fn a_search_marks_its_words_and_counts_and_dates_its_hits() {
    let Some(scene) = scene("the search in a browser", MESSAGES) else {
        return;
    };
    scene.open("/");
    scene.browser.type_into("[type=search]", "World HELLO");
    scene.browser.click(".search-form button");
    wait_for("the hits", || {
        let marked = scene.browser.run(
            "return [...document.querySelectorAll('.hits mark')].map((mark) => mark.textContent)",
        );
        (marked == json!(["world", "hello", "hello", "world"])).then_some(())
    });
    let text = scene
        .browser
        .run("return document.querySelector('main').innerText");
    let text = text.as_str().unwrap();
    assert!(
        text.contains("2 hits") && text.matches(" UTC, ").count() == 2,
        "{text}"
    );
    scene.open("/search?q=hello+moon");
    scene.is("document.getElementById('nothing-found').textContent.includes('text of 7 blocks')");
}

#[test]
fn dates_are_shown_in_the_chosen_zone_and_emoji_whole() {
    let Some(scene) = scene("dates and emoji in a browser", MESSAGES) else {
        return;
    };
    let zone = json!({"timezoneId": "Asia/Kolkata"});
    scene
        .browser
        .command("Emulation.setTimezoneOverride", &zone);
    scene.open("/block/3");
    let time = "document.querySelector('time.absolute')";
    scene.is(&format!(
        "{time}.textContent.endsWith(' UTC') && {time}.title.endsWith('+5:30')"
    ));
    scene.is("document.querySelector('time.age').title.includes(' UTC, here ')");
    scene.browser.click("#zone");
    scene.is(&format!(
        "{time}.textContent.endsWith('+5:30') && {time}.title.endsWith(' UTC')"
    ));
    scene.open("/blocks");
    scene.is(&format!("{time}.textContent.endsWith('+5:30')"));

    scene.open("/block/3");
    let message = "document.querySelector('.message-text').textContent";
    scene.is(&format!(
        "{message}.includes('👨\\u200d👩\\u200d👧') && {message}.includes('aZWJb')"
    ));
    // The exact bytes are folded, and name every joiner.
    scene.is("!document.querySelector('details.exact').open");
    scene.is("document.getElementById('bytes').textContent.split('ZWJ').length === 4");
    scene.is("!document.querySelector('.plain-text').textContent.includes('ESC')");
}

/// Computes the style of each part of the cards of a list, without the state of the card itself.
const CARD_STYLES: &str = "
    const parts = ['h2', '.message', '.state', 'dt', 'code'];
    return [...document.querySelectorAll(arguments_selector)].filter((card) => card.offsetParent).map((card) =>
      [card, ...parts.map((part) => card.querySelector(part)).filter(Boolean)].map((part) => {
        const style = getComputedStyle(part);
        const before = getComputedStyle(part, '::before').content;
        return [part.tagName, style.color, style.fontWeight, style.fontStyle, before].join(' ');
      }).join('; '))";

#[test]
fn the_state_of_a_card_does_not_style_its_neighbours() {
    let Some(scene) = scene("styles of cards in a browser", MESSAGES) else {
        return;
    };
    let styles = |selector: &str| {
        let script = CARD_STYLES.replace("arguments_selector", &format!("'{selector}'"));
        let styles = scene.browser.run(&script);
        let styles: Vec<String> = serde_json::from_value(styles).unwrap();
        assert!(styles.len() >= 3, "{selector}: {styles:?}");
        styles
    };
    scene.open("/");
    let calm = styles(".strip .card:not(.next)");
    assert!(calm.iter().all(|style| *style == calm[0]), "{calm:?}");
    // Every class that any style sheet gives to cards, list items and states.
    let classes = [
        "bad",
        "broken",
        "busy",
        "current",
        "disconnected",
        "edited",
        "failed",
        "good",
        "loose",
        "new",
        "now",
        "passed",
        "downstream",
        "unchecked",
        "warning",
        "done",
    ];
    for class in classes {
        let toggle = |method: &str| {
            scene.browser.run(&format!(
                "document.querySelectorAll('.strip .card')[2].classList.{method}('{class}')"
            ));
        };
        toggle("add");
        let mut styles = styles(".strip .card:not(.next)");
        toggle("remove");
        styles.remove(1);
        assert!(
            styles.iter().all(|style| *style == calm[0]),
            "{class}: {styles:?}"
        );
    }
}

#[test]
fn forced_colours_keep_hashes_and_states_visible() {
    let Some(scene) = scene("forced colours in a browser", MESSAGES) else {
        return;
    };
    let media = json!({"features": [{"name": "forced-colors", "value": "active"}]});
    scene.browser.command("Emulation.setEmulatedMedia", &media);
    scene.open("/");
    scene.is("matchMedia('(forced-colors: active)').matches");
    scene
        .is("getComputedStyle(document.querySelector('.colour-bar')).forcedColorAdjust === 'none'");
    scene.is(
        "getComputedStyle(document.querySelector('nav a[aria-current]')).outlineStyle === 'solid'",
    );
}
