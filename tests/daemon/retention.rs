//! The daemon erases by rule what has been kept for long enough, once a day.

use crate::service_manager::{Guard, signal};
use crate::support::{Account, Place, Program, assert_same, event};
use crate::support::{Shared, State};

/// Two customers with old events, one of whom has a young one.
fn account() -> Shared {
    let mut account = Account::of(2, 2, 4);
    let young = event("young", &jiff::Timestamp::now().to_string());
    account.events.get_mut("c-01").unwrap().push(young);
    account.shared()
}

fn young_ones(account: &Shared) -> State {
    let mut state = account.state();
    state.events.retain(|id, _| id == "young");
    state
}

/// With runs every second.
fn daemon(program: &Program) -> Program {
    ["http.listen=", "schedule.full=", "schedule.sync=* * * * * *", "retention.events=1y"]
        .into_iter()
        .fold(program.clone(), Program::set)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_expired_is_erased_once_a_day_after_a_run() {
    let account = account();
    let server = account.serve().await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    program.ends(0, &["sync"]).await;
    assert_eq!(place.number("SELECT count(*) FROM events"), 5);
    // A run by hand judges what comes in, and erases nothing.
    program.clone().set("retention.events=1y").ends(0, &["sync"]).await;
    assert_eq!(place.number("SELECT count(*) FROM erasures"), 0);

    let mut running = daemon(&program).start(&["daemon"]);
    let _guard = Guard(running.pid());
    let line = running.logs("what has expired is erased").await;
    assert!(line.contains("retention: events older than 1y"), "{line}");
    for _ in 0..2 {
        running.logs("\"sync ended\"").await;
    }
    signal(running.pid(), "TERM");
    running.end().await.expect(0);
    assert_same(&young_ones(&account), &State::of_mirror(&place), "the mirror");
    assert_eq!(place.number("SELECT count(*) FROM erasures WHERE ended_at IS NOT NULL"), 1);
    program.ends(0, &["export", "verify"]).await;

    // Another daemon on the same day leaves it at that, though there is something.
    program.ends(0, &["sync", "--full"]).await;
    let mut running = daemon(&program).start(&["daemon"]);
    let _guard = Guard(running.pid());
    for _ in 0..2 {
        running.logs("\"sync ended\"").await;
    }
    signal(running.pid(), "TERM");
    running.end().await.expect(0);
    assert_eq!(place.number("SELECT count(*) FROM erasures"), 1);
    assert_same(&account.state(), &State::of_mirror(&place), "the mirror");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_by_rule_that_fails_is_told_and_tried_again() {
    let account = account();
    let server = account.serve().await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    program.ends(0, &["sync"]).await;
    // What was exported before lies in a folder that nobody exports to any more.
    let manifest = place.exports().join("manifest.ndjson");
    let whole = std::fs::read(&manifest).unwrap();
    std::fs::write(&manifest, "{}\n").unwrap();
    let now = place.path().join("now");
    let program = program.set(&format!("export.dir={}", now.display()));
    program.ends(0, &["export"]).await;

    let mut running = daemon(&program).start(&["daemon"]);
    let _guard = Guard(running.pid());
    running.logs("of what has expired could not be ended").await;
    signal(running.pid(), "TERM");
    running.end().await.expect(0);
    let remark = place.text("SELECT remarks FROM sync_runs WHERE remarks IS NOT NULL");
    assert!(remark.contains("the erasure 1 of what has expired could not be ended"), "{remark}");
    assert_same(&young_ones(&account), &State::of_mirror(&place), "the mirror");

    std::fs::write(&manifest, whole).unwrap();
    program.ends(0, &["sync"]).await;
    assert_eq!(place.number("SELECT count(*) FROM erasures WHERE ended_at IS NULL"), 0);
    program.ends(0, &["export", "verify"]).await;
    let former = place.program(&server.base_url());
    former.ends(0, &["export", "verify"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_fast_erases_nothing() {
    let account = account();
    let answering = account.clone();
    let server = account
        .serve_but(move |asked| {
            let days_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3 * 86_400);
            let date = httpdate::fmt_http_date(days_ago);
            Some(answering.lock().answer(asked).with_header("Date", &date))
        })
        .await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    program.ends(0, &["sync"]).await;
    let mut running = daemon(&program).start(&["daemon"]);
    let _guard = Guard(running.pid());
    running.logs("this machine's clock is 3 d ").await;
    signal(running.pid(), "TERM");
    running.end().await.expect(0);
    assert_eq!(place.number("SELECT count(*) FROM erasures"), 0);
    assert_same(&account.state(), &State::of_mirror(&place), "the mirror");
}
