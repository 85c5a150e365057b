//! Records that can't be taken: set aside with their text, named, and forgotten once they heal (api-contract point 8).

use crate::support::{Account, Reply, World, assert_everything_equals, customer, event};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unusable_records_are_set_aside_and_taken_when_they_heal() {
    let World { account, server: _server, place, program } = World::of(Account::of(6, 2, 3)).await;
    program.ends(0, &["sync", "--full"]).await;
    let good = account.state();
    // One customer and one event without an id; one of each with a field of another type. The mirror's versions of
    // those that are known stay, and nothing counts as missing.
    {
        let mut account = account.lock();
        account
            .put("c-02", r#"{"id":"c-02","email":["a","b"],"updated_at":"2024-06-01T00:00:00Z"}"#.to_owned());
        account.customers.insert(3, ("nobody".to_owned(), r#"{"email":"no-id@example.com"}"#.to_owned()));
        let events = account.events.get_mut("c-05").unwrap();
        events[0] = r#"{"id":"c-05-e-1","timestamp":"yesterday"}"#.to_owned();
        events.push(r#"{"type":"WithoutId","weight":1.50}"#.to_owned());
    }
    for (code, outcome, remark) in [
        (5, "incomplete", "4 records could not be taken"),
        (0, "ok", "4 records that an earlier run could not"),
    ] {
        let report = program.ends(code, &["sync", "--full", "--json"]).await.json();
        assert_eq!((&report["outcome"], &report["counts"]["rejected"]), (&outcome.into(), &4.into()));
        assert!(report["remarks"][0].as_str().unwrap().starts_with(remark), "{report}");
        assert_everything_equals(&good, &place);
        let rejected = place
            .query("SELECT stream, customer_id, record_id, reason, raw FROM rejected ORDER BY stream, raw");
        let shown: Vec<String> =
            rejected.iter().map(|row| format!("{:?}", row.values().collect::<Vec<_>>())).collect();
        assert_eq!(rejected.len(), 4, "{shown:?}");
        let raws: Vec<&str> = rejected.iter().map(|row| row["raw"].text()).collect();
        assert_eq!(raws[0], r#"{"email":"no-id@example.com"}"#);
        assert_eq!(raws[3], r#"{"type":"WithoutId","weight":1.50}"#);
        assert_eq!(rejected[1]["record_id"].text(), "c-02");
        assert!(rejected[1]["reason"].text().contains("email"), "{shown:?}");
        assert_eq!(rejected[2]["customer_id"].text(), "c-05");
    }
    let status = program.ends(0, &["status"]).await;
    let broken = "event c-05-e-1 of customer c-05: `timestamp` is not a 64-bit integer, since 20";
    for text in ["4 records set aside", "customer c-02: `email` is not a string", broken] {
        assert!(status.stdout.contains(text), "{}", status.stdout);
    }
    // Healed.
    {
        let mut account = account.lock();
        account.put("c-02", customer("c-02", "Healed", "2024-06-01T00:00:00Z"));
        account.customers[3].1 = customer("c-99", "Healed", "2024-06-01T00:00:00Z");
        account.customers[3].0 = "c-99".to_owned();
        let events = account.events.get_mut("c-05").unwrap();
        events[0] = event("c-05-e-1", "2024-06-01T00:00:00Z");
        events[2] = event("c-05-e-3", "2024-06-01T00:00:00Z");
    }
    program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&account.state(), &place);
    assert_eq!(place.number("SELECT count(*) FROM rejected"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_customer_or_event_is_not_missing() {
    let World { account, server: _server, place, program } = World::of(Account::of(6, 2, 2)).await;
    program.ends(0, &["sync", "--full"]).await;
    let good = account.state();
    // The events of c-05 hold one without an id: it may be any of those that are lacking.
    account.lock().events.get_mut("c-05").unwrap()[0] = r#"{"label":"which one am I?"}"#.to_owned();
    account.lock().put("c-02", r#"{"id":"c-02","first_name":7}"#.to_owned());
    program.ends(5, &["sync", "--full"]).await;
    assert_everything_equals(&good, &place);
    assert_eq!(place.number("SELECT count(*) FROM changes WHERE op <> 'insert'"), 0);
}

/// A record that nobody can tell from another one.
fn nameless(n: usize) -> String {
    format!("{{\"label\":\"nameless {n}\"}}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_nothing_but_unusable_customers_is_no_end() {
    let World { account, server: _server, place, program } = World::of(Account::of(6, 1, 2)).await;
    let good = account.state();
    account.lock().customers.splice(2..2, [0, 1].map(|n| (format!("nobody {n}"), nameless(n))));
    program.ends(5, &["sync", "--full"]).await;
    assert_everything_equals(&good, &place);
    assert_eq!(place.number("SELECT count(*) FROM rejected"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_nothing_but_unusable_events_is_no_end() {
    let World { account, server: _server, place, program } = World::of(Account::of(6, 5, 2)).await;
    let good = account.state();
    account.lock().events.get_mut("c-05").unwrap().splice(2..2, [0, 1].map(nameless));
    program.ends(5, &["sync", "--full"]).await;
    assert_everything_equals(&good, &place);
    assert_eq!(place.number("SELECT count(*) FROM rejected"), 2);
}

/// A record that nobody can ever take, in place of the customer's.
fn unusable(id: &str, note: &str) -> String {
    format!("{{\"id\":\"{id}\",\"email\":5,\"note\":\"{note}\",\"updated_at\":\"2024-06-01T00:00:00Z\"}}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_reject_is_told_once_and_everything_else_goes_on() {
    let World { account, server: _server, place, program } =
        World::of(Account::of(6, 1, 2)).await.set("sync.events_max_age=0s");
    program.ends(0, &["sync"]).await;
    account.lock().put("c-02", unusable("c-02", "first"));
    let ran = program.ends(5, &["sync"]).await;
    assert!(
        ran.stdout.contains("The first of them: customer c-02: `email` is not a string"),
        "{}",
        ran.stdout
    );
    // Its events are still read, and so is everybody else.
    account.lock().add_event("c-02", "c-02-e-2");
    account.lock().put("c-03", customer("c-03", "Changed", "2024-06-01T00:00:00Z"));
    for n in 0..2 {
        let report = program.ends(0, &["sync", "--json"]).await.json();
        assert_eq!((&report["outcome"], &report["counts"]["rejected"]), (&"ok".into(), &1.into()), "{n}");
    }
    assert_eq!(place.number("SELECT count(*) FROM events WHERE customer_id = 'c-02'"), 2);
    assert_eq!(place.text("SELECT first_name FROM customers WHERE id = 'c-02'"), "First");
    assert_eq!(place.text("SELECT first_name FROM customers WHERE id = 'c-03'"), "Changed");
    // Not as it was any more, or another one: told once again.
    account.lock().put("c-02", unusable("c-02", "second"));
    program.ends(5, &["sync"]).await;
    program.ends(0, &["sync"]).await;
    account.lock().put("c-04", unusable("c-04", "another"));
    let ran = program.ends(5, &["sync", "--json"]).await;
    let remarks = ran.json()["remarks"].to_string();
    assert!(remarks.contains("1 records could not") && remarks.contains("customer c-04"), "{remarks}");
    assert!(remarks.contains("1 records that an earlier run could not take came again"), "{remarks}");
    program.ends(0, &["sync", "--full"]).await;
    // Alone as well, by the text that is known.
    program.ends(0, &["sync", "--customer", "c-02"]).await;
}

/// What changed in a record that can't be taken, nobody knows: it may be its events.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_events_of_a_customer_whose_record_broke_are_read_at_once() {
    let World { account, server, place, program } =
        World::of(Account::of(4, 1, 2)).await.set("sync.events_max_age=24h");
    program.ends(0, &["sync"]).await;
    account.lock().put("c-02", unusable("c-02", "first"));
    account.lock().add_event("c-02", "c-02-e-2");
    // Never in the mirror: its events would have nowhere to go.
    account.lock().customers.push(("c-09".to_owned(), unusable("c-09", "unknown")));
    account.lock().add_event("c-09", "c-09-e-1");
    program.ends(5, &["sync"]).await;
    assert_eq!(place.number("SELECT count(*) FROM events WHERE customer_id = 'c-02'"), 2);
    assert_eq!(place.number("SELECT count(*) FROM events WHERE customer_id = 'c-09'"), 0);
    let before = server.asked().len();
    program.ends(0, &["sync"]).await;
    assert!(server.asked()[before..].iter().all(|asked| asked.is_customer_list()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_died_has_told_nobody() {
    let World { account, server: _server, place, program } = World::of(Account::of(6, 1, 2)).await;
    account.lock().put("c-02", unusable("c-02", "first"));
    // All is stored; the run's record is not.
    let dying = program.clone().variable("MALOMO_MIRROR_FAIL_POINT", "before-run-record:1");
    assert_eq!(dying.run(&["sync"]).await.code(), None);
    assert_eq!(place.number("SELECT count(*) FROM rejected"), 1);
    program.ends(5, &["sync"]).await;
    program.ends(0, &["sync"]).await;
}

/// The run that goes on doesn't meet the page again on which the record stood.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_goes_on_tells_what_the_killed_one_met() {
    let (silent, noticed) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let (switch, notice) = (silent.clone(), noticed.clone());
    let World { account, server: _server, place, program } = World::but(Account::of(6, 1, 2), move |asked| {
        let is_late = asked.parameter("next") == Some("at-4") && switch.load(Ordering::SeqCst);
        is_late.then(|| {
            notice.notify_one();
            Reply::Silence
        })
    })
    .await;
    program.ends(0, &["sync", "--full"]).await;
    for n in [1, 3, 4, 5, 6] {
        let id = format!("c-0{n}");
        account.lock().put(&id, customer(&id, "Second", "2024-06-01T00:00:00Z"));
    }
    account.lock().put("c-02", unusable("c-02", "first"));
    silent.store(true, Ordering::SeqCst);
    let mut running = program.start(&["sync", "--full"]);
    noticed.notified().await;
    while place.number("SELECT coalesce(max(pages), 0) FROM checkpoints") < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.kill();
    running.end().await;
    silent.store(false, Ordering::SeqCst);
    let report = program.ends(5, &["sync", "--full", "--json"]).await.json();
    assert_eq!((&report["resumed"], &report["counts"]["customer_pages"]), (&true.into(), &1.into()));
    assert!(report["remarks"].to_string().contains("customer c-02"), "{report}");
    assert_eq!(place.number("SELECT count(*) FROM rejected"), 1);
    program.ends(0, &["sync", "--full"]).await;
}

/// A run that ends for another reason tells as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_fails_has_told() {
    let failing = Arc::new(AtomicBool::new(true));
    let switch = failing.clone();
    let world = World::but(Account::of(6, 1, 2), move |asked| {
        let fails = asked.parameter("next") == Some("at-4") && switch.load(Ordering::SeqCst);
        fails.then(|| Reply::error(500, "broken", "it broke"))
    })
    .await;
    world.account.lock().put("c-02", unusable("c-02", "first"));
    let ran = world.program.ends(1, &["sync", "--json"]).await;
    assert!(ran.json()["remarks"].to_string().contains("customer c-02"), "{}", ran.stdout);
    failing.store(false, Ordering::SeqCst);
    world.program.ends(0, &["sync"]).await;
}

/// Hundreds are one remark, and no run says more for more of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_full_of_rejects_is_one_remark() {
    let world = World::of(Account::of(300, 1, 100)).await;
    for n in 1..=300 {
        let id = format!("c-{n:02}");
        world.account.lock().put(&id, unusable(&id, "all of them"));
    }
    let report = world.program.ends(5, &["sync", "--json"]).await.json();
    assert_eq!(
        (&report["counts"]["rejected"], report["remarks"].as_array().unwrap().len()),
        (&300.into(), 1)
    );
    let report = world.program.ends(0, &["sync", "--json"]).await.json();
    assert_eq!(
        (&report["counts"]["rejected"], report["remarks"].as_array().unwrap().len()),
        (&300.into(), 1)
    );
    let status = world.program.ends(0, &["status"]).await.stdout;
    assert!(status.contains("300 records set aside") && status.contains("and 295 more"), "{status}");
}

/// Nothing else in the list says whose it is; the record's id and its time of creation do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_nothing_but_rejects_is_still_this_accounts() {
    let World { account, server: _server, place, program } = World::of(Account::of(3, 1, 2)).await;
    program.ends(0, &["sync"]).await;
    for id in ["c-01", "c-02", "c-03"] {
        account.lock().put(id, unusable(id, "all of them"));
    }
    account.lock().add_event("c-02", "c-02-e-2");
    let ran = program.ends(5, &["sync"]).await;
    assert!(ran.stdout.contains("3 records could not be taken"), "{}", ran.stdout);
    program.ends(0, &["sync", "--full"]).await;
    assert_eq!(place.number("SELECT count(*) FROM customers WHERE first_name = 'First'"), 3);
    assert_eq!(place.number("SELECT count(*) FROM events"), 4);
}
