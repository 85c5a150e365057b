//! Audits: the mirror is tampered with, or the server misleads the run, and customers that are read again one by one
//! show it.

use crate::support::{
    Account, Asked, Place, Program, Reply, Server, Shared, State, World, assert_counts_are_true,
    assert_everything_equals, customer, event,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;
use tokio::sync::Notify;

/// Twelve customers with three events each, mirrored; the server then follows `twist`.
struct Stage {
    account: Shared,
    server: Server,
    place: Place,
}

impl Stage {
    async fn with(twist: impl Fn(&Shared, &Asked) -> Option<Reply> + Send + Sync + 'static) -> Stage {
        let account = Account::of(12, 3, 5).shared();
        let twisted = Arc::new(AtomicBool::new(false));
        let (switch, world) = (twisted.clone(), account.clone());
        let server = account
            .serve_but(move |asked| switch.load(Ordering::SeqCst).then(|| twist(&world, asked)).flatten())
            .await;
        let place = Place::new();
        place.program(&server.base_url()).ends(0, &["sync", "--full"]).await;
        twisted.store(true, Ordering::SeqCst);
        Stage { account, server, place }
    }

    async fn honest() -> Stage {
        Stage::with(|_, _| None).await
    }

    /// One request at a time: customers are read again in the order of their ids.
    fn program(&self) -> Program {
        self.place.program(&self.server.base_url()).set("api.concurrency=1").set("api.max_attempts=2")
    }

    /// Edits the mirror behind the program's back.
    fn tamper(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.place.mirror()).unwrap();
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    /// The result of an incremental sync with an audit of everybody.
    async fn audits(&self, code: i32) -> Value {
        self.program().ends(code, &["sync", "--audit", "100", "--json"]).await.json()["audit"].clone()
    }

    /// The findings that stand in the mirror for the newest audit, as `stream id kind standing`.
    fn findings(&self) -> Vec<String> {
        let rows = self.place.query(
            "SELECT stream || ' ' || id || ' ' || kind || ' ' || standing AS found FROM audit_findings \
             WHERE run_id = (SELECT max(run_id) FROM audits) ORDER BY 1",
        );
        rows.iter().map(|row| row["found"].text().to_owned()).collect()
    }

    /// The customers that were asked for alone.
    fn asked_alone(&self) -> Vec<String> {
        let alone = |asked: &Asked| asked.path.strip_prefix("/customers/").map(str::to_owned);
        self.server.asked().iter().filter_map(alone).filter(|path| !path.contains('/')).collect()
    }
}

#[track_caller]
fn assert_holds(audit: &Value, expected: Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&audit[name], value, "{name} in {audit:#}");
    }
}

const TAMPERED: &str = "
    UPDATE events SET properties = '{\"order\":\"c-02-e-1\",\"total\":1.50}' WHERE id = 'c-02-e-1';
    UPDATE events SET extra = '{\"weight\":2}' WHERE id = 'c-02-e-2';
    DELETE FROM events WHERE id = 'c-03-e-2';
    INSERT INTO events (id, customer_id, change_seq) VALUES ('stray', 'c-04', 1);";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_of_events_is_found_by_kind_put_right_and_not_found_again() {
    let stage = Stage::honest().await;
    // An incremental run alone doesn't look at these events.
    stage.tamper(TAMPERED);
    assert_eq!(stage.program().ends(0, &["sync", "--json"]).await.json()["audit"], Value::Null);
    assert_ne!(State::of_mirror(&stage.place).events, stage.account.state().events);
    assert_eq!(stage.place.number("SELECT count(*) FROM audits"), 0);

    let ran = stage.program().ends(5, &["sync", "--audit", "100"]).await;
    for told in [
        "12 of 12 customers read again one by one, with 36 events: 3 drifted (events: 1 missing, events: 2 differing, \
         events: 1 surplus)",
        "that is every customer that the mirror has",
        "events c-03-e-2 of customer c-03: missing",
        "more than sync.drift_limit = 0 allows",
    ] {
        assert!(ran.stdout.contains(told), "{told:?} is not in\n{}", ran.stdout);
    }
    assert_eq!(
        stage.findings(),
        [
            "events c-02-e-1 differing drift",
            "events c-02-e-2 differing drift",
            "events c-03-e-2 missing drift",
            "events stray surplus drift",
        ]
    );
    assert_everything_equals(&stage.account.state(), &stage.place);
    assert_counts_are_true(&stage.place);
    let evidence = stage.place.text("SELECT evidence FROM changes WHERE op = 'delete' AND id = 'stray'");
    assert!(evidence.contains("two complete walks"), "{evidence}");
    let audit = stage.place.query("SELECT * FROM audits").pop().unwrap();
    let counted =
        ["population", "sampled", "audited", "drifted", "lagging", "events_compared", "upper_bound"];
    assert_eq!(counted.map(|name| audit[name].integer()), [12, 12, 12, 3, 0, 36, 3]);

    // Put right: the next audit finds nothing, and writes nothing but itself.
    let changes = stage.place.number("SELECT count(*) FROM changes");
    let audit = stage.audits(0).await;
    assert_holds(
        &audit,
        json!({"audited": 12, "drifted": 0, "upper_bound": 0, "findings": [], "unread": []}),
    );
    assert_eq!(stage.place.number("SELECT count(*) FROM changes"), changes);
    let status = stage.program().ends(0, &["status"]).await;
    assert!(status.stdout.contains("last audit\n  at the end of run 4,"), "{}", status.stdout);
    let status = stage.program().ends(0, &["status", "--json"]).await.json();
    assert_holds(&status["last_audit"], json!({"run_id": 4, "audited": 12, "drifted": 0}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_run_puts_everything_right_before_its_audit() {
    let stage = Stage::honest().await;
    stage.tamper(TAMPERED);
    stage.tamper(
        "UPDATE customers SET first_name = 'X', updated_at = '2030-01-01T00:00:00Z' WHERE id = 'c-05'",
    );
    stage.tamper("UPDATE customers SET extra = '{\"balance\":12.30}' WHERE id = 'c-06'");
    stage.tamper("DELETE FROM customers WHERE id = 'c-07'");
    stage.tamper("INSERT INTO customers (id, change_seq) VALUES ('c-99', 1)");
    let report = stage.program().ends(0, &["sync", "--full", "--audit", "50", "--json"]).await.json();
    assert_holds(&report["audit"], json!({"population": 12, "audited": 12, "drifted": 0, "lagging": 0}));
    assert_everything_equals(&stage.account.state(), &stage.place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_that_the_list_shows_in_an_old_version_has_drifted() {
    // The list is a cache: for c-04 it goes on with the version of May.
    let mut listed = Account::of(12, 3, 5);
    listed.put("c-04", customer("c-04", "First", "2024-05-01T12:00:00Z"));
    let stage = Stage::with(move |_, asked| asked.is_customer_list().then(|| listed.answer(asked))).await;
    stage.account.lock().put("c-04", customer("c-04", "Second", "2024-06-01T12:00:00Z"));
    let audit = stage.audits(5).await;
    assert_holds(&audit, json!({"drifted": 1, "customers_differing": 1, "events_missing": 0}));
    assert_eq!(stage.findings(), ["customers c-04 differing drift"]);
    assert_everything_equals(&stage.account.state(), &stage.place);
    assert_holds(&stage.audits(0).await, json!({"drifted": 0}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_version_is_told_but_not_taken_over_a_newer_one() {
    let stage = Stage::honest().await;
    stage.tamper(
        "UPDATE customers SET first_name = 'X', updated_at = '2025-01-01T00:00:00Z' WHERE id = 'c-05'",
    );
    for _ in 0..2 {
        let audit = stage.audits(5).await;
        assert_holds(&audit, json!({"drifted": 1, "customers_differing": 1}));
        assert_eq!(State::of_mirror(&stage.place).customers["c-05"]["first_name"].text(), "X");
    }
    // What a full sync is for.
    stage.program().ends(0, &["sync", "--full", "--audit", "12"]).await;
    assert_everything_equals(&stage.account.state(), &stage.place);
}

/// Changes the account, `ahead` of this machine's clock, in every way in which it may change.
fn change_everything(account: &Shared, ahead: SignedDuration) {
    let now = (Timestamp::now() + ahead).to_string();
    let fresh = |id: &str| event(id, &now).replace("\"2024-05-01T12:00:00Z\"", &format!("\"{now}\""));
    let mut account = account.lock();
    account.put("c-03", customer("c-03", "Changed", &now));
    let events = &mut account.events;
    events.get_mut("c-04").unwrap().push(fresh("c-04-e-new"));
    events.get_mut("c-05").unwrap()[1] = event("c-05-e-2", &now);
    events.get_mut("c-06").unwrap().remove(0);
    account.remove("c-07");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_while_the_run_goes_on_is_no_drift() {
    let began = AtomicBool::new(false);
    let stage = Stage::with(move |account, asked| {
        // The audit begins.
        if asked.path == "/customers/c-01" && !began.swap(true, Ordering::SeqCst) {
            change_everything(account, SignedDuration::ZERO);
        }
        None
    })
    .await;
    let report = stage.program().ends(0, &["sync", "--full", "--audit", "12", "--json"]).await.json();
    assert_holds(&report["audit"], json!({"audited": 12, "drifted": 0, "lagging": 5, "upper_bound": 0}));
    assert_eq!(
        stage.findings(),
        [
            "customers c-03 differing changed_since",
            "customers c-07 surplus changed_since",
            "events c-04-e-new missing changed_since",
            "events c-05-e-2 differing changed_since",
            "events c-06-e-1 surplus changed_since",
        ]
    );
    // It is taken all the same, but for the customer that is gone: that takes a walk that lacks it.
    let found = State::of_mirror(&stage.place);
    assert_eq!(found.events["c-04-e-new"]["customer_id"].text(), "c-04");
    assert_eq!(found.customers["c-03"]["first_name"].text(), "Changed");
    assert!(!found.events.contains_key("c-06-e-1") && found.customers.contains_key("c-07"));
    assert_counts_are_true(&stage.place);
    stage.program().ends(0, &["sync"]).await;
    assert_everything_equals(&stage.account.state(), &stage.place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_servers_clock_tells_what_changed_since() {
    let ahead = SignedDuration::from_hours(1);
    let dated = move |account: &Shared, asked: &Asked| {
        let date = httpdate::fmt_http_date(SystemTime::now() + ahead.unsigned_abs());
        Some(account.lock().answer(asked).with_header("Date", &date))
    };
    let stage = Stage::with(move |account, asked| {
        if asked.path == "/customers/c-01" {
            change_everything(account, ahead);
        }
        dated(account, asked)
    })
    .await;
    let report = stage.program().ends(0, &["sync", "--full", "--audit", "12", "--json"]).await.json();
    assert_holds(&report["audit"], json!({"drifted": 0, "lagging": 5}));
    // Changed half an hour before the run by the server's clock; by ours, half an hour after it.
    let stage = Stage::with(dated).await;
    let late = (Timestamp::now() + ahead / 2).to_string();
    stage.account.lock().events.get_mut("c-05").unwrap()[1] = event("c-05-e-2", &late);
    let audit = stage.audits(5).await;
    assert_holds(&audit, json!({"drifted": 1, "events_differing": 1, "lagging": 0}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_difference_that_a_second_look_does_not_find_is_none() {
    let first = Arc::new(AtomicBool::new(true));
    let stage = Stage::with(move |account, asked| {
        let stale = asked.path == "/customers/c-02/events" && first.swap(false, Ordering::SeqCst);
        stale.then(|| {
            let mut account = account.lock().clone();
            account.events.get_mut("c-02").unwrap().remove(0);
            account.answer(asked)
        })
    })
    .await;
    let asked = stage.server.asked().len();
    assert_holds(&stage.audits(0).await, json!({"audited": 12, "drifted": 0, "lagging": 0}));
    let looks =
        stage.server.asked()[asked..].iter().filter(|asked| asked.path == "/customers/c-02/events").count();
    assert_eq!(looks, 2);
    assert_everything_equals(&stage.account.state(), &stage.place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn customers_that_can_not_be_read_are_named_and_may_differ() {
    let stage = Stage::with(|_, asked| match asked.path.as_str() {
        "/customers/c-05" | "/customers/c-06/events" => {
            Some(Reply::error(500, "oops", "something went wrong"))
        }
        "/customers/c-08" => Some(Reply::json(200, r#"{"id":"c-08","email":7}"#)),
        _ => None,
    })
    .await;
    stage.tamper("DELETE FROM events WHERE id = 'c-03-e-2'");
    let ran = stage.program().ends(5, &["sync", "--audit", "100", "--json"]).await;
    let report = ran.json();
    // Three of twelve are unknown, and one has drifted.
    assert_holds(&report["audit"], json!({"sampled": 12, "audited": 9, "drifted": 1, "upper_bound": 4}));
    let unread: BTreeSet<&str> = report["audit"]["unread"]
        .as_array()
        .unwrap()
        .iter()
        .map(|unread| unread["customer_id"].as_str().unwrap())
        .collect();
    assert_eq!(unread, BTreeSet::from(["c-05", "c-06", "c-08"]));
    assert_eq!(report["outcome"], "incomplete");
    let remarks = report["remarks"].to_string();
    assert!(remarks.contains("3 of the 12 customers drawn for the audit could not be compared"), "{remarks}");
    ran.tells(&["c-05", "c-06", "c-08"]);
    assert_everything_equals(&stage.account.state(), &stage.place);
}

/// The run has told of them already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_rejects_are_named_and_let_the_run_be() {
    let stage = Stage::honest().await;
    stage.account.lock().put("c-08", r#"{"id":"c-08","email":7}"#.to_owned());
    stage.account.lock().events.get_mut("c-03").unwrap()[1] = r#"{"id":"c-03-e-2","label":7}"#.to_owned();
    stage.program().ends(5, &["sync", "--full"]).await;
    let ran = stage.program().ends(0, &["sync", "--audit", "100", "--json"]).await;
    let report = ran.json();
    assert_holds(&report["audit"], json!({"sampled": 12, "audited": 10, "drifted": 0}));
    let remarks = report["remarks"].to_string();
    assert!(remarks.contains("2 of the 12 customers drawn for the audit could not be compared"), "{remarks}");
    ran.tells(&["c-03", "c-08"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_the_lists_never_show_is_no_known_reject() {
    let broken = r#"{"id":"c-08","email":7}"#;
    let stage =
        Stage::with(|_, asked| (asked.path == "/customers/c-08").then(|| Reply::json(200, broken))).await;
    for _ in 0..2 {
        let ran = stage.program().ends(5, &["sync", "--audit", "100"]).await;
        ran.tells(&["customer c-08: its record can't be taken: `email` is not a string"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_down_does_not_take_the_audit_for_ever() {
    let World { account, server, place, program } = World::but(Account::of(60, 0, 20), |asked| {
        asked
            .path
            .starts_with("/customers/c-")
            .then_some(())
            .filter(|()| !asked.path.ends_with("/events"))
            .map(|()| Reply::error(503, "service_unavailable", "not now"))
    })
    .await
    .set("api.max_attempts=1")
    .set("api.concurrency=2");
    let report = program.ends(5, &["sync", "--audit", "60", "--json"]).await.json();
    assert_holds(&report["audit"], json!({"sampled": 60, "audited": 0, "upper_bound": 60}));
    let asked =
        server.count(|asked| asked.path.starts_with("/customers/c-") && !asked.path.ends_with("/events"));
    assert!((20..25).contains(&asked), "{asked}");
    assert_everything_equals(&account.state(), &place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_within_the_limit_is_told_and_lets_the_run_be() {
    let stage = Stage::honest().await;
    for (limit, code) in [("0.08", 5), ("0.09", 0), ("1", 0)] {
        stage.tamper("DELETE FROM events WHERE id = 'c-03-e-2'");
        let program = stage.program().set(&format!("sync.drift_limit={limit}"));
        let report = program.ends(code, &["sync", "--audit", "12", "--json"]).await.json();
        assert_holds(&report["audit"], json!({"drifted": 1, "audited": 12}));
        assert!(report["remarks"].to_string().contains("1 of 12 audited customers had drifted"), "{report}");
        assert_everything_equals(&stage.account.state(), &stage.place);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_is_as_large_as_asked_for_and_its_bound_honest() {
    let stage = Stage::honest().await;
    let report = stage.program().ends(0, &["sync", "--audit", "5", "--json"]).await.json();
    // With 5 of 12 found right, 4 may still differ: they would have stayed out with a chance of 7 %; 5, with 2.7 %.
    let expected = json!({"population": 12, "sampled": 5, "audited": 5, "drifted": 0, "upper_bound": 4});
    assert_holds(&report["audit"], expected);
    let asked = stage.asked_alone();
    assert_eq!((asked.len(), asked.iter().collect::<BTreeSet<_>>().len()), (5, 5), "{asked:?}");
    let ran = stage.program().ends(0, &["sync", "--audit", "5"]).await;
    let told = "with 95 % confidence at most 4 of the mirror's 12 customers differed (33.33 %)";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
    // Another run draws others; which, its seed tells.
    let seeds = stage.place.query("SELECT DISTINCT seed FROM audits");
    assert_eq!(seeds.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_alone_that_holds_more_than_the_list_is_no_drift() {
    let stage = Stage::with(|account, asked| {
        let id = asked.path.strip_prefix("/customers/").filter(|id| !id.contains('/'))?;
        let account = account.lock();
        let (_, record) = account.customers.iter().find(|(found, _)| found == id)?;
        Some(Reply::json(200, &record.replacen('{', r#"{"addresses":[],"#, 1)))
    })
    .await;
    let changes = stage.place.number("SELECT count(*) FROM changes");
    for arguments in
        [&["sync", "--audit", "12", "--json"][..], &["sync", "--full", "--audit", "12", "--json"]]
    {
        let report = stage.program().ends(0, arguments).await.json();
        assert_holds(&report["audit"], json!({"drifted": 0, "undocumented_only": 12, "upper_bound": 0}));
        assert!(report["remarks"].to_string().contains("in undocumented fields"), "{report}");
    }
    assert_eq!(stage.place.number("SELECT count(*) FROM changes"), changes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_that_the_api_does_not_have() {
    // Nothing may be deleted: the run says so, and the audit what that leaves behind.
    let stage = Stage::honest().await;
    stage.account.lock().remove("c-07");
    let program = stage.program().set("sync.deletion_limit=0");
    let report = program.ends(5, &["sync", "--audit", "12", "--json"]).await.json();
    assert_holds(&report["audit"], json!({"drifted": 1, "customers_surplus": 1}));
    assert_eq!(stage.findings(), ["customers c-07 surplus drift"]);
    assert_eq!(stage.place.number("SELECT count(*) FROM customers"), 12);
    // The list goes on showing it: once it may have been deleted just now, the next time it was not.
    let stage = Stage::with(|_, asked| {
        asked.path.starts_with("/customers/c-07").then(|| Reply::error(404, "not_found", "there is none"))
    })
    .await;
    assert_holds(&stage.audits(0).await, json!({"drifted": 0, "lagging": 1}));
    assert_eq!(stage.findings(), ["customers c-07 surplus changed_since"]);
    assert_holds(&stage.audits(5).await, json!({"drifted": 1, "customers_surplus": 1, "lagging": 0}));
    assert_eq!(stage.place.number("SELECT count(*) FROM customers"), 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_that_is_stopped_vouches_for_nobody_it_did_not_read() {
    let reached = Arc::new(Notify::new());
    let reaching = reached.clone();
    let stage = Stage::with(move |_, asked| {
        (asked.path == "/customers/c-05").then(|| {
            reaching.notify_one();
            Reply::Silence
        })
    })
    .await;
    let running = stage.program().set("api.timeout=1h").start(&["sync", "--audit", "12", "--json"]);
    reached.notified().await;
    running.signal("TERM");
    let report = running.end().await.expect(5).json();
    assert_eq!(report["outcome"], "interrupted");
    assert_holds(&report["audit"], json!({"sampled": 12, "audited": 4, "drifted": 0, "upper_bound": 8}));
    assert_everything_equals(&stage.account.state(), &stage.place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_takes_a_run_of_the_whole_mirror() {
    let stage = Stage::honest().await;
    let asked = stage.server.asked().len();
    for (arguments, why) in [
        (&["sync", "--audit", "5", "--customer", "c-01"][..], "it draws from all customers"),
        (&["sync", "--audit", "5", "--dry-run"], "a dry run leaves nothing there"),
        (&["sync", "--audit", "0"], "0 is not in 1.."),
        (&["sync", "--audit", "all"], "invalid"),
    ] {
        stage.program().ends(2, arguments).await.tells(&[why]);
    }
    assert_eq!(stage.server.asked().len(), asked);
    // An empty mirror has nobody to ask about.
    let empty = World::of(Account::of(0, 0, 5)).await;
    let report = empty.program.ends(0, &["sync", "--audit", "5", "--json"]).await.json();
    assert_holds(&report["audit"], json!({"population": 0, "sampled": 0, "upper_bound": 0}));
}
