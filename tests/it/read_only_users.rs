//! People who may read the mirror, and create nothing beside it.
#![allow(clippy::print_stderr, reason = "what can't be tried here is told")]

use crate::support::{Account, Place, Program, assert_totals_are_true};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Somebody who owns nothing here, but belongs to the group of those who run the tests.
const SOMEBODY: u32 = 65534;

/// A folder that its group may look into, as the service's is. None where the tests can't be somebody else.
fn shared_place() -> Option<Place> {
    let place = Place::new();
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o750)).unwrap();
    let owner = std::fs::metadata(place.path()).unwrap();
    if owner.uid() != 0 {
        eprintln!("not tried: only root can read a mirror as somebody else");
        return None;
    }
    Some(place)
}

/// What somebody of the group is told, by the program and by the sqlite3 of this machine, if there is one.
async fn assert_readable(program: &Program, place: &Place, runs: &str) {
    let as_somebody = |mut command: Command| {
        command.uid(SOMEBODY).gid(std::fs::metadata(place.path()).unwrap().gid());
        command
    };
    let status = as_somebody(program.command(&["status", "--json"]));
    let status = program.start_command(status, &["status"]).end().await.expect(0).json();
    assert_eq!(status["runs"][0]["id"].to_string(), runs, "{status}");
    let mut shell = Command::new("sqlite3");
    shell.arg("-readonly").arg(place.mirror()).arg("SELECT max(id) FROM sync_runs");
    match as_somebody(shell).output() {
        Ok(told) => {
            let error = String::from_utf8(told.stderr).unwrap();
            assert_eq!((String::from_utf8(told.stdout).unwrap().trim(), error.as_str()), (runs, ""));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => eprintln!("not tried: no sqlite3 here"),
        Err(error) => panic!("{error}"),
    }
}

fn assert_side_files(place: &Place) {
    for ending in ["", "-wal", "-shm"] {
        let path = place.path().join(format!("mirror.db{ending}"));
        let file = std::fs::metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(file.permissions().mode() & 0o777, 0o640, "{}", path.display());
        if ending == "-wal" {
            assert_eq!(file.len(), 0, "nothing is left in the log");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_group_reads_the_mirror_after_every_command_that_wrote() {
    let Some(place) = shared_place() else { return };
    let account = Account::of(4, 1, 2).shared();
    let server = account.serve().await;
    let program = place.program(&server.base_url());
    for (runs, arguments) in [
        ("1", &["sync", "--full"][..]),
        ("2", &["sync"]),
        ("2", &["export"]),
        ("2", &["export", "--snapshot"]),
        ("2", &["export", "acknowledge", "--through", "8"]),
        ("2", &["export", "repair"]),
        ("3", &["sync", "--customer", "c-01"]),
    ] {
        program.ends(0, arguments).await;
        assert_side_files(&place);
        assert_readable(&program, &place, runs).await;
        assert_side_files(&place);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_group_reads_the_mirror_while_a_run_is_going_and_after_it_was_killed() {
    let Some(place) = shared_place() else { return };
    let account = Account::of(4, 1, 2).shared();
    let (server, arrived, _go) = account.serve_holding_the_first().await;
    let program = place.program(&server.base_url());
    let mut run = program.start(&["sync"]);
    arrived.notified().await;
    assert_readable(&program, &place, "1").await;
    run.kill();
    assert_eq!(run.end().await.signal(), Some(9));
    assert_readable(&program, &place, "1").await;
    assert_totals_are_true(&place);
    // And the next run goes on from there.
    let server = account.serve().await;
    place.program(&server.base_url()).ends(0, &["sync"]).await;
    assert_side_files(&place);
    assert_readable(&program, &place, "2").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_without_its_side_files_says_what_is_lacking() {
    let Some(place) = shared_place() else { return };
    let server = Account::of(4, 1, 2).shared().serve().await;
    let program = place.program(&server.base_url());
    program.ends(0, &["sync"]).await;
    for ending in ["-wal", "-shm"] {
        std::fs::remove_file(place.path().join(format!("mirror.db{ending}"))).unwrap();
    }
    let mut status = program.command(&["status"]);
    status.uid(SOMEBODY).gid(0);
    let told = program.start_command(status, &["status"]).end().await.expect(1);
    told.tells(&["mirror.db-wal and ", "mirror.db-shm are not there", "malomo-mirror sync"]);
    program.ends(0, &["sync"]).await;
    assert_readable(&program, &place, "2").await;
}
