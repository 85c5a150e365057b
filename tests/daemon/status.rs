//! `status`, asked by an operator when things are not as they should be.

use crate::support::{Account, Place, Program, Ran, Reply};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

/// Somebody who owns nothing here.
const NOBODY: u32 = 65534;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_error_stands_with_what_to_do_about_it() {
    let account = Account::of(6, 1, 2).shared();
    let refusing = Arc::new(AtomicU16::new(401));
    let switch = refusing.clone();
    let server = account
        .serve_but(move |_| match switch.load(Ordering::SeqCst) {
            200 => None,
            status => Some(Reply::error(status, "no", "the vendor's own words")),
        })
        .await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    let status = || program.ends(0, &["status"]);
    program.ends(3, &["sync"]).await;
    let told = status().await.stdout;
    for text in [
        "last error\n  run 1 (incremental, failed), 20",
        "the API refused the key (HTTP 401, code no",
        "what to do: Check the key: it must be a current secret key",
        "last complete sync never",
    ] {
        assert!(told.contains(text), "{text:?} is not in\n{told}");
    }
    assert!(!told.contains("since then") && !told.contains("the vendor's own words"), "{told}");
    // It stands in the mirror for those who read nothing else.
    assert!(place.text("SELECT what_to_do FROM sync_runs").starts_with("Check the key"));

    refusing.store(200, Ordering::SeqCst);
    program.ends(0, &["sync"]).await;
    let told = status().await.stdout;
    assert!(
        told.contains("what to do: Check the key") && told.contains("since then run 2 went well"),
        "{told}"
    );
    let told = program.ends(0, &["status", "--json"]).await.json();
    let last = &told["last_error"];
    assert_eq!((&last["run_id"], &last["ok_since"]), (&1.into(), &2.into()));
    assert!(last["what_to_do"].as_str().unwrap().starts_with("Check the key"), "{last}");
    assert!(!last["error"].as_str().unwrap().contains("what to do"), "{last}");
    let run = &told["runs"][0];
    assert!(run["duration_seconds"].as_f64().unwrap() >= 0.0 && run["error"].is_null(), "{run}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_incomplete_run_lacks_is_an_error_too() {
    let account = Account::of(4, 1, 10).shared();
    account.lock().customers.push(("nobody".to_owned(), r#"{"first_name":"no id"}"#.to_owned()));
    let server = account.serve().await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    program.ends(5, &["sync"]).await;
    let told = program.ends(0, &["status", "--json"]).await.json();
    let last = &told["last_error"];
    assert_eq!((&last["run_id"], &last["outcome"]), (&1.into(), &"incomplete".into()));
    assert!(last["error"].as_str().unwrap().contains("could not be taken"), "{last}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_fails_after_its_run_is_told() {
    let server = Account::of(4, 1, 2).shared().serve().await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    std::fs::write(place.exports(), "in the way").unwrap();
    program.ends(1, &["sync"]).await;
    let told = program.ends(0, &["status"]).await.stdout;
    for text in ["the export after this run failed: ", "lags: change", "`malomo-mirror export` now"] {
        assert!(told.contains(text), "{text:?} is not in\n{told}");
    }
    std::fs::remove_file(place.exports()).unwrap();
    program.ends(0, &["export"]).await;
    assert!(!program.ends(0, &["status"]).await.stdout.contains("lags"));
}

/// Takes every right to write from a folder and what lies in it.
fn close(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mode = if path.is_dir() { 0o555 } else { 0o444 };
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    }
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o555)).unwrap();
}

/// Runs it without the rights of root, where the tests have them.
async fn as_nobody(program: &Program, arguments: &[&str]) -> Ran {
    let mut command = program.command(arguments);
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    program.start_command(command, arguments).end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_only_read_is_answered() {
    let server = Account::of(4, 1, 2).shared().serve().await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    program.ends(0, &["sync"]).await;
    // Nobody holds the mirror open, and the side files that a reader needs are there all the same.
    assert!(["-wal", "-shm"].iter().all(|end| place.path().join(format!("mirror.db{end}")).exists()));
    close(place.path());
    let ran = as_nobody(&program, &["status"]).await;
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let ran = ran.expect(0);
    assert!(ran.stdout.contains("4 rows, newest change "), "{}", ran.stdout);
}

/// With the rights of root only: others can't give files away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_root_does_by_hand_is_left_to_the_service() {
    let place = Place::new();
    if std::fs::metadata(place.path()).unwrap().uid() != 0 {
        return;
    }
    chown(place.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let server = Account::of(4, 1, 2).shared().serve().await;
    let program = place.program(&server.base_url());
    program.ends(0, &["sync"]).await;
    program.ends(0, &["export", "--snapshot"]).await;
    program.ends(0, &["status"]).await;
    let mut folders = vec![place.path().to_owned()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("config.toml") {
                continue;
            }
            seen += 1;
            assert_eq!(std::fs::metadata(&path).unwrap().uid(), NOBODY, "{}", path.display());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    assert!(seen >= 18, "{seen}");
    // And the service goes on with it.
    as_nobody(&program, &["sync", "--full"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_not_even_read_is_told_so() {
    let server = Account::of(4, 1, 2).shared().serve().await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    program.ends(0, &["sync"]).await;
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(place.mirror(), PermissionsExt::from_mode(0o000)).unwrap();
    let told = ["is not readable for this user", "as root"];
    as_nobody(&program, &["status"]).await.expect(1).tells(&told);
    // A folder that can't be looked into is no proof that there is no mirror.
    let inner = place.path().join("private");
    std::fs::create_dir(&inner).unwrap();
    std::fs::set_permissions(&inner, PermissionsExt::from_mode(0o000)).unwrap();
    let program = program.set(&format!("mirror.path={}", inner.join("mirror.db").display()));
    as_nobody(&program, &["status"]).await.expect(1).tells(&told);
}
