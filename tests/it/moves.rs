//! Events that move from one customer to another, and events that two customers list at once. An event doesn't name its
//! customer; whatever the lists say, it stays in the mirror, once, and does not go to and fro.

use crate::support::{
    Account, Asked, Place, Ran, Server, Shared, World, assert_everything_equals, customer, event,
};
use std::sync::Arc;
use tokio::sync::Notify;

const MOVED: &str = "c-02-e-1";

/// Takes an event from one customer's list to another's.
fn move_event(account: &mut Account, from: &str, to: &str) {
    let events = account.events.get_mut(from).unwrap();
    let at = events.iter().position(|record| record.contains(MOVED)).unwrap();
    let record = events.remove(at);
    account.events.get_mut(to).unwrap().push(record);
}

/// As a change of one of its fields would.
fn touch(account: &mut Account, id: &str) {
    account.put(id, customer(id, "Touched", "2024-06-01T12:00:00Z"));
}

/// Everything is as at the server, and the moved event was in the mirror all the time.
fn assert_moved(account: &Shared, place: &Place, what: &str) {
    assert_everything_equals(&account.state(), place);
    let deletes = format!("SELECT count(*) FROM changes WHERE op = 'delete' AND id = '{MOVED}'");
    assert_eq!(place.number(&deletes), 0, "{what}");
    let inserts = format!("SELECT count(*) FROM changes WHERE op = 'insert' AND id = '{MOVED}'");
    assert_eq!(place.number(&inserts), 1, "{what}");
}

/// Holds the answer about `held`'s events until those of `first` were asked for so often.
async fn serve_in_order(account: &Shared, first: &'static str, times: usize, held: &'static str) -> Server {
    let (account, count) =
        (account.clone(), Arc::new((std::sync::atomic::AtomicUsize::new(0), Notify::new())));
    Server::start(move |asked: Asked| {
        let (account, count) = (account.clone(), count.clone());
        async move {
            let (met, notify) = &*count;
            if asked.path == format!("/customers/{first}/events") {
                met.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                notify.notify_waiters();
            } else if asked.path == format!("/customers/{held}/events") {
                loop {
                    let notified = notify.notified();
                    if met.load(std::sync::atomic::Ordering::SeqCst) >= times {
                        break;
                    }
                    notified.await;
                }
            }
            account.lock().answer(&asked)
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_comes_home_whichever_list_is_read_first() {
    for (arguments, max_age) in [(&["sync", "--full"][..], "24h"), (&["sync"], "0s")] {
        // The old customer's list is read twice before the new one's, or after it.
        for (first, times, held) in [("c-02", 2, "c-03"), ("c-03", 1, "c-02")] {
            let account = Account::of(4, 2, 5).shared();
            let place = Place::new();
            let honest = account.serve().await;
            place.program(&honest.base_url()).ends(0, &["sync", "--full"]).await;
            move_event(&mut account.lock(), "c-02", "c-03");
            let server = serve_in_order(&account, first, times, held).await;
            let program = place.program(&server.base_url()).set(&format!("sync.events_max_age={max_age}"));
            program.ends(0, arguments).await;
            assert_moved(&account, &place, &format!("{arguments:?}, {first} first"));
            // Nothing is left to be done, but to read the new customer's list once more.
            program.ends(0, arguments).await;
            let before = place.number("SELECT max(seq) FROM changes");
            program.ends(0, arguments).await;
            assert_eq!(place.number("SELECT max(seq) FROM changes"), before);
        }
    }
}

/// The old customer's turn has not come: its list is read nevertheless, because the new one's shows the event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_only_the_new_customer_shows() {
    let World { account, server: _server, place, program } = World::of(Account::of(4, 2, 5)).await;
    program.ends(0, &["sync", "--full"]).await;
    move_event(&mut account.lock(), "c-02", "c-03");
    touch(&mut account.lock(), "c-03");
    program.ends(0, &["sync"]).await;
    assert_moved(&account, &place, "the new customer alone is due");
    // With another version, which is not newer: the next run brings it.
    move_event(&mut account.lock(), "c-03", "c-01");
    let events = account.lock().events.clone();
    let other = events["c-01"].last().unwrap().replace("fulfilled", "sent");
    *account.lock().events.get_mut("c-01").unwrap().last_mut().unwrap() = other;
    touch(&mut account.lock(), "c-01");
    program.ends(0, &["sync"]).await;
    program.ends(0, &["sync"]).await;
    assert_moved(&account, &place, "another version");
}

/// As when the vendor merges two customers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_who_goes_may_leave_its_events_to_another() {
    for arguments in [&["sync", "--full"][..], &["sync"]] {
        let World { account, server: _server, place, program } = World::of(Account::of(5, 2, 5)).await;
        program.ends(0, &["sync", "--full"]).await;
        move_event(&mut account.lock(), "c-02", "c-03");
        account.lock().remove("c-02");
        touch(&mut account.lock(), "c-03");
        program.ends(0, arguments).await;
        assert_moved(&account, &place, "merged");
    }
}

/// Each version as new as the other, and the second list's older or newer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_in_two_lists_stays_where_it_is_and_is_told_of() {
    for other_version in ["2024-05-01T12:00:00Z", "2024-04-01T12:00:00Z", "2024-07-01T12:00:00Z"] {
        let mut account = Account::of(4, 2, 5);
        account.events.get_mut("c-03").unwrap().push(event(MOVED, other_version));
        let World { account, server: _server, place, program } =
            World::of(account).await.set("sync.events_max_age=0s");
        let mut changes = Vec::new();
        // A newer version moves at once: that the other list has the event as well shows when it is read the next time.
        program.run(&["sync", "--full"]).await;
        for arguments in [&["sync"][..], &["sync", "--full"], &["sync"], &["sync", "--full"]] {
            assert_names_both(&program.ends(5, arguments).await);
            changes.push(place.number("SELECT count(*) FROM changes"));
        }
        assert!(changes[0] <= 4 + 8 + 1, "{other_version}: {changes:?}");
        assert!(changes.iter().all(|count| *count == changes[0]), "{other_version}: {changes:?}");
        assert_eq!(place.number("SELECT count(*) FROM events"), 8);
        // One of them lets go of it: it is the other's, wherever it was.
        let owner = place.text(&format!("SELECT customer_id FROM events WHERE id = '{MOVED}'"));
        account.lock().events.get_mut(&owner).unwrap().retain(|record| !record.contains(MOVED));
        program.ends(0, &["sync"]).await;
        // An older version is believed once a full sync has asked again.
        program.ends(0, &["sync", "--full"]).await;
        assert_moved(&account, &place, other_version);
    }
}

fn assert_names_both(ran: &Ran) {
    for text in ["stand in the lists of two customers", MOVED, "c-02", "c-03"] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
}

/// In incremental runs it is told of for as long as it lasts, at the cost of two lists a run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_double_listing_is_told_of_in_every_run() {
    let mut account = Account::of(12, 2, 5);
    account.events.get_mut("c-03").unwrap().push(event(MOVED, "2024-05-01T12:00:00Z"));
    let world = World::of(account).await;
    world.program.ends(5, &["sync", "--full"]).await;
    for _ in 0..3 {
        let before = world.server.asked().len();
        assert_names_both(&world.program.ends(5, &["sync"]).await);
        let asked = &world.server.asked()[before..];
        let lists = asked.iter().filter(|asked| asked.path.ends_with("/events")).count();
        assert_eq!(lists, 2);
    }
}
