//! `/openapi.json` and `/docs`: what is documented is there.

use std::env;
use std::io::{Read, Write};
use std::process::Command;

use serde_json::Value;

use crate::support::http::{connect, exchange, request_bytes};
use crate::support::skip::skip;
use crate::support::test_node::TestNode;

#[test]
fn every_documented_operation_exists() {
    let node = TestNode::start(&["--threads", "0"]);
    let response = node.get("/openapi.json").expect(200);
    assert_eq!(response.header("content-type"), Some("application/json"));
    let document: Value = response.json();
    let mut count = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let target = path.replace("{block}", "0").replace("{id}", "0");
        let target = target.replace("{address}", "a:1");
        for method in item.as_object().unwrap().keys() {
            let mut stream = connect(node.address()).unwrap();
            let request = request_bytes(&method.to_uppercase(), &target, &[], &[]);
            stream.write_all(&request).unwrap();
            // Some never end.
            let mut start = [0; 1024];
            let read = stream.read(&mut start).unwrap();
            let start = String::from_utf8_lossy(&start[..read]);
            // The text of a page may name any status.
            let line = start.lines().next().unwrap();
            assert!(!line.contains(" 404 Not Found"), "{method} {path}: {line}");
            assert!(!line.contains(" 405 "), "{method} {path}: {line}");
            count += 1;
        }
    }
    assert!(count > 19, "{count}");
}

#[test]
fn the_docs_page_loads_nothing_external_and_runs_no_script() {
    let node = TestNode::start(&["--threads", "0"]);
    let page = node.get("/docs").expect(200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'self';"),
        "{policy}"
    );
    let text = page.text();
    for part in [
        "GET /api/v1/blocks/{block}",
        "PUT /add",
        "MessageStatus",
        "confirmations",
        "curl &#39;test/api/v1/blocks/tip&#39;",
        "-X PUT &#39;test/add?message=hello&#39;",
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert!(!text.contains("<script") && !text.contains("http://") && !text.contains("https://"));
    // Links are relative, so that the explorer can serve the page below a base path.
    let links = text.split("href=\"").skip(1);
    let links: Vec<_> = links.filter(|link| !link.starts_with('#')).collect();
    assert_eq!(links.len(), 2);
    for link in links {
        let target = format!("/{}", link.split('"').next().unwrap());
        node.get(&target).expect(200);
    }
    // The host is text of the client. What means something to HTML or a shell is not shown.
    let forged = b"GET /docs HTTP/1.1\r\nHost: a$(id)\r\nConnection: close\r\n\r\n";
    let page = exchange(node.address(), forged).unwrap().expect(200);
    let text = page.text();
    assert!(!text.contains("$(id)") && text.contains("curl &#39;localhost:12345/api"));
    let style = node.get("/docs/style.css").expect(200);
    assert_eq!(
        style.header("content-type"),
        Some("text/css; charset=utf-8")
    );
    node.get("/docs/x").expect_error(404, "not_found");
    node.request("POST", "/docs", &[], &[])
        .expect_error(405, "method_not_allowed");
}

#[test]
fn every_rejection_is_documented() {
    let node = TestNode::start(&["--threads", "0"]);
    let document: Value = node.get("/openapi.json").expect(200).json();
    let schema = |path: &str, method: &str, name: &str| {
        let parameters = document["paths"][path][method]["parameters"].as_array();
        let mut parameters = parameters.unwrap().iter();
        let found = parameters.find(|parameter| parameter["name"] == name);
        found.unwrap()["schema"].clone()
    };
    let limit = schema("/api/v1/blocks", "get", "limit");
    assert_eq!(
        (&limit["minimum"], &limit["maximum"]),
        (&1.into(), &1000.into())
    );
    for (limit, status) in [(0, 400), (1, 200), (1000, 200), (1001, 400)] {
        node.get(&format!("/api/v1/blocks?limit={limit}"))
            .expect(status);
    }
    let from = schema("/api/v1/blocks", "get", "from");
    assert_eq!(from["maximum"], u64::MAX);
    node.get(&format!("/api/v1/blocks?from={}", u64::MAX))
        .expect(200);
    node.get("/api/v1/blocks?from=18446744073709551616")
        .expect_error(400, "bad_request");
    let q = schema("/api/v1/search", "get", "q");
    assert_eq!((&q["minLength"], &q["maxLength"]), (&1.into(), &256.into()));
    // Characters, not bytes.
    for (count, status) in [(256, 200), (257, 400)] {
        node.get(&format!("/api/v1/search?q={}", "%C3%A9".repeat(count)))
            .expect(status);
    }
    let key = schema("/api/v1/messages", "post", "Idempotency-Key");
    assert_eq!(key["maxLength"], 256);
    let json = ("content-type", "application/json");
    for (key, status) in [("order 17", 201), ("\u{e9}", 400)] {
        let headers = [json, ("idempotency-key", key)];
        node.request("POST", "/api/v1/messages", &headers, b"{\"message\":\"a\"}")
            .expect(status);
    }
}

/// Calls three operations through a generated package.
const CALLS: &str = "
import io, sys
sys.path.insert(0, sys.argv[1])
from blockchain_client import Client
from blockchain_client.api.messages import add_lines, add_message
from blockchain_client.api.node import get_status
from blockchain_client.models import NewMessage
from blockchain_client.types import File
client = Client(base_url=sys.argv[2])
add_message.sync(client=client, body=NewMessage(message='from a generated client'))
added = add_lines.sync(client=client, body=File(payload=io.BytesIO(b'a\\nb\\n')), once=True)
print(added.added, added.known, get_status.sync(client=client).mempool.count)
";

#[test]
fn a_client_is_generated_without_warnings_and_works() {
    let test = "a generated client";
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path);
    let Some(tool) = folders
        .map(|folder| folder.join("openapi-python-client"))
        .find(|tool| tool.exists())
    else {
        return skip(test, "pip install openapi-python-client");
    };
    // The packages that it needs are installed beside it.
    let tool = tool.canonicalize().unwrap();
    let bin = tool.parent().unwrap();
    let node = TestNode::start(&["--threads", "0"]);
    let base = format!("http://{}", node.address());
    let client = node.sibling("client");
    let search = env::join_paths([bin.to_owned()].into_iter().chain(env::split_paths(&path)));
    let generated = Command::new(&tool)
        .args(["generate", "--fail-on-warning", "--url"])
        .arg(format!("{base}/openapi.json"))
        .arg("--output-path")
        .arg(&client)
        .env("PATH", search.unwrap())
        .output()
        .unwrap();
    assert!(generated.status.success(), "{generated:?}");
    let called = Command::new(bin.join("python3"))
        .args(["-c", CALLS])
        .arg(&client)
        .arg(&base)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&called.stdout);
    assert_eq!(printed, "2 0 3\n", "{called:?}");
}
