//! 403 and 401: what sinks one customer, and what refuses the key.

use crate::support::{Account, Asked, Reply, World, assert_everything_equals};

const IDS: [&str; 2] = ["c-03", "c-07"];

/// What `fits` is refused with that status.
fn refusing(status: u16, fits: impl Fn(&Asked) -> bool) -> impl Fn(&Asked) -> Option<Reply> {
    move |asked| fits(asked).then(|| Reply::error(status, "no", "not yours"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forbidden_events_are_their_customers_failure() {
    let refused = refusing(403, |asked| IDS.iter().any(|id| asked.path == format!("/customers/{id}/events")));
    let World { account, server, place, program } = World::but(Account::of(10, 2, 3), refused).await;
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
    let World { account, server: _honest, place, program } = World::of(Account::of(10, 2, 3)).await;
    program.ends(0, &["sync", "--full"]).await;
    let server = account.serve_but(refusing(403, |asked| asked.path.starts_with("/customers/c-03"))).await;
    place.program(&server.base_url()).ends(5, &["sync", "--full"]).await;
    assert_everything_equals(&account.state(), &place);
}

/// Missing from the list, and forbidden when asked for alone: left as it is, and named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forbidden_customer_is_left_as_it_is() {
    let World { account, server: _honest, place, program } = World::of(Account::of(30, 1, 7)).await;
    program.ends(0, &["sync", "--full"]).await;
    let before = account.state();
    account.lock().customers.retain(|(id, _)| !IDS.contains(&id.as_str()));
    let server = account.serve_but(refusing(403, |asked| asked.path == "/customers/c-03")).await;
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
        let world = World::but(Account::of(10, 2, 3), refusing(status, fits)).await;
        world.program.ends(3, &["sync", "--full"]).await.tells(&["refused the key", "req-no"]);
        assert_eq!(world.server.count(fits), 1);
    }
    let world = World::but(Account::of(10, 2, 3), refusing(403, Asked::is_customer_list)).await;
    world.program.ends(3, &["customers", "list"]).await.tells(&["refused the key"]);
}
