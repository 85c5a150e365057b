//! 403 and 401: what sinks one customer, and what refuses the key.

use crate::support::{Account, Asked, Place, Reply, Server, Shared, assert_everything_equals};

const IDS: [&str; 2] = ["c-03", "c-07"];

async fn refusing(
    account: &Shared,
    status: u16,
    fits: impl Fn(&Asked) -> bool + Send + Sync + 'static,
) -> Server {
    account.serve_but(move |asked| fits(asked).then(|| Reply::error(status, "no", "not yours"))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forbidden_events_are_their_customers_failure() {
    let account = Account::of(10, 2, 3).shared();
    let server =
        refusing(&account, 403, |asked| IDS.iter().any(|id| asked.path == format!("/customers/{id}/events")))
            .await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    let mut expected = account.state();
    expected.events.retain(|_, event| !IDS.contains(&event["customer_id"].text()));
    for arguments in [&["sync", "--full"][..], &["sync"]] {
        let ran = program.ends(5, arguments).await;
        for id in IDS {
            assert!(ran.stdout.contains(id), "{}", ran.stdout);
        }
        assert!(
            ran.stdout.contains("does not allow this") && ran.stdout.contains("req-no"),
            "{}",
            ran.stdout
        );
        assert_everything_equals(&expected, &place);
    }
    // Each run asked once for each of them.
    assert_eq!(server.count(|asked| asked.path == "/customers/c-03/events"), 2);
    assert_eq!(place.number("SELECT count(*) FROM event_failures"), 2);
    // One-shot commands: the record is forbidden, the key isn't refused.
    program.ends(1, &["events", "list", "c-03"]).await.tells(&["does not allow this", "req-no"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_are_forbidden_later_stay() {
    let account = Account::of(10, 2, 3).shared();
    let place = Place::new();
    let honest = account.serve().await;
    place.program(&honest.base_url()).ends(0, &["sync", "--full"]).await;
    let server = refusing(&account, 403, |asked| asked.path.starts_with("/customers/c-03")).await;
    place.program(&server.base_url()).ends(5, &["sync", "--full"]).await;
    assert_everything_equals(&account.state(), &place);
}

/// Missing from the list, and forbidden when asked for alone: left as it is, and named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forbidden_customer_is_left_as_it_is() {
    let account = Account::of(30, 1, 7).shared();
    let place = Place::new();
    let honest = account.serve().await;
    place.program(&honest.base_url()).ends(0, &["sync", "--full"]).await;
    let before = account.state();
    account.lock().customers.retain(|(id, _)| !IDS.contains(&id.as_str()));
    let server = refusing(&account, 403, |asked| asked.path == "/customers/c-03").await;
    let program = place.program(&server.base_url());
    let ran = program.ends(5, &["sync", "--full"]).await;
    assert!(ran.stdout.contains("c-03") && ran.stdout.contains("does not allow this"), "{}", ran.stdout);
    let kept = place.number("SELECT count(*) FROM customers WHERE id = 'c-03'");
    let gone = place.number("SELECT count(*) FROM customers WHERE id = 'c-07'");
    assert_eq!((kept, gone, before.customers.len()), (1, 0, 30));
    program.ends(1, &["customers", "get", "c-03"]).await.tells(&["does not allow this"]);
    let ran = program.ends(5, &["sync", "--customer", "c-03", "--customer", "c-05"]).await;
    assert!(ran.stdout.contains("c-03"), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_key_ends_everything() {
    type Fits = fn(&Asked) -> bool;
    let cases: [(u16, Fits); 4] = [
        (403, Asked::is_customer_list),
        (403, |asked| asked.is_customer_list() && !asked.query.is_empty()),
        (401, Asked::is_customer_list),
        (401, |asked| asked.path == "/customers/c-03/events"),
    ];
    for (status, fits) in cases {
        let account = Account::of(10, 2, 3).shared();
        let server = refusing(&account, status, fits).await;
        let place = Place::new();
        let program = place.program(&server.base_url());
        program.ends(3, &["sync", "--full"]).await.tells(&["refused the key", "req-no"]);
        assert_eq!(server.count(fits), 1);
    }
    let account = Account::of(10, 2, 3).shared();
    let server = refusing(&account, 403, Asked::is_customer_list).await;
    Place::new()
        .program(&server.base_url())
        .ends(3, &["customers", "list"])
        .await
        .tells(&["refused the key"]);
}
