//! A machine that refuses: files may not grow, folders can't be written, the mirror is damaged, descriptors are few, the
//! clock was wrong. The program says so, ends with 1, publishes nothing half, and goes on once the cause is gone.

use crate::effort::Effort;
use crate::findings::Findings;
use crate::support::{Place, Program, Ran, Shared};
use crate::test_account::{Mirrored, account, change, mirrored, program};
use rusqlite::Connection;
use std::future::Future;
use std::pin::Pin;
use std::process::Stdio;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_on_a_machine_that_refuses() {
    scenario(&Effort::of_environment()).await.assert_clean();
}

type Try = Pin<Box<dyn Future<Output = Findings> + Send>>;

pub async fn scenario(effort: &Effort) -> Findings {
    let mut tries: Vec<Try> = Vec::new();
    for n in 0..effort.tries(8, 60) {
        // In blocks of 512 bytes: from nothing to beyond what mirror, log and exports need.
        tries.push(Box::pin(limited("-f", effort.luck(6, n).u64(0..700))));
    }
    for descriptors in effort.tries(0, 3)..effort.tries(4, 40) {
        tries.push(Box::pin(limited("-n", 4 + descriptors * effort.tries(6, 1))));
    }
    for n in 0..effort.tries(6, 60) {
        tries.push(Box::pin(damaged(effort.luck(7, n))));
    }
    tries.push(Box::pin(no_database()));
    tries.push(Box::pin(no_folder("mirror.path")));
    tries.push(Box::pin(no_folder("export.dir")));
    tries.push(Box::pin(clock_was_ahead("sync")));
    tries.push(Box::pin(clock_was_ahead("sync --full")));
    effort.all(tries.into_iter()).await
}

/// Runs it under a limit of the shell's `ulimit`.
async fn run_limited(program: &Program, flag: &str, limit: u64, arguments: &[&str]) -> Ran {
    let plain = program.command(arguments);
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", &format!("ulimit {flag} {limit} && exec \"$0\" \"$@\"")])
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(plain.get_current_dir().unwrap())
        .env_clear()
        .envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    program.start_command(command, arguments).end().await
}

async fn made_good(found: &mut Findings, account: &Shared, place: &Place, program: &Program) {
    found.ended(&program.run(&["sync", "--full"]).await, &[0]);
    found.judge(&account.state(), place, program).await;
}

async fn limited(flag: &str, limit: u64) -> Findings {
    let mut found = Findings::of_a_try();
    let account = account(60, 2, 10).shared();
    let server = account.serve().await;
    let place = Place::new();
    let program = program(&place, &server.base_url()).set("api.max_attempts=2");
    // With too few descriptors not even its libraries may be loaded: 127.
    let codes: &[i32] = if flag == "-n" { &[0, 1, 5, 127] } else { &[0, 1] };
    let ran = run_limited(&program, flag, limit, &["sync", "--full"]).await;
    found.ended(&ran, codes);
    found.judge_integrity(&place);
    made_good(&mut found, &account, &place, &program).await;
    change(&mut account.lock(), &mut fastrand::Rng::with_seed(limit), 1);
    let ran = run_limited(&program, flag, limit, &["sync"]).await;
    found.ended(&ran, codes);
    found.judge_integrity(&place);
    made_good(&mut found, &account, &place, &program).await;
    found
}

/// Bytes of the mirror are overwritten, or its end is lost. A run may meet the damage or not; what counts is that it
/// doesn't crash over it, that a run which fails says why, and that a backup of the file makes it good.
async fn damaged(mut luck: fastrand::Rng) -> Findings {
    let Mirrored { mut found, account, place, program, server: _server } = mirrored(account(60, 2, 10)).await;
    let good = std::fs::read(place.mirror()).unwrap();
    let exports = place.exports();
    let kept = place.path().join("exports.kept");
    let mut bad = good.clone();
    if luck.bool() {
        bad.truncate(luck.usize(1..bad.len()));
    } else {
        for _ in 0..20 {
            let at = luck.usize(..bad.len() - 512);
            bad[at..at + 512].iter_mut().for_each(|byte| *byte = luck.u8(..));
        }
    }
    std::fs::write(place.mirror(), bad).unwrap();
    copy_folder(&exports, &kept);
    for arguments in [&["status"][..], &["export", "verify"], &["export"], &["sync", "--full"]] {
        found.ended(&program.run(arguments).await, &[0, 1, 5]);
    }
    for side in ["mirror.db-wal", "mirror.db-shm"] {
        let _ = std::fs::remove_file(place.path().join(side));
    }
    std::fs::write(place.mirror(), good).unwrap();
    std::fs::remove_dir_all(&exports).unwrap();
    std::fs::rename(&kept, &exports).unwrap();
    made_good(&mut found, &account, &place, &program).await;
    found
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let to = to.join(from.file_name().unwrap());
        if from.is_dir() { copy_folder(&from, &to) } else { assert!(std::fs::copy(&from, &to).is_ok()) }
    }
}

async fn no_database() -> Findings {
    let mut found = Findings::of_a_try();
    let account = account(5, 1, 2).shared();
    let server = account.serve().await;
    let place = Place::new();
    let program = program(&place, &server.base_url());
    let text = "somebody's notes\n".repeat(500);
    std::fs::write(place.mirror(), &text).unwrap();
    for arguments in [&["sync"][..], &["export"], &["status"]] {
        let ran = program.run(arguments).await;
        found.ended(&ran, &[1]);
        found.check(ran.stderr.contains("mirror.db"), || format!("no file named: {}", ran.stderr));
    }
    let is_kept = std::fs::read_to_string(place.mirror()).is_ok_and(|found| found == text);
    found.check(is_kept, || "somebody's file was changed".to_owned());
    found.check(server.asked().is_empty(), || "the API was asked for nothing".to_owned());
    std::fs::remove_file(place.mirror()).unwrap();
    made_good(&mut found, &account, &place, &program).await;
    found
}

/// A file stands where a folder has to be: not even root gets past that.
async fn no_folder(key: &str) -> Findings {
    let mut found = Findings::of_a_try();
    let account = account(5, 1, 2).shared();
    let server = account.serve().await;
    let place = Place::new();
    let program = program(&place, &server.base_url());
    std::fs::write(place.path().join("file"), "").unwrap();
    let below = place.path().join("file/below");
    let refused = program.clone().set(&format!("{key}={}", below.display()));
    let ran = refused.run(&["sync", "--full"]).await;
    found.ended(&ran, &[1]);
    found.check(ran.stderr.contains("file/below"), || format!("no path named: {}", ran.stderr));
    made_good(&mut found, &account, &place, &program).await;
    found
}

/// Everything in the mirror was written under a clock that was years ahead, and has been put right since. An event
/// that is new without moving its customer comes with a full sync, or when that customer's turn comes.
async fn clock_was_ahead(command: &str) -> Findings {
    let mut found = Findings::of_a_try();
    let account = account(12, 2, 4).shared();
    let server = account.serve().await;
    let place = Place::new();
    let program = program(&place, &server.base_url()).set("sync.events_max_age=24h");
    found.ended(&program.run(&["sync", "--full"]).await, &[0]);
    Connection::open(place.mirror())
        .unwrap()
        .execute_batch(
            "UPDATE customers SET events_checked_at = '2099' || substr(events_checked_at, 5);
             UPDATE sync_runs SET started_at = '2099' || substr(started_at, 5), finished_at = '2099' || substr(finished_at, 5)",
        )
        .unwrap();
    account.lock().add_event("c-05", "c-05-e-late");
    found.ended(&program.run(&command.split(' ').collect::<Vec<_>>()).await, &[0]);
    found.judge(&account.state(), &place, &program).await;
    found
}
