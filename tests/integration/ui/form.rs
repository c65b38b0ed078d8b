//! The form for a new message, and its protection against forgery.

use crate::support::explorer::Explorer;
use crate::support::http::{TransportResponse, percent_encode};
use crate::support::test_node::TestNode;

struct Visit {
    node: TestNode,
    explorer: Explorer,
    cookie: String,
    token: String,
}

/// Opens the form in a browser.
fn visit() -> Visit {
    visit_of(TestNode::start(&["--threads", "0"]))
}

fn visit_of(node: TestNode) -> Visit {
    let explorer = Explorer::of(node.address(), &[]);
    let home = explorer.browse("GET", "/", &[], "").expect(200);
    let cookie = home.header("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    Visit {
        cookie: cookie.split(';').next().unwrap().to_owned(),
        token: token_of(&home),
        node,
        explorer,
    }
}

fn token_of(page: &TransportResponse) -> String {
    let rest = page.text().split_once("name=\"token\" value=\"").unwrap().1;
    rest.split_once('"').unwrap().0.to_owned()
}

impl Visit {
    fn send(&self, message: &str, headers: &[(&str, &str)]) -> TransportResponse {
        let body = format!("token={}&message={}", self.token, percent_encode(message));
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        let headers = [&[kind], headers].concat();
        self.explorer.browse("POST", "/add", &headers, &body)
    }

    fn pending(&self) -> Vec<String> {
        self.node
            .pending()
            .into_iter()
            .map(|pending| pending.message)
            .collect()
    }
}

#[test]
fn an_added_message_redirects_to_its_page() {
    let visit = visit();
    let origin = format!("http://{}", visit.explorer.address());
    let headers = [
        ("Cookie", visit.cookie.as_str()),
        ("Origin", origin.as_str()),
    ];
    let response = visit
        .send("first line\r\n<b>second</b> & ü 😀", &headers)
        .expect(303);
    assert_eq!(visit.pending(), ["first line\n<b>second</b> & ü 😀"]);
    let target = response.header("location").unwrap();
    assert_eq!(target, format!("/message/{}", visit.node.pending()[0].id));
    let page = visit
        .explorer
        .browse("GET", target, &headers[..1], "")
        .expect(200);
    assert!(page.text().contains("&#60;b&#62;second"), "{}", page.text());
}

#[test]
fn a_form_of_another_site_or_visit_adds_nothing() {
    let mut visit = visit();
    let cookie = visit.cookie.clone();
    let own = ("Cookie", cookie.as_str());
    for headers in [
        &[][..],
        &[("Cookie", "explorer=00000000000000000000000000000000")],
        &[own, ("Origin", "http://evil.example")],
        &[own, ("Origin", "null")],
        &[own, ("Host", "evil.example")],
        &[
            own,
            ("Sec-Fetch-Site", "cross-site"),
            ("Host", "evil.example"),
        ],
    ] {
        visit.send("forged", headers).expect(403);
    }
    visit.token = "0".repeat(64);
    let response = visit.send("forged <script>", &[own]).expect(403);
    // The page keeps the text and has a valid token.
    assert!(
        response.text().contains("forged &#60;script&#62;"),
        "{}",
        response.text()
    );
    assert!(visit.pending().is_empty());
    visit.token = token_of(&response);
    visit.send("mine", &[own]).expect(303);
    assert_eq!(visit.pending(), ["mine"]);
}

#[test]
fn the_form_shows_why_the_node_rejects_a_message() {
    let visit = visit();
    let own = [("Cookie", visit.cookie.as_str())];
    let empty = visit.send("", &own).expect(400);
    assert!(
        empty.text().contains("The message is empty."),
        "{}",
        empty.text()
    );
    let long = visit.send(&"x".repeat(65 * 1024 + 1), &own).expect(413);
    assert!(long.text().contains("role=\"alert\""));
    visit.send(&"é".repeat(200_000), &own).expect(413);
    assert!(visit.pending().is_empty());
    visit.send(&"x".repeat(64 * 1024), &own).expect(303);
}

#[test]
fn the_form_reports_the_rate_limit_at_once() {
    let visit = visit_of(TestNode::start(&["--threads", "0", "--add-rate", "1"]));
    // Visitors on the machine itself have no limit.
    let forwarded = ("X-Forwarded-For", "192.0.2.1");
    let own = [("Cookie", visit.cookie.as_str()), forwarded];
    visit.send("first", &own).expect(303);
    let mut rejected = (0..50).map(|_| visit.send("again", &own));
    let rejected = rejected.find(|response| response.status == 429);
    let rejected = rejected.expect("one after the other at more than one a second");
    assert!(
        rejected.text().contains("added too many messages"),
        "{}",
        rejected.text()
    );
}

#[test]
fn only_the_form_accepts_post() {
    let visit = visit();
    for (method, target, allow) in [
        ("POST", "/", "GET, HEAD"),
        ("PUT", "/blocks", "GET, HEAD"),
        ("DELETE", "/add", "GET, HEAD, POST"),
    ] {
        let response = visit.explorer.browse(method, target, &[], "").expect(405);
        assert_eq!(response.header("allow"), Some(allow), "{method} {target}");
    }
    visit.explorer.browse("GET", "/add", &[], "").expect(200);
}
