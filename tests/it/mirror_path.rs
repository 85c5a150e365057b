//! `mirror.path`: what it may name, and that one file is one mirror whatever it is called.

use crate::support::{Account, Place, Program, State, assert_same};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

/// Every command that would open the mirror.
const COMMANDS: [&[&str]; 8] = [
    &["config", "check"],
    &["sync"],
    &["sync", "--dry-run"],
    &["daemon"],
    &["status"],
    &["export"],
    &["export", "verify"],
    &["export", "repair"],
];

fn names(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_be_no_mirror_is_refused_before_anything_runs() {
    let server = Account::of(2, 1, 2).shared().serve().await;
    let place = Place::new();
    let at = |name: &str| place.path().join(name);
    std::fs::create_dir(at("folder")).unwrap();
    symlink("folder", at("link")).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    std::fs::write(at("one"), "").unwrap();
    std::fs::hard_link(at("one"), at("other")).unwrap();
    let before = names(&place);
    for (path, told) in [
        (":memory:", "write `./:memory:`"),
        ("", "it is empty"),
        ("file:m?mode=memory", "it is a URI"),
        ("file:///var/lib/mirror.db", "it is a URI"),
        ("sqlite:///var/lib/mirror.db", "it is a URI"),
        ("new/", "it names a folder"),
        ("folder", "is a folder: name a file in it"),
        ("link", "is a folder: name a file in it"),
        ("/dev/null", "is a device"),
        ("/dev/full", "is a device"),
        ("pipe", "is a pipe"),
        ("socket", "is a socket"),
        ("one", "has 2 names"),
        ("other", "has 2 names"),
    ] {
        let program = place.program(&server.base_url()).set(&format!("mirror.path={path}"));
        for command in COMMANDS {
            program.ends(2, command).await.tells(&["mirror.path", told]);
        }
    }
    assert_eq!(names(&place), before);
    assert!(server.all_asked().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_names_are_names_of_files() {
    let account = Account::of(4, 1, 2).shared();
    let server = account.serve().await;
    for name in ["./:memory:", "./file:m?mode=memory", "what?mode=ro", "50%20.db", "a b/#1.db"] {
        let place = Place::new();
        let program = place.program(&server.base_url()).set(&format!("mirror.path={name}"));
        program.ends(0, &["sync"]).await;
        program.ends(0, &["sync"]).await;
        let status = program.ends(0, &["status", "--json"]).await.json();
        assert_eq!(status["runs"].as_array().unwrap().len(), 2, "{name}: {status}");
        // It is the very file.
        std::fs::rename(place.path().join(name), place.mirror()).unwrap();
        assert_same(&account.state(), &State::of_mirror(&place), name);
    }
}

/// The program with its mirror under other names: links to the file, to its folder, and ways round.
fn by_other_names(place: &Place, program: &Program) -> Vec<Program> {
    let at = |name: &str| place.path().join(name);
    symlink("real/mirror.db", at("link.db")).unwrap();
    symlink(at("link.db"), at("real/second.db")).unwrap();
    symlink("real", at("folder")).unwrap();
    let absolute = at("folder/mirror.db").display().to_string();
    [
        "real/mirror.db",
        "link.db",
        "real/second.db",
        "folder/mirror.db",
        "./real/../folder/./mirror.db",
        &absolute,
    ]
    .map(|name| program.clone().set(&format!("mirror.path={name}")))
    .into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_run_at_a_time_by_whatever_name() {
    let account = Account::of(4, 1, 2).shared();
    let (server, arrived, go) = account.serve_holding_the_first().await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    std::fs::create_dir(place.path().join("real")).unwrap();
    let programs = by_other_names(&place, &program);
    // The first run makes the file that the link leads to.
    let first = programs[1].start(&["sync"]);
    arrived.notified().await;
    for program in &programs {
        program.ends(4, &["sync"]).await.tells(&["another run holds this mirror (`sync`, process"]);
        let status = program.ends(0, &["status", "--json"]).await.json();
        assert_eq!((&status["running"], &status["holder"]["command"]), (&true.into(), &"sync".into()));
    }
    go.notify_one();
    first.end().await.expect(0);
    for (n, program) in programs.iter().enumerate() {
        program.ends(0, &["sync"]).await;
        let status = program.ends(0, &["status", "--json"]).await.json();
        assert_eq!(status["runs"][0]["id"], n + 2, "{status}");
    }
    // One mirror, with its log and its lock beside it, and nothing beside its other names.
    let real: Vec<_> =
        std::fs::read_dir(place.path().join("real")).unwrap().map(|entry| entry.unwrap()).collect();
    let mut found: Vec<_> = real.iter().map(|entry| entry.file_name().into_string().unwrap()).collect();
    found.sort();
    assert_eq!(found, ["mirror.db", "mirror.db-shm", "mirror.db-wal", "mirror.db.lock", "second.db"]);
    assert_eq!(names(&place), ["config.toml", "exports", "folder", "link.db", "real"]);
}
