//! Paths and files that cannot be used are named; every path that can be used is.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::command::{BINARY, Blockchain, foreign_variables, signal};
use crate::support::test_node::TestNode;
use crate::support::wait_for;

fn node(folder: &Path) -> Blockchain {
    Blockchain::new(["node", "--port", "0", "--threads", "0", "--db"]).args([folder])
}

fn make_fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

/// Runs a node until it has written its address, and stops it.
#[track_caller]
fn runs(arguments: &[&OsStr], address: &Path) {
    let mut command = Command::new(BINARY);
    for name in foreign_variables() {
        command.env_remove(name);
    }
    let mut child = command
        .args(arguments)
        .args(["--port", "0", "--threads", "0"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the node", || {
        assert_eq!(child.try_wait().unwrap(), None, "it ended");
        address.exists().then_some(())
    });
    signal("TERM", child.id());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_path_that_is_not_utf_8_works_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let odd = OsString::from_vec(b"n\xffde".to_vec());
    let db = folder.path().join(&odd);
    let path = |ending: &str| {
        let mut name = odd.clone();
        name.push(ending);
        db.join(name)
    };
    runs(
        &["node".as_ref(), "--db".as_ref(), db.as_os_str()],
        &db.join("node.address"),
    );
    fs::create_dir(db.join("own")).unwrap();
    let chain = db.join("own").join(&odd).with_extension("chain");
    let arguments = ["miner".as_ref(), "start".as_ref(), chain.as_os_str()];
    runs(&arguments, &chain.with_extension("address"));
    Blockchain::new(["verify"]).args([&chain]).succeeds();
    let export = ["export", "--json", "--db"].map(OsString::from);
    let file = path(".json");
    Blockchain::new(export)
        .args([&db])
        .args(["--output"])
        .args([&file])
        .succeeds();
    let hash = fs::read(path(".json.sha256")).unwrap();
    assert!(
        hash.ends_with(&[b"  ", path(".json").file_name().unwrap().as_bytes(), b"\n"].concat())
    );
    Blockchain::new(["--json", "import"])
        .args([&file])
        .args(["--db"])
        .args([db.join("new")])
        .succeeds();
    let config = path(".toml");
    fs::write(&config, "[node]\nport = 0\n").unwrap();
    let check = [
        "pow",
        "check",
        "--proof",
        "1",
        "--difficulty",
        "1",
        "--config",
    ];
    Blockchain::new(check).args([&config]).succeeds();
}

#[test]
fn an_unusable_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("file"), "").unwrap();
    node(&path("file")).exits(3).complains(&["/file: "]);
    node(&path("file/below"))
        .exits(3)
        .complains(&["/file/below: "]);
    let long = path(&"x".repeat(4096));
    node(&long).exits(3).complains(&["xxx: "]);
    symlink(path("nowhere"), path("dangling")).unwrap();
    node(&path("dangling")).exits(3).complains(&["/dangling: "]);
    fs::create_dir_all(path("db/node.redb")).unwrap();
    node(&path("db"))
        .exits(3)
        .complains(&["node.redb", "not a regular file but a folder"]);
}

#[test]
fn a_node_rejects_files_that_are_not_regular() {
    let names = [
        "node.redb",
        "node.chain",
        "node.hash",
        "node.token",
        "node.address",
        "node.used",
    ];
    for name in names.into_iter().chain(["miner.log", "miner.log.2"]) {
        let folder = tempfile::tempdir().unwrap();
        let (own, other) = (folder.path().join(name), folder.path().join("other"));
        fs::write(&other, "mine").unwrap();
        symlink(&other, &own).unwrap();
        let rejected = node(folder.path()).exits(3);
        rejected.complains(&[name, "not a regular file but a symbolic link"]);
        assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
        fs::remove_file(&own).unwrap();
        make_fifo(&own);
        node(folder.path())
            .exits(3)
            .complains(&[name, "not a regular file but a FIFO"]);
    }
}

#[test]
fn a_fifo_or_a_device_is_not_read_as_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("x.chain");
    make_fifo(&fifo);
    let db = folder.path().join("db");
    for (path, kind) in [
        (fifo.as_path(), "a FIFO"),
        (Path::new("/dev/zero"), "a device"),
    ] {
        let name = path.to_str().unwrap();
        for command in ["verify", "import", "pow check --proof 1 --config"] {
            let arguments = command.split(' ').map(OsStr::new).chain([path.as_os_str()]);
            let db = [OsStr::new("--db"), db.as_os_str()];
            let db = db.into_iter().filter(|_| command == "import");
            let rejected = Blockchain::new(arguments).args(db).exits(3);
            rejected.complains(&[name, kind]);
        }
    }
    // A FIFO with the name of the hash file does not block, either.
    let chain = folder.path().join("y.chain");
    fs::copy("tests/fixtures/chains/json_3.chain", &chain).unwrap();
    make_fifo(&chain.with_extension("hash"));
    let verified = Blockchain::new(["verify"]).args([&chain]).exits(0);
    assert!(
        verified
            .stderr
            .contains("y.hash: not a regular file but a FIFO")
    );
    let endless = fs::File::open("/dev/zero").unwrap();
    let output = Command::new(BINARY)
        .args(["import", "-", "--db"])
        .arg(&db)
        .stdin(endless)
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("it is a device"), "{told}");
}

fn limited(blocks: u32, arguments: &[&OsStr]) -> Output {
    let script = format!("ulimit -f {blocks} && exec \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh", BINARY]).args(arguments);
    command.output().unwrap()
}

#[test]
fn a_file_size_limit_is_a_named_error() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("db");
    let file = folder.path().join("x.json");
    let start = ["node", "--port", "0", "--db"].map(OsStr::new);
    let rejected = limited(8, &[&start[..], &[db.as_os_str()]].concat());
    let told = String::from_utf8(rejected.stderr).unwrap();
    assert_eq!(rejected.status.code(), Some(3), "{told}");
    assert!(told.contains("File too large"), "{told}");

    runs(
        &["node".as_ref(), "--db".as_ref(), db.as_os_str()],
        &db.join("node.address"),
    );
    let export = ["export", "--json", "--db"].map(OsStr::new);
    let to = [db.as_os_str(), "--output".as_ref(), file.as_os_str()];
    let rejected = limited(0, &[&export[..], &to].concat());
    let told = String::from_utf8(rejected.stderr).unwrap();
    assert_eq!(rejected.status.code(), Some(3), "{told}");
    assert!(
        told.contains("x.json") && told.contains("File too large"),
        "{told}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn files_and_folders_that_are_mixed_up_are_named_with_the_right_option() {
    let mut node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["one"]);
    node.stop();
    let (folder, database) = (node.folder(), node.folder().join("node.redb"));
    let (folder, database) = (folder.to_str().unwrap(), database.to_str().unwrap());
    let name_the_folder = format!("--db {folder}");
    Blockchain::new(["node", "--port", "0", "--db", database])
        .exits(3)
        .complains(&[
            "node.redb: not a folder but a file",
            "hint: ",
            &name_the_folder,
        ]);
    let fresh = node.sibling("fresh");
    let fresh = fresh.to_str().unwrap();
    for command in [
        &["verify", database][..],
        &["import", database, "--db", fresh],
    ] {
        Blockchain::new(command).exits(3).complains(&[
            "node.redb is a database, not a chain file",
            &name_the_folder,
        ]);
    }
    assert!(
        !Path::new(fresh).exists(),
        "a failed import leaves no folder behind"
    );
    Blockchain::new(["verify", folder])
        .exits(3)
        .complains(&["not a regular file but a folder", &name_the_folder]);
    for command in [
        &["checkpoint", "--db", folder, "--output"][..],
        &["export", "--db", folder, "--output"],
        &["receipt", "get", "1", "--db", folder, "--output"],
    ] {
        let file = node.sibling("missing/x.json");
        let rejected = Blockchain::new(command).args([&file]).exits(3);
        let text = format!(
            "cannot write {}: the folder {} does not exist",
            file.display(),
            node.sibling("missing").display()
        );
        rejected.complains(&[&text]);
    }
}
