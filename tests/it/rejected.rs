//! Records that can't be taken: set aside with their text, named, and forgotten once they heal (api-contract point 8).

use crate::support::{Account, Place, assert_everything_equals, customer, event};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unusable_records_are_set_aside_and_taken_when_they_heal() {
    let account = Account::of(6, 2, 3).shared();
    let server = account.serve().await;
    let place = Place::new();
    let program = place.program(&server.base_url());
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
    for arguments in [&["sync", "--full", "--json"][..], &["sync", "--full", "--json"]] {
        let report = program.ends(5, arguments).await.json();
        assert_eq!(report["outcome"], "incomplete");
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
    assert!(status.stdout.contains("4 records set aside"), "{}", status.stdout);
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
    let account = Account::of(6, 2, 2).shared();
    let server = account.serve().await;
    let place = Place::new();
    let program = place.program(&server.base_url());
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
    let account = Account::of(6, 1, 2).shared();
    let server = account.serve().await;
    let good = account.state();
    account.lock().customers.splice(2..2, [0, 1].map(|n| (format!("nobody {n}"), nameless(n))));
    let place = Place::new();
    place.program(&server.base_url()).ends(5, &["sync", "--full"]).await;
    assert_everything_equals(&good, &place);
    assert_eq!(place.number("SELECT count(*) FROM rejected"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_nothing_but_unusable_events_is_no_end() {
    let account = Account::of(6, 5, 2).shared();
    let server = account.serve().await;
    let good = account.state();
    account.lock().events.get_mut("c-05").unwrap().splice(2..2, [0, 1].map(nameless));
    let place = Place::new();
    place.program(&server.base_url()).ends(5, &["sync", "--full"]).await;
    assert_everything_equals(&good, &place);
    assert_eq!(place.number("SELECT count(*) FROM rejected"), 2);
}
