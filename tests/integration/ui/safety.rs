//! Security headers, foreign requests, hostile messages.

use crate::support::explorer::Explorer;
use crate::support::http::TransportResponse;
use crate::support::test_node::TestNode;

/// Messages that try to run, load, hide or reorder something.
pub(super) const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg onload=alert(1)>",
    "</textarea><script src=http://evil.example/x.js></script>",
    "</title><meta http-equiv=refresh content='0;url=http://evil.example'>",
    "javascript:alert(1)",
    "<a href=javascript:alert(1)>click</a>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<link rel=stylesheet href=http://evil.example/x.css>",
    "<style>body{display:none}</style>",
    "{{7*7}} {% raw %} ${alert(1)}",
    "<!-- <base href=http://evil.example/>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\u{202e}gnp.exe\u{202c} \u{2066}x\u{2069}",
    "zero\u{200b}width\u{feff}\u{2060}",
    "\x1b[31mred\x1b[0m\x07\x08 nul",
    "a\u{2028}b\u{2029}c\r\nd",
    "<b onmouseover=alert(1)>hover</b>",
];

/// Asserts that a page has no inline scripts or styles and loads from its own site only.
#[track_caller]
fn assert_nothing_inline(target: &str, response: &TransportResponse) {
    let html = response.text();
    for tag in html.split("<script").skip(1) {
        let tag = tag.split_once('>').unwrap();
        assert!(
            tag.0.contains(" src=\"/assets/") && tag.1.starts_with("</script>"),
            "{target}: {html}"
        );
    }
    for mark in [
        "<style",
        " style=\"",
        "<iframe",
        "<base",
        "http-equiv",
        " onload",
        " onerror=\"",
    ] {
        let inside = html
            .match_indices(mark)
            .filter(|(at, _)| is_markup(html, *at))
            .count();
        assert_eq!(inside, 0, "{mark} in {target}: {html}");
    }
    for attribute in ["src=\"", "href=\"", "action=\""] {
        for rest in html.split(&format!(" {attribute}")).skip(1) {
            let value = rest.split('"').next().unwrap();
            let is_own = value.is_empty() || value.starts_with('#') || value.starts_with('/');
            assert!(is_own && !value.starts_with("//"), "{value:?} in {target}");
        }
    }
}

/// Returns `true` if a position is inside a tag, but not inside an attribute value.
fn is_markup(html: &str, at: usize) -> bool {
    let before = &html[..at];
    let tag = before.rfind('<').map_or("", |start| &before[start..]);
    // An odd number of quotes means that the position is inside an attribute value.
    !tag.contains('>') && tag.matches('"').count().is_multiple_of(2)
}

#[test]
fn every_response_has_security_headers() {
    let node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["one"]);
    let explorer = Explorer::of(node.address(), &[]);
    for (target, status) in [
        ("/", 200),
        ("/blocks", 200),
        ("/block/1", 200),
        ("/mempool", 200),
        ("/peers", 200),
        ("/reorgs", 200),
        ("/lab", 200),
        ("/add", 200),
        ("/search?q=x", 200),
        ("/blocks?at=1", 303),
        ("/raw/block/1", 200),
        ("/assets/page.js", 200),
        ("/nope", 404),
    ] {
        let response = explorer.browse("GET", target, &[], "").expect(status);
        let policy = response.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{target}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(response.header("x-frame-options"), Some("DENY"));
        assert_eq!(response.header("referrer-policy"), Some("same-origin"));
        let html = response
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html"));
        if html {
            assert_nothing_inline(target, &response);
        }
        if status == 200 {
            let head = explorer.browse("HEAD", target, &[], "").expect(200);
            assert!(head.body.is_empty(), "{target}");
        }
    }
}

#[test]
fn requests_must_name_an_ip_address_localhost_or_an_allowed_host() {
    let node = TestNode::start(&["--threads", "0"]);
    let explorer = Explorer::of(node.address(), &["--allow-host", "chain.example"]);
    for (host, status) in [
        ("127.0.0.1:8080", 200),
        ("localhost", 200),
        ("chain.example", 200),
        ("evil.example", 403),
    ] {
        let response = explorer
            .browse("GET", "/", &[("Host", host)], "")
            .expect(status);
        assert!(
            response.header("content-security-policy").is_some(),
            "{host}"
        );
    }
    let origin = [("Origin", "http://evil.example")];
    explorer
        .browse("GET", "/raw/block/0", &origin, "")
        .expect(403);
}

#[test]
fn hostile_messages_are_inert_on_every_page() {
    let node = TestNode::start(&["--difficulty", "1"]);
    let ids = node.mine(HOSTILE);
    let explorer = Explorer::of(node.address(), &[]);
    let mut targets: Vec<String> = ["/", "/blocks", "/lab"].map(str::to_owned).to_vec();
    targets.extend((1..=HOSTILE.len()).map(|index| format!("/block/{index}")));
    targets.extend(ids.iter().map(|id| format!("/message/{id}")));
    let search = crate::support::http::percent_encode;
    targets.extend(
        HOSTILE
            .iter()
            .map(|text| format!("/search?q={}", search(text))),
    );
    for target in targets {
        let response = explorer.browse("GET", &target, &[], "");
        if response.status == 303 {
            continue;
        }
        let response = response.expect(200);
        assert_nothing_inline(&target, &response);
        let hidden = [
            '\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\x1b', '\x07', '\u{2028}',
        ];
        // The search field holds the query unchanged.
        let is_hidden = response.text().contains(hidden) && !target.starts_with("/search");
        assert!(!is_hidden, "{target}: {}", response.text());
        assert!(!response.text().contains("<img src=x"), "{target}");
    }
}

#[test]
fn long_messages_are_folded() {
    let node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&[&"long ".repeat(2000)]);
    let explorer = Explorer::of(node.address(), &[]);
    let html = explorer.get("/block/1").expect(200);
    assert!(
        html.text().contains("the rest of 10,000 bytes"),
        "{}",
        html.text()
    );
    let home = explorer.get("/").expect(200);
    assert!(home.body.len() < 60_000, "{}", home.body.len());
}
