//! Mirror and exports are personal data: whatever the umask, nothing is created that others can read.

use crate::support::{Account, Place, Program, Ran, Running, World, manifest};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs it under umask 0: nobody but the program keeps anything closed.
async fn run_open(program: &Program, arguments: &[&str]) -> Ran {
    start_open(program, arguments).end().await
}

fn start_open(program: &Program, arguments: &[&str]) -> Running {
    let plain = program.command(arguments);
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 000 && exec \"$0\" \"$@\""])
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(plain.get_current_dir().unwrap())
        .env_clear()
        .envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    program.start_command(command, arguments)
}

/// Every file and folder that the program created, below the place or beside it.
fn created(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() == "config.toml" {
            continue;
        }
        if path.is_dir() {
            found.extend(created(&path));
        }
        found.push(path);
    }
    found
}

/// At most 0640 and 0750, each; returns how many files there are.
fn assert_closed(place: &Place, what: &str) -> usize {
    let paths = created(place.path());
    for path in &paths {
        let most = if path.is_dir() { 0o750 } else { 0o640 };
        let mode = std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode & !most, 0, "{what}: {} is {mode:o}", path.display());
    }
    paths.iter().filter(|path| path.is_file()).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_open_to_others_whatever_the_umask() {
    for compression in ["none", "gzip", "zstd"] {
        let World { account, server: _server, place, program } = World::of(Account::of(6, 2, 5)).await;
        let deep = |name: &str| place.path().join("made/by/it").join(name);
        let program = program
            .set(&format!("mirror.path={}", deep("mirror.db").display()))
            .set(&format!("export.compression={compression}"));
        assert_eq!(run_open(&program, &["sync", "--full"]).await.expect(0).code(), Some(0));
        assert_closed(&place, "a first sync");
        run_open(&program, &["export", "--snapshot"]).await.expect(0);
        account.lock().add("c-99", 2);
        run_open(&program, &["sync"]).await.expect(0);
        assert_closed(&place, "snapshots");
        // A lost file and a damaged one: one is written again, the other stays beside what replaces it.
        let files: Vec<PathBuf> = manifest(&place)
            .iter()
            .map(|line| place.exports().join(line["path"].as_str().unwrap()))
            .collect();
        std::fs::remove_file(&files[0]).unwrap();
        std::fs::write(&files[1], "damaged").unwrap();
        let ran = run_open(&program, &["export", "repair"]).await;
        assert!([Some(0), Some(5)].contains(&ran.code()), "{}", ran.stderr);
        assert!(files[0].exists());
        assert_closed(&place, "a repair");
    }
}

/// It looks at the export folder before its first run does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_is_what_the_daemon_creates() {
    let world = World::of(Account::of(2, 1, 2)).await.set("http.listen=");
    let mut daemon = start_open(&world.program, &["daemon"]);
    daemon.logs("sync ended").await;
    daemon.signal("TERM");
    daemon.end().await.expect(0);
    assert!(world.place.exports().is_dir());
    assert_closed(&world.place, "a daemon");
}

/// What a process that died left behind: the log and its index, the lock, files under their temporary names.
#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_is_what_a_killed_run_leaves() {
    let server = Account::of(6, 2, 5).shared().serve().await;
    for point in ["migration:1", "before-commit:2", "after-commit:2", "before-rename:1", "half-manifest:1"] {
        let place = Place::new();
        let program = place.program(&server.base_url()).variable("MALOMO_MIRROR_FAIL_POINT", point);
        assert!(run_open(&program, &["sync", "--full"]).await.signal().is_some(), "{point}");
        assert!(assert_closed(&place, point) >= 2, "{point}");
    }
}
