//! Events can't be asked for alone, so it takes time to show that one is gone: complete walks of its list in two runs, at
//! least `sync.deletion_wait` apart. A list that lost its way on, or came back empty once, deletes nothing.

use crate::support::{Account, Asked, Place, Program, Reply, Server, Shared, assert_everything_equals};
use std::sync::{Arc, Mutex};

/// What a faulty server does about lists of events.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Pages name no next one.
    NoLink,
    /// Lists are empty.
    Empty,
}

/// Three customers with twelve events each, on pages of five, mirrored.
struct Stage {
    account: Shared,
    server: Server,
    place: Place,
    fault: Arc<Mutex<Fault>>,
}

impl Stage {
    async fn new() -> Stage {
        let account = Account::of(3, 12, 5).shared();
        let fault = Arc::new(Mutex::new(Fault::None));
        let (switch, answering) = (fault.clone(), account.clone());
        let server = account
            .serve_but(move |asked: &Asked| {
                let is_events = asked.path.ends_with("/events");
                match *switch.lock().unwrap() {
                    Fault::NoLink if is_events => Some(without_link(answering.lock().answer(asked))),
                    Fault::Empty if is_events => Some(Reply::json(200, "[]")),
                    _ => None,
                }
            })
            .await;
        let stage = Stage { account, server, place: Place::new(), fault };
        stage.program().ends(0, &["sync", "--full"]).await;
        assert_everything_equals(&stage.account.state(), &stage.place);
        stage
    }

    /// With the default wait; everybody's events are looked at in every run.
    fn program(&self) -> Program {
        self.place
            .program(&self.server.base_url())
            .set("sync.deletion_wait=1h")
            .set("sync.events_max_age=0s")
            .set("sync.deletion_limit=1")
    }

    fn fails(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    fn number(&self, sql: &str) -> i64 {
        self.place.number(sql)
    }

    fn missing(&self) -> i64 {
        self.number("SELECT count(*) FROM events WHERE missing_since IS NOT NULL")
    }

    /// As if so many hours had passed since.
    fn hours_pass(&self, hours: u32) {
        let connection = rusqlite::Connection::open(self.place.mirror()).unwrap();
        let back =
            |column: &str| format!("{column} = strftime('%Y-%m-%dT%H:%M:%fZ', {column}, '-{hours} hours')");
        let sql = format!(
            "UPDATE events SET {}; UPDATE event_lists SET {}",
            back("missing_since"),
            back("short_since")
        );
        connection.execute_batch(&sql).unwrap();
    }
}

fn without_link(reply: Reply) -> Reply {
    match reply {
        Reply::Answer { status, mut headers, body } => {
            headers.retain(|(name, _)| name != "Link");
            Reply::Answer { status, headers, body }
        }
        other => other,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_deleted_when_two_runs_lack_it_and_the_wait_has_passed() {
    let stage = Stage::new().await;
    // Off the last page, and off an earlier one: the list ends within a page.
    stage.account.lock().events.get_mut("c-02").unwrap().remove(7);
    for run in 0..3 {
        let report = stage.program().ends(0, &["sync", "--json"]).await.json();
        assert_eq!(report["counts"]["events_missing"], 1, "{run}: {report}");
        assert!(report["remarks"][0].as_str().unwrap().contains("missing_since"), "{report}");
        assert_eq!(stage.number("SELECT count(*) FROM events"), 36);
        assert_eq!(stage.number("SELECT count(*) FROM changes WHERE op = 'delete'"), 0);
        assert_eq!(stage.place.text("SELECT id FROM events WHERE missing_since IS NOT NULL"), "c-02-e-8");
    }
    let status = stage.program().ends(0, &["status", "--json"]).await.json();
    assert_eq!(status["missing_events"], 1);
    stage.program().ends(0, &["status"]).await.shows(&["1 event missing from complete walks"]);
    let since = stage.place.text("SELECT missing_since FROM events WHERE missing_since IS NOT NULL");
    stage.hours_pass(1);
    stage.program().ends(0, &["sync"]).await;
    assert_everything_equals(&stage.account.state(), &stage.place);
    assert_eq!(stage.missing(), 0);
    let evidence = stage.place.text("SELECT evidence FROM changes WHERE op = 'delete'");
    assert!(evidence.contains("two complete walks") && evidence.contains("in run 5"), "{evidence}");
    assert!(!evidence.contains(&since), "it was moved back in time: {evidence}");
}

/// One that is looked at less often than in every run is looked at again while an event of it is missing.
/// The clock went wrong and was put right: what it marked then is not missing for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_from_the_future_begins_anew() {
    let stage = Stage::new().await;
    stage.account.lock().events.get_mut("c-01").unwrap().truncate(11);
    stage.program().ends(0, &["sync"]).await;
    assert_eq!(stage.missing(), 1);
    let connection = rusqlite::Connection::open(stage.place.mirror()).unwrap();
    let future =
        "UPDATE events SET missing_since = '2999-01-01T00:00:00.000Z' WHERE missing_since IS NOT NULL";
    connection.execute(future, []).unwrap();
    drop(connection);
    stage.program().ends(0, &["sync"]).await;
    assert_eq!(stage.missing(), 1);
    stage.hours_pass(2);
    stage.program().ends(0, &["sync"]).await;
    assert_everything_equals(&stage.account.state(), &stage.place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_with_a_missing_event_is_due_until_that_is_settled() {
    let stage = Stage::new().await;
    stage.account.lock().events.get_mut("c-02").unwrap().pop();
    stage.program().ends(0, &["sync"]).await;
    let before = stage.server.asked().len();
    let daily = stage.program().set("sync.events_max_age=24h");
    daily.ends(0, &["sync"]).await;
    let lists: Vec<String> = stage.server.asked()[before..]
        .iter()
        .filter(|asked| asked.path.ends_with("/events"))
        .map(Asked::call)
        .collect();
    assert!(!lists.is_empty() && lists.iter().all(|call| call == "GET /customers/c-02/events"), "{lists:?}");
    stage.hours_pass(1);
    daily.ends(0, &["sync"]).await;
    assert_everything_equals(&stage.account.state(), &stage.place);
    let before = stage.server.asked().len();
    daily.ends(0, &["sync"]).await;
    assert!(!stage.server.asked()[before..].iter().any(|asked| asked.path.ends_with("/events")));
}

/// However often it happens, within a day.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_lost_its_way_on_proves_nothing() {
    let stage = Stage::new().await;
    let changes = stage.number("SELECT count(*) FROM changes");
    stage.fails(Fault::NoLink);
    for hours in [0, 2, 10, 10] {
        stage.hours_pass(hours);
        let ran = stage.program().ends(5, &["sync"]).await;
        ran.shows(&["3 customers ended at the end of a page", "customer c-0"]);
        assert_eq!(stage.number("SELECT count(*) FROM changes"), changes);
        assert_eq!(stage.missing(), 0);
    }
    stage.fails(Fault::None);
    stage.program().ends(0, &["sync"]).await;
    assert_eq!(stage.number("SELECT count(*) FROM changes"), changes);
    assert_eq!(stage.number("SELECT count(*) FROM event_lists WHERE short_since IS NOT NULL"), 0);
}

/// A list that really was cut down to a full page is believed after a day.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_stays_short_is_believed_in_the_end() {
    let stage = Stage::new().await;
    stage.account.lock().events.get_mut("c-01").unwrap().truncate(5);
    stage.program().ends(5, &["sync"]).await;
    stage.hours_pass(24);
    stage.program().ends(0, &["sync"]).await;
    assert_eq!(stage.missing(), 7);
    stage.hours_pass(1);
    stage.program().ends(0, &["sync"]).await;
    assert_everything_equals(&stage.account.state(), &stage.place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_that_come_back_empty_once_delete_nothing() {
    for mut events in [12, 3] {
        let stage = Stage::new().await;
        if events < 12 {
            // Lists of one page: nothing about them is remembered.
            for list in stage.account.lock().events.values_mut() {
                list.truncate(events);
            }
            stage.program().set("sync.deletion_wait=0s").ends(0, &["sync"]).await;
            events = 3;
        }
        let changes = stage.number("SELECT count(*) FROM changes");
        stage.fails(Fault::Empty);
        stage.program().ends(if events < 12 { 0 } else { 5 }, &["sync", "--full"]).await;
        assert_eq!(stage.missing(), if events < 12 { 9 } else { 0 });
        stage.hours_pass(2);
        stage.fails(Fault::None);
        stage.program().ends(0, &["sync"]).await;
        assert_eq!((stage.missing(), stage.number("SELECT count(*) FROM changes")), (0, changes));
        assert_everything_equals(&stage.account.state(), &stage.place);
    }
}

/// The audit doesn't take for drift what the run has noted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_known_to_be_missing_is_no_drift() {
    let stage = Stage::new().await;
    stage.account.lock().events.get_mut("c-02").unwrap().pop();
    for _ in 0..2 {
        let report = stage.program().ends(0, &["sync", "--full", "--audit", "3", "--json"]).await.json();
        assert_eq!(report["audit"]["drifted"], 0, "{report}");
        assert_eq!(report["counts"]["events_missing"], 1, "{report}");
    }
}

/// With the customer, its events go at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_customers_events_wait_for_nothing() {
    let stage = Stage::new().await;
    stage.account.lock().remove("c-02");
    stage.program().ends(0, &["sync"]).await;
    assert_everything_equals(&stage.account.state(), &stage.place);
    assert_eq!(stage.number("SELECT count(*) FROM event_lists WHERE customer_id = 'c-02'"), 0);
}

/// Each event and customer is counted once, also where a list is read twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_twice_is_counted_once() {
    let stage = Stage::new().await;
    stage.account.lock().events.get_mut("c-02").unwrap().pop();
    let program = stage.program().set("sync.deletion_wait=0s");
    let report = program.ends(0, &["sync", "--full", "--audit", "3", "--json"]).await.json();
    assert_eq!(
        (&report["counts"]["events_seen"], &report["counts"]["customers_seen"]),
        (&35.into(), &3.into())
    );
    assert_eq!(report["counts"]["event_walks"], 3);
    assert_everything_equals(&stage.account.state(), &stage.place);
}

/// A customer that is deleted between two readings of its events is gone, and no failure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_that_vanishes_before_the_second_look_is_gone() {
    let stage = Stage::new().await;
    stage.account.lock().events.get_mut("c-02").unwrap().pop();
    let account = stage.account.clone();
    let server = stage
        .account
        .serve_but(move |asked| {
            if asked.path != "/customers/c-02/events" || asked.parameter("next") != Some("at-10") {
                return None;
            }
            let mut account = account.lock();
            let reply = account.answer(asked);
            account.remove("c-02");
            Some(reply)
        })
        .await;
    let program = stage.place.program(&server.base_url()).set("sync.events_max_age=0s");
    let report = program.ends(0, &["sync", "--json"]).await.json();
    assert!(report["remarks"].to_string().contains("customer c-02 vanished"), "{report}");
    assert_eq!(report["counts"]["event_walks_failed"], 0);
    program.ends(0, &["sync"]).await;
    assert_everything_equals(&stage.account.state(), &stage.place);
}
