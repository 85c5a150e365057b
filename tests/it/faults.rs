//! Servers that fail: once, for good, for one customer, or one time in five (api-contract points 6 and 7).

use crate::support::{Account, Asked, Place, Reply, State, World, assert_everything_equals, sandbox};
use malomo_mirror::sandbox::Settings;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};
use tokio::task::JoinSet;

/// Faults that an attempt may meet and the next one must make good.
fn faults() -> Vec<(&'static str, Reply)> {
    let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2));
    let whole = Reply::json(200, "[{\"id\":\"cut-off\"},{\"id\":\"never-whole\"}]").wire().unwrap();
    let html = Reply::Answer {
        status: 200,
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: b"<!doctype html><h1>One moment</h1>".to_vec(),
    };
    let error = |status| Reply::error(status, "some_code", "try again");
    vec![
        ("408", error(408)),
        ("429", error(429)),
        ("429, wait a second", error(429).with_header("Retry-After", "1")),
        ("429, wait until", error(429).with_header("Retry-After", &soon)),
        ("429, wait for how long?", error(429).with_header("Retry-After", "a while")),
        ("500", error(500)),
        ("502, no JSON", Reply::Answer { status: 502, headers: vec![], body: b"<html>".to_vec() }),
        ("503, wait a second", error(503).with_header("Retry-After", "1")),
        ("504", error(504)),
        ("reset", Reply::Reset),
        ("no answer", Reply::Silence),
        ("no further byte", Reply::Stall(whole[..whole.len() - 15].to_vec())),
        ("closed without a byte", Reply::Bytes(Vec::new())),
        ("cut off in the head", Reply::Bytes(whole[..20].to_vec())),
        ("cut off in the body", Reply::Bytes(whole[..whole.len() - 15].to_vec())),
        ("a page of HTML", html),
        ("half a JSON text", Reply::json(200, "[{\"id\":\"half\"")),
        ("a comma too many", Reply::json(200, "[{\"id\":\"comma\"},]")),
        ("another JSON", Reply::json(200, "{\"status\":\"ok\"}")),
        ("no body, or a lost one", Reply::Bytes(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())),
    ]
}

/// Which request meets the fault.
type Position = fn(&Asked) -> bool;
const WHERE: [(&str, Position); 3] = [
    ("the first page", |asked| asked.is_customer_list() && asked.query.is_empty()),
    ("a later page", |asked| asked.is_customer_list() && asked.parameter("next") == Some("at-2")),
    ("events", |asked| asked.path == "/customers/c-03/events"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_is_met_once_and_made_good() {
    let mut running = JoinSet::new();
    for (fault, reply) in faults() {
        for (position, fits) in WHERE {
            if running.len() == 4 {
                running.join_next().await.unwrap().unwrap();
            }
            let reply = reply.clone();
            running.spawn(async move { once(&format!("{fault} at {position}"), reply, fits).await });
        }
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

async fn once(case: &str, reply: Reply, fits: Position) {
    let met = AtomicBool::new(false);
    let world = World::but(Account::of(5, 3, 2), move |asked| {
        (fits(asked) && !met.swap(true, Ordering::SeqCst)).then(|| reply.clone())
    })
    .await
    .set("api.timeout=1s");
    let ran = world.program.run(&["sync", "--full", "--json"]).await;
    assert_eq!(ran.code(), Some(0), "{case}: {}", ran.stderr);
    assert!(ran.json()["counts"]["retries"].as_u64() >= Some(1), "{case}: {}", ran.stdout);
    assert_everything_equals(&world.account.state(), &world.place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_asks_to_wait_is_waited() {
    let times = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = times.clone();
    let world = World::but(Account::of(5, 1, 2), move |asked| {
        let mut times = seen.lock().unwrap();
        let is_late = asked.is_customer_list() && asked.parameter("next") == Some("at-2");
        is_late.then(|| times.push(std::time::Instant::now()))?;
        (times.len() == 1).then(|| Reply::error(429, "slow", "down").with_header("Retry-After", "1"))
    })
    .await;
    world.program.ends(0, &["sync", "--full"]).await;
    let times = times.lock().unwrap();
    assert!(times[1] - times[0] >= Duration::from_secs(1), "{:?}", times[1] - times[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_refusals_are_not_repeated() {
    for status in [400, 403, 404, 422] {
        let refusal = Reply::error(status, "no", "and that is final");
        let world = World::but(Account::of(5, 1, 2), move |_| Some(refusal.clone())).await;
        let code = if status == 403 { 3 } else { 1 };
        world.program.ends(code, &["sync"]).await.tells(&["req-no", "code no"]);
        assert_eq!(world.server.asked().len(), 1, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_down_fails_the_run_within_its_budget() {
    let World { server, place, program, .. } =
        World::but(Account::of(5, 1, 2), |_| Some(Reply::error(503, "down", "down")))
            .await
            .set("api.max_attempts=4");
    program.ends(1, &["sync"]).await.tells(&["HTTP 503", "4 attempts", "req-down"]);
    assert_eq!(server.asked().len(), 4);
    assert_eq!(place.text("SELECT outcome FROM sync_runs"), "failed");
    // Nobody listens there at all.
    let url = server.base_url();
    drop(server);
    place.program(&url).set("api.max_attempts=2").ends(1, &["sync"]).await.tells(&["could not be reached"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fifth_of_all_answers_faulty_and_still_everything_arrives() {
    let settings = Settings {
        customers: 60,
        events_per_customer: 3.0,
        page_size: 7,
        fault_rate: 0.2,
        awkward: true,
        ..Settings::default()
    };
    let sandbox = sandbox(settings).await;
    let place = Place::new();
    // Waits of seconds that the server asks for are not believed here: they would only take time.
    let program =
        place.program(&sandbox.base_url()).set("api.retry_after_max=1ms").set("api.max_attempts=20");
    program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&State::of_world(&sandbox.world()), &place);
    assert!(sandbox.requests().faults > 10);
    assert!(place.number("SELECT retries FROM sync_runs") > 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_few_requests_at_once_is_asked_less() {
    let settings = Settings {
        customers: 80,
        events_per_customer: 3.0,
        concurrency_limit: Some(2),
        latency: Duration::from_millis(2),
        ..Settings::default()
    };
    let sandbox = sandbox(settings).await;
    let place = Place::new();
    let program = place.program(&sandbox.base_url()).set("api.concurrency=16").set("api.max_attempts=30");
    program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&State::of_world(&sandbox.world()), &place);
    assert!(sandbox.requests().refused > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_whose_events_fail_is_named_and_healed_by_the_next_run() {
    let broken = Arc::new(AtomicBool::new(true));
    let switch = broken.clone();
    let World { account, server, place, program } = World::but(Account::of(8, 2, 3), move |asked| {
        let fails = switch.load(Ordering::SeqCst) && asked.path == "/customers/c-05/events";
        fails.then(|| Reply::error(500, "oops", "something went wrong"))
    })
    .await
    .set("api.max_attempts=3");
    let mut expected = account.state();
    expected.events.retain(|_, event| event["customer_id"].text() != "c-05");
    for arguments in [&["sync", "--full"][..], &["sync"], &["sync"]] {
        let ran = program.ends(5, arguments).await;
        assert!(ran.stdout.contains("c-05") && ran.stdout.contains("req-oops"), "{}", ran.stdout);
        assert_everything_equals(&expected, &place);
        assert_eq!(place.text("SELECT customer_id FROM event_failures"), "c-05");
        assert_eq!(place.text("SELECT outcome FROM sync_runs ORDER BY id DESC LIMIT 1"), "incomplete");
    }
    // Incremental runs asked for nobody else's events.
    let asked = |id: &str| {
        server.count(|asked| asked.path == format!("/customers/{id}/events") && asked.query.is_empty())
    };
    assert_eq!((asked("c-04"), asked("c-05")), (1, 9));
    let status = program.ends(0, &["status"]).await;
    assert!(status.stdout.contains("events missing of 1 customer") && status.stdout.contains("c-05"));
    broken.store(false, Ordering::SeqCst);
    program.ends(0, &["sync"]).await;
    assert_everything_equals(&account.state(), &place);
    assert_eq!(place.number("SELECT count(*) FROM event_failures"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_failed_half_way_goes_on_where_it_stopped() {
    let failing = Arc::new(AtomicBool::new(true));
    let switch = failing.clone();
    let World { account, server, place, program } = World::but(Account::of(10, 1, 2), move |asked| {
        let fails = switch.load(Ordering::SeqCst) && asked.parameter("next") == Some("at-6");
        fails.then(|| Reply::error(500, "oops", "something went wrong"))
    })
    .await
    .set("api.max_attempts=2");
    program.ends(1, &["sync", "--full"]).await;
    assert_eq!(place.number("SELECT count(*) FROM customers"), 6);
    failing.store(false, Ordering::SeqCst);
    let before = server.asked().len();
    let report = program.ends(0, &["sync", "--full", "--json"]).await.json();
    assert_eq!(report["resumed"], true);
    let after = &server.asked()[before..];
    let list: Vec<Option<&str>> =
        after.iter().filter(|asked| asked.is_customer_list()).map(|asked| asked.parameter("next")).collect();
    // The first page shows whose list it is, before and after: this server doesn't name its account.
    assert_eq!(list, [None, Some("at-6"), Some("at-8"), None]);
    assert_everything_equals(&account.state(), &place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_token_that_is_refused_later_starts_the_walk_again() {
    let account = Account::of(10, 1, 2).shared();
    let phase = Arc::new(AtomicUsize::new(0));
    let switch = phase.clone();
    let server = account
        .serve_but(move |asked| match (switch.load(Ordering::SeqCst), asked.parameter("next")) {
            (0, Some("at-6")) => Some(Reply::error(500, "oops", "something went wrong")),
            (1, Some("at-6")) => {
                switch.store(2, Ordering::SeqCst);
                Some(Reply::error(400, "invalid_cursor", "this cursor has expired"))
            }
            _ => None,
        })
        .await;
    let place = Place::new();
    let program = place.program(&server.base_url()).set("api.max_attempts=2");
    program.ends(1, &["sync", "--full"]).await;
    phase.store(1, Ordering::SeqCst);
    program.ends(0, &["sync", "--full"]).await;
    assert_eq!(phase.load(Ordering::SeqCst), 2);
    assert_everything_equals(&account.state(), &place);
    assert_eq!(place.number("SELECT count(*) FROM changes WHERE op = 'delete'"), 0);
}
