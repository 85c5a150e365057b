//! Runs that are told to stop, runs that meet each other, and readers that leave early.

use crate::support::{
    Account, Place, Relay, Reply, Server, State, assert_counts_are_true, assert_everything_equals, sandbox,
};
use malomo_mirror::sandbox::Settings;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use tokio::sync::Notify;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_stops_a_run_that_waits_and_the_next_one_goes_on() {
    let settings = Settings { customers: 40, events_per_customer: 2.0, page_size: 4, ..Settings::default() };
    let sandbox = sandbox(settings).await;
    let relay = Relay::before(&sandbox.base_url()).await;
    let place = Place::new();
    // No time-out comes before the test's own patience: only the signal ends the wait.
    let program = place.program(&relay.base_url()).set("api.timeout=1h").set("api.concurrency=2");
    relay.silent_after(20);
    let running = program.start(&["sync", "--full"]);
    relay.fell_silent().await;
    running.signal("TERM");
    let ran = running.end().await.expect(5);
    ran.tells(&["stopping"]);
    let rows = place.number("SELECT count(*) FROM customers");
    assert!(rows > 0, "what was committed stays");
    program.ends(0, &["export"]).await;
    assert_everything_equals(&State::of_mirror(&place), &place);
    assert_counts_are_true(&place);
    assert_eq!(place.text("SELECT outcome FROM sync_runs"), "interrupted");
    relay.talk();
    let report = program.ends(0, &["sync", "--full", "--json"]).await.json();
    assert_eq!(report["resumed"], true);
    assert_everything_equals(&State::of_world(&sandbox.world()), &place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigint_stops_a_wait_between_two_attempts() {
    let server =
        Server::answering(|_| Reply::error(503, "down", "down").with_header("Retry-After", "600")).await;
    let place = Place::new();
    let mut running = place.program(&server.base_url()).start(&["sync", "-v"]);
    running.logs("503").await;
    running.signal("INT");
    running.end().await.expect(5);
    assert_eq!(place.text("SELECT outcome FROM sync_runs"), "interrupted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_stops_a_list_on_its_way_to_stdout() {
    let arrived = Arc::new(Notify::new());
    let arriving = arrived.clone();
    let server = Server::answering(move |_| {
        arriving.notify_one();
        Reply::Silence
    })
    .await;
    let place = Place::new();
    let running = place.program(&server.base_url()).set("api.timeout=1h").start(&["customers", "list"]);
    arrived.notified().await;
    running.signal("TERM");
    running.end().await.expect(5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_is_told_who_holds_the_mirror() {
    let account = Account::of(6, 1, 2).shared();
    let (server, arrived, go) = account.serve_holding_the_first().await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    let first = program.start(&["sync", "--full"]);
    arrived.notified().await;
    let holder = format!("`sync --full`, process {}", first.pid());
    for arguments in [&["sync"][..], &["sync", "--full"], &["sync", "--customer", "c-01"], &["export"]] {
        program.ends(4, arguments).await.tells(&["another run holds this mirror", &holder]);
    }
    assert_eq!(server.all_asked().len(), 1, "they asked for nothing");
    // Reading is free.
    program.ends(0, &["status"]).await;
    go.notify_one();
    first.end().await.expect(0);
    assert_everything_equals(&account.state(), &place);
    program.ends(0, &["sync"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_has_seen_enough_is_no_failure() {
    // More than a pipe holds.
    let sandbox =
        sandbox(Settings { customers: 3000, events_per_customer: 0.0, ..Settings::default() }).await;
    let place = Place::new();
    let mut command = place.program(&sandbox.base_url()).command(&["customers", "list"]);
    let ended = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        drop(stdout);
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (child.wait().unwrap(), line, stderr)
    });
    let (status, line, stderr) = ended.await.unwrap();
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert_eq!(stderr, "");
    assert!(line.starts_with("{\"id\":"), "{line}");
}
