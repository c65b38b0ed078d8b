//! A class and a stranger, each on a machine of its own (network namespaces; skipped where they
//! cannot be created).
//!
//! Long form: `BLOCKCHAIN_STRANGER_SECONDS=600`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use blockchain::wire::{Neighbours, Status};

use crate::support::command::Blockchain;
use crate::support::environment::variable;
use crate::support::explorer::{address_in, browse};
use crate::support::http::request;
use crate::support::lan::Lan;
use crate::support::skip::skip;
use crate::support::test_node::TestNode;
use crate::support::wait_for;

/// Numbers of the machines.
const TEACHER: usize = 0;
const STUDENTS: [usize; 2] = [1, 2];
const STRANGER: usize = 3;

const CLASS: &[&str] = &[
    "--host",
    "0.0.0.0",
    "--new-genesis=Class 8b",
    "--difficulty",
    "3",
    "--title",
    "Class 8b",
    "--ui=0",
];

/// A node and the machine it runs on. It ends before its machine does.
struct Member<'a> {
    lan: &'a Lan,
    machine: usize,
    node: TestNode,
}

impl<'a> Member<'a> {
    fn start(lan: &'a Lan, machine: usize, options: &[&str]) -> Self {
        let node = lan.on(machine, || TestNode::start(options));
        Self { lan, machine, node }
    }

    fn join(lan: &'a Lan, machine: usize, code: &str, options: &[&str]) -> Self {
        let node = lan.on(machine, || TestNode::join(code, options));
        Self { lan, machine, node }
    }

    fn on<T: Send>(&self, work: impl FnOnce(&TestNode) -> T + Send) -> T {
        self.lan.on(self.machine, || work(&self.node))
    }

    fn status(&self) -> Status {
        self.on(TestNode::status)
    }

    /// The address for other machines.
    fn address(&self) -> SocketAddr {
        SocketAddr::new(Lan::address(self.machine), self.node.address().port())
    }
}

fn wait_for_one_tip(members: &[&Member<'_>], length: u64) {
    wait_for("one tip", || {
        let tips: Vec<_> = members.iter().map(|member| member.status().tip).collect();
        let is_one = tips.iter().all(|tip| *tip == tips[0]);
        (is_one && tips[0].index + 1 == length).then_some(())
    });
}

#[test]
fn ten_students_on_two_machines_join_by_one_line_each() {
    let Some(lan) = Lan::of(3) else {
        return skip(
            "a class",
            "network namespaces cannot be created (needs root)",
        );
    };
    let teacher = Member::start(&lan, TEACHER, CLASS);
    let invitation = ["invite", "--db"];
    let code = teacher.on(|node| {
        let invitation = Blockchain::new(invitation).args([node.folder()]);
        invitation.exits(0).stdout.trim().to_owned()
    });
    assert!(code.starts_with(&teacher.address().to_string()), "{code}");
    let students: Vec<_> = std::thread::scope(|scope| {
        let joining: Vec<_> = (0..10)
            .map(|number| {
                let (lan, code) = (&lan, &code);
                scope.spawn(move || {
                    // The code as typed by hand, or as read from the QR code.
                    let code = if number % 2 == 0 {
                        code.clone()
                    } else {
                        code.to_uppercase()
                    };
                    let name = format!("student {number}");
                    let options = ["--host", "0.0.0.0", "--name", &name];
                    Member::join(lan, STUDENTS[number % 2], &code, &options)
                })
            })
            .collect();
        let joined = joining.into_iter().map(|student| student.join().unwrap());
        joined.collect()
    });
    let all: Vec<_> = students.iter().chain([&teacher]).collect();
    teacher.on(|node| node.add("welcome"));
    wait_for_one_tip(&all, 2);
    for number in [3, 8] {
        students[number].on(|node| node.add(&format!("from student {number}")));
    }
    wait_for_one_tip(&all, 4);
    let status = students[0].status();
    assert_eq!(status.title.as_deref(), Some("Class 8b"));
    assert_eq!(status.name.as_deref(), Some("student 0"));
}

/// Requests of a stranger who wants to add a message or to be asked for a chain, each of which
/// claims to come from somewhere else.
fn attempts(lan: &Lan, node: SocketAddr, explorer: SocketAddr, friend: SocketAddr) -> Vec<u16> {
    let own = SocketAddr::new(Lan::address(STRANGER), 12345);
    let claims = [
        ("x-nothing", String::new()),
        ("x-forwarded-for", "127.0.0.1".to_owned()),
        ("x-forwarded-for", friend.ip().to_string()),
        ("forwarded", format!("for={}", friend.ip())),
        ("blockchain-peer", friend.to_string()),
        ("blockchain-peer", own.to_string()),
    ];
    let message = br#"{"message":"from a stranger"}"#;
    let lines = b"from a stranger\n";
    let page = "message=from+a+stranger&token=x";
    let mut answers = Vec::new();
    for (name, claim) in &claims {
        let mut ask = |method: &str, target: &str, kind: &str, body: &[u8]| {
            let headers = [(*name, &**claim), ("content-type", kind)];
            let answer = lan.on(STRANGER, || request(node, method, target, &headers, body));
            answers.push(answer.unwrap().status);
        };
        for path in [
            "/add?message=from+a+stranger",
            "//add?message=from+a+stranger",
        ] {
            ask("PUT", path, "", b"");
        }
        ask("POST", "/api/v1/messages", "application/json", message);
        ask("POST", "/api/v1/messages/lines", "text/plain", lines);
        for address in [
            own,
            friend,
            SocketAddr::new(Lan::ipv6_address(STRANGER), 12345),
        ] {
            let body = format!(
                r#"{{"protocol":1,"address":"{address}","tip":"{}","length":99,"mempool_seq":9}}"#,
                "ab".repeat(32)
            );
            ask(
                "POST",
                "/api/v1/announce",
                "application/json",
                body.as_bytes(),
            );
            let body = format!(r#"{{"address":"{address}"}}"#);
            ask(
                "POST",
                "/api/v1/neighbours",
                "application/json",
                body.as_bytes(),
            );
        }
        let origin = format!("http://{explorer}");
        let headers = [(*name, &**claim), ("Origin", &*origin)];
        let form = |method, body| {
            lan.on(STRANGER, || {
                browse(explorer, method, "/add", &headers, body).status
            })
        };
        answers.extend([form("GET", ""), form("POST", page)]);
    }
    answers
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "the figures are shown with --nocapture"
)]
fn a_stranger_changes_nothing_on_a_closed_network() {
    let Some(lan) = Lan::of(4) else {
        return skip(
            "a stranger",
            "network namespaces cannot be created (needs root)",
        );
    };
    let seconds = variable("BLOCKCHAIN_STRANGER_SECONDS").unwrap_or(3);
    let mut node = Member::start(&lan, TEACHER, CLASS);
    let code = node.address().to_string();
    let closed = ["--host", "0.0.0.0", "--yes", "--closed"];
    let friend = Member::join(&lan, STUDENTS[0], &code, &closed);
    let known = friend.address().to_string();
    lan.on(TEACHER, || {
        node.node.stop();
        let options = [
            "--host",
            "0.0.0.0",
            "--ui=0",
            "--closed",
            "--neighbours",
            &known,
        ];
        node.node.start_again(&options);
    });
    // The node has another port, and its friend accepts announcements of its neighbours only.
    friend.on(|friend| {
        let address = node.address().to_string();
        let add = Blockchain::new(["neighbours", "add", &address, "--db"]);
        add.args([friend.folder()]).exits(0);
    });
    friend.on(|friend| friend.mine(&["from a friend"]));
    wait_for_one_tip(&[&node, &friend], 2);
    let explorer = address_in(&node.node.stderr()).unwrap();
    let explorer = SocketAddr::new(Lan::address(TEACHER), explorer.port());
    let state = || {
        let status = node.status();
        let neighbours: Neighbours = node.on(|node| node.json("/neighbours"));
        let known = neighbours.neighbours.into_iter().map(|one| one.address);
        let mempool = (status.mempool.count, status.mempool.next_sequence);
        (status.tip, mempool, known.collect::<Vec<_>>())
    };
    let before = state();
    let short = ["--chain-interval", "300ms", "--data-interval", "300ms"];
    let options = [
        &["--host", "0.0.0.0", "--yes", "--gossip-interval", "500ms"],
        &short[..],
    ];
    let stranger = Member::join(
        &lan,
        STRANGER,
        &node.address().to_string(),
        &options.concat(),
    );
    let (begin, mut answers, mut mined) = (Instant::now(), BTreeMap::new(), 0);
    while mined == 0 || begin.elapsed() < Duration::from_secs(seconds) {
        for status in attempts(&lan, node.address(), explorer, friend.address()) {
            *answers.entry(status).or_insert(0) += 1;
        }
        // The stranger has a longer chain, which no node asks for.
        stranger.on(|node| node.mine(&[&format!("mined by a stranger {mined}")]));
        mined += 1;
    }
    assert_eq!(answers.keys().collect::<Vec<_>>(), [&403], "{answers:?}");
    assert_eq!(state(), before);
    // Reading stays open to all.
    let chain = lan.on(STRANGER, || {
        request(node.address(), "GET", "/chain", &[], &[])
    });
    assert_eq!(chain.unwrap().status, 200);
    friend.on(|friend| friend.mine(&["still heard"]));
    wait_for_one_tip(&[&node, &friend], 3);
    eprintln!("{seconds} s: {answers:?} requests by status, {mined} blocks of the stranger");
}
