//! Behind a proxy that replaces the host name, and rejected host names.

use serde_json::json;

use crate::support::explorer::{Explorer, address_in};
use crate::support::skip::skip;
use crate::support::test_node::TestNode;
use crate::support::webdriver::Browser;
use crate::support::{proxy, wait_for};

#[test]
fn a_rejected_host_gets_a_styled_page_that_names_the_option() {
    let node = TestNode::start(&["--threads", "0"]);
    let explorer = Explorer::of(node.address(), &[]);
    let host = [("Host", "class.example:8080")];
    let page = explorer.browse("GET", "/", &host, "").expect(403);
    assert!(
        page.text()
            .contains("<code>--allow-host class.example</code>"),
        "{}",
        page.text()
    );
    explorer
        .browse("GET", "/assets/base.css", &host, "")
        .expect(200);
    for target in ["/raw/block/0", "/assets/../raw/block/0", "/assets"] {
        explorer.browse("GET", target, &host, "").expect(403);
    }
    let foreign = [("Origin", "http://evil.example")];
    let page = explorer.browse("POST", "/add", &foreign, "").expect(403);
    assert!(
        page.text().contains("proxy_set_header Host"),
        "{}",
        page.text()
    );
}

#[test]
fn a_proxy_that_names_the_replaced_host_is_explained_without_scripts() {
    let node = TestNode::start(&["--threads", "0"]);
    let explorer = Explorer::of(node.address(), &[]);
    let hidden = "<p class=\"warning proxy\" hidden>";
    for path in ["/", "/add", "/mempool"] {
        let page = explorer.browse("GET", path, &[], "").expect(200);
        assert!(page.text().contains(hidden), "{path}");
        let forwarded = [("X-Forwarded-Host", "chain.example")];
        let page = explorer.browse("GET", path, &forwarded, "").expect(200);
        assert!(!page.text().contains(hidden), "{path}");
        assert!(
            page.text()
                .contains("<strong class=\"site\">chain.example<"),
            "{path}"
        );
    }
}

#[test]
fn pages_and_events_survive_a_replaced_host_below_a_base_path() {
    let browser = match Browser::start() {
        Ok(browser) => browser,
        Err(reason) => return skip("a proxy that replaces the host, in a browser", &reason),
    };
    let node = TestNode::start(&["--difficulty", "1", "--ui=0", "--ui-base-path", "/class/"]);
    let explorer = wait_for("the explorer", || address_in(&node.stderr()));
    let start = format!("explorer=http://{explorer}/class/ ");
    assert!(node.stderr().contains(&start), "{}", node.stderr());
    let text = || {
        let text = browser.run("return document.body.innerText");
        text.as_str().unwrap_or_default().to_owned()
    };
    let warns = || browser.run("return !document.querySelector('form.add .proxy').hidden");
    let page = format!("http://{}/class/", proxy::start(explorer));
    browser.open(&page);
    wait_for("the connection", || text().contains("Live").then_some(()));
    assert_eq!(warns(), json!(true));
    node.mine(&["through the proxy"]);
    wait_for("the block", || {
        text().contains("through the proxy").then_some(())
    });
    // The rejection repeats the explanation, in the style of the site.
    browser.type_into("#message", "rejected");
    browser.click("form.add button");
    wait_for("the rejection", || {
        text().contains("Request from another site").then_some(())
    });
    let font = browser.run("return getComputedStyle(document.querySelector('h1')).fontFamily");
    assert!(font.as_str().unwrap().contains("serif"), "{font}");
    let display =
        browser.run("return getComputedStyle(document.querySelector('header.site .wide')).display");
    assert_eq!(display, json!("flex"), "the style sheet is missing");

    browser.open(&format!("http://{explorer}/class/"));
    assert_eq!(warns(), json!(false));
}
