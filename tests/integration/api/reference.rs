//! The reference endpoints. Requests, statuses and bodies were captured from the reference
//! miner; ids and times differ from run to run.

use serde_json::{Value, json};

use crate::support::http::{exchange, put_message, request_bytes};
use crate::support::test_node::TestNode;

const ADDED: &str = "Message added!";

/// A node that takes messages and leaves them pending.
fn idle() -> TestNode {
    TestNode::start(&["--threads", "0"])
}

/// The texts in `/data`; the response must parse twice.
fn data(node: &TestNode) -> Vec<String> {
    let response = node.get("/data").expect(200);
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert!(response.body.is_ascii() && response.body.ends_with(b"\n"));
    let set: Value = serde_json::from_str(&response.json::<String>()).unwrap();
    assert_eq!(set.as_object().unwrap().len(), 1);
    let each = |data: &Value| {
        assert_eq!(data["py/object"], "blockchain.blockchain.data.Data");
        assert_eq!(data["_id"].as_str().unwrap().len(), 32);
        assert_eq!(data.as_object().unwrap().len(), 3);
        data["_message"].as_str().unwrap().to_owned()
    };
    set["py/set"].as_array().unwrap().iter().map(each).collect()
}

#[test]
fn a_new_node_answers_like_the_reference_miner() {
    let node = idle();
    let genesis = r#"{"chain":"[{\"py/object\": \"blockchain.blockchain.block.Block\", \"_index\": 0, \"_timestamp\": 1581268484.244806, \"_data\": {\"py/object\": \"blockchain.blockchain.data.Data\", \"_id\": \"324dc066e690437fa68e8afc810e9617\", \"_message\": \"This is the workload of the very first Block in this chain!\"}, \"_proof\": null, \"_previous_hash\": null}]","length":1}
"#;
    let empty = "\"{\\\"py/set\\\": []}\"\n";
    let neighbours = "{\"length\":0,\"neighbours\":\"{\\\"py/set\\\": []}\"}\n";
    for (target, body) in [
        ("/chain", genesis),
        ("/chain?x=1", genesis),
        ("//chain", genesis),
        ("http://127.0.0.1:12345/chain", genesis),
        ("/data", empty),
        ("/neighbours", neighbours),
    ] {
        let response = node.get(target).expect(200);
        assert_eq!(response.text(), body, "{target}");
        assert_eq!(response.header("content-type"), Some("application/json"));
        let head = node.request("HEAD", target, &[], &[]).expect(200);
        assert_eq!(head.content_length(), response.content_length(), "{target}");
    }
    // Older clients have no Host.
    let request = b"GET /neighbours HTTP/1.0\r\n\r\n";
    let response = exchange(node.address(), request).unwrap();
    assert_eq!(response.expect(200).text(), neighbours);
}

#[test]
fn other_paths_and_methods_are_rejected_as_documented() {
    let node = idle();
    let missing = |name: &str| json!({"message": format!("'{name}' is not a valid endpoint!")});
    for (method, target, name) in [
        ("GET", "/nope", "nope"),
        ("POST", "/nope", "nope"),
        ("GET", "/no/such%20place?a=b", "no/such place"),
        (
            "GET",
            "/%3Cscript%3E%22%27%26%C3%A9%F0%9F%9A%80",
            "<script>\"'&é🚀",
        ),
        ("GET", "/../chain", "../chain"),
        ("GET", "/chain/", "chain/"),
        ("POST", "/chain", "chain"),
        ("POST", "/data", "data"),
        ("GET", "/add?message=x", "add"),
        ("GET", "/", ""),
    ] {
        let response = node.request(method, target, &[], &[]).expect(404);
        assert_eq!(response.json::<Value>(), missing(name), "{method} {target}");
        assert!(response.body.is_ascii() && response.body.ends_with(b"\n"));
    }
    node.request("HEAD", "/add", &[], &[]).expect(404);
    for (method, target, allow) in [
        ("PUT", "/nope", "GET"),
        ("DELETE", "/nope", "GET"),
        ("PUT", "/chain", "GET"),
        ("DELETE", "/chain", "GET"),
        ("PUT", "/data", "GET"),
        ("DELETE", "/add?message=x", "PUT"),
        ("POST", "/add?message=x", "PUT"),
        ("POST", "/", "GET"),
        ("FOO", "/chain", "GET"),
    ] {
        let response = node.request(method, target, &[], &[]).expect(405);
        assert!(
            response.header("allow").unwrap().contains(allow),
            "{target}"
        );
    }
    for (target, allow) in [("/chain", "GET"), ("/add", "PUT"), ("/nope", "GET")] {
        let response = node.request("OPTIONS", target, &[], &[]).expect(200);
        assert!(
            response.header("allow").unwrap().contains(allow),
            "{target}"
        );
        assert!(response.body.is_empty());
    }
    assert_eq!(data(&node), [""; 0]);
}

#[test]
fn add_takes_the_first_decoded_value_of_the_query() {
    let node = idle();
    for (query, text) in [
        ("hello", "hello"),
        ("%20", " "),
        ("0", "0"),
        ("a+b%2Bc%20d", "a b+c d"),
        ("100%25%20%zz%", "100% %zz%"),
        (
            "gr%C3%BC%C3%9Fe%20%F0%9F%9A%80%20%E6%BC%A2%E5%AD%97",
            "grüße 🚀 漢字",
        ),
        ("%ff%fe%41", "%FF%FEA"),
        ("one%0Atwo%0D%0Athree", "one\ntwo\r\nthree"),
        (
            "%00%1B%5B31mred%1B%5B0m%7F",
            "\0\u{1b}[31mred\u{1b}[0m\u{7f}",
        ),
        ("%22q%22%20%5C%20%27s%27", "\"q\" \\ 's'"),
        ("first&message=second", "first"),
        ("a;b", "a;b"),
    ] {
        let target = format!("/add?message={query}");
        let response = node.request("PUT", &target, &[], &[]).expect(200);
        assert_eq!(response.header("content-type"), Some("application/json"));
        let body: Value = response.json();
        assert_eq!(body["message"], ADDED, "{query}");
        assert_eq!(
            body["more_information"], "Will be mined in a future block.",
            "{query}"
        );
        let id = body["id"].as_str().unwrap();
        assert_eq!(
            node.json::<Value>(&format!("/messages/{id}"))["message"],
            text
        );
        assert_eq!(data(&node).pop().unwrap(), text);
    }
    assert_eq!(data(&node).len(), 12);
}

#[test]
fn an_add_without_a_message_in_the_query_is_rejected() {
    let node = idle();
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let json = [("Content-Type", "application/json")];
    for (target, headers, body) in [
        ("/add", &[] as &[(&str, &str)], ""),
        ("/add?message=", &[], ""),
        ("/add?message", &[], ""),
        ("/add?Message=x&msg=y", &[], ""),
        ("/add", &form, "message=in+body"),
        ("/add", &json, "{\"message\": \"x\"}"),
    ] {
        let response = node.request("PUT", target, headers, body.as_bytes());
        assert_eq!(
            response.expect(400).text(),
            "{\"message\":\"No Message added!\",\"more_information\":\"Missing data.\"}\n",
            "{target} {body}"
        );
    }
    assert_eq!(data(&node), [""; 0]);
}

#[test]
fn a_message_may_fill_the_request_line() {
    let node = idle();
    let text = "x".repeat(65_400);
    let response = put_message(node.address(), &text).unwrap().expect(200);
    assert_eq!(response.json::<Value>()["message"], ADDED);
    assert_eq!(data(&node), [text]);
    let longer = request_bytes(
        "PUT",
        &format!("/add?message={}", "x".repeat(70_000)),
        &[],
        &[],
    );
    exchange(node.address(), &longer).unwrap().expect(414);
    exchange(node.address(), b"hello there\r\n\r\n")
        .unwrap()
        .expect(400);
    assert_eq!(data(&node).len(), 1);
}

#[test]
fn content_lengths_are_right_for_unusual_messages_and_many_blocks() {
    let mut node = TestNode::start(&["--difficulty", "1"]);
    let long = "é\"\\".repeat(9000);
    let odd = [
        "\"\\/\n\r\t\u{8}\u{c}\0\u{1f}\u{7f}",
        "é€😀\u{202e}",
        " ",
        long.as_str(),
    ];
    let many: Vec<_> = (0..150).map(|number| format!("message {number}")).collect();
    let texts: Vec<_> = odd
        .into_iter()
        .chain(many.iter().map(String::as_str))
        .collect();
    node.mine(&texts);

    let response = node.get("/chain").expect(200);
    let head = node.request("HEAD", "/chain", &[], &[]).expect(200);
    assert_eq!(head.content_length(), Some(response.body.len() as u64));
    let body: Value = response.json();
    assert_eq!(body["length"], texts.len() + 1);
    let chain: Vec<Value> = serde_json::from_str(body["chain"].as_str().unwrap()).unwrap();
    assert_eq!(chain.len(), texts.len() + 1);
    for (index, block) in chain.iter().enumerate() {
        assert_eq!(block["_index"], index);
        assert!(block["_timestamp"].is_f64());
        assert_eq!(block["_previous_hash"].is_string(), index > 0);
        if index > 0 {
            assert_eq!(block["_data"]["_message"], texts[index - 1]);
        }
    }

    node.stop();
    node.start_again(&["--threads", "0"]);
    for text in &texts {
        node.add(text);
    }
    let response = node.get("/data").expect(200);
    let head = node.request("HEAD", "/data", &[], &[]).expect(200);
    assert_eq!(head.content_length(), Some(response.body.len() as u64));
    assert_eq!(data(&node), texts);
}
