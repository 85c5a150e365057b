//! Customers who have been inactive for long enough are erased by rule. No sync brings them back, and none loses anybody whose
//! events are young.

use crate::support::{
    Account, Asked, FORMATS, Place, Program, Reply, State, World, assert_derived_is_true, assert_same,
    assert_totals_are_true, customer, found_in, sandbox,
};
use jiff::{SignedDuration, Timestamp};
use malomo_mirror::sandbox::{Order, Settings, TokenStyle};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The fixtures' times are older than that for ever.
const RULE: &str = "retention.inactive_customers=1y";

fn days_ago(days: i64) -> Value {
    (Timestamp::now() - SignedDuration::from_hours(24 * days)).to_string().into()
}

fn event(id: &str, at: &Value) -> String {
    json!({
        "id": id, "type": "ShopifyOrderCreated", "label": format!("Order of {id}"), "link_back_url": null,
        "properties": {"shopify_order": {"id": id}}, "timestamp": 1_714_564_800, "created_at": at, "updated_at": at
    })
    .to_string()
}

fn record(id: &str, at: &Value) -> String {
    json!({"id": id, "email": format!("{id}@example.com"), "first_name": "F", "last_name": null, "phone_number": "1",
           "created_at": at, "updated_at": at})
    .to_string()
}

/// Customers whose ids begin with `gone` are to go.
fn account() -> Account {
    let mut account = Account { page_size: 3, ..Account::default() };
    let (old, young) = (json!("2024-05-01T12:00:00Z"), days_ago(3));
    for (id, at, events) in [
        ("gone-1", &old, &[&old, &old][..]),
        ("active", &old, &[&old, &young]),
        ("gone-2", &old, &[]),
        ("changed", &young, &[]),
        ("timeless", &Value::Null, &[]),
        ("gone-3", &old, &[&old]),
        ("unreadable", &old, &[&json!("soon")]),
        ("gone-4", &old, &[]),
    ] {
        account.customers.push((id.to_owned(), record(id, at)));
        let events = events.iter().enumerate().map(|(n, at)| event(&format!("{id}-e-{n}"), at));
        account.events.insert(id.to_owned(), events.collect());
    }
    account
}

/// What is to be left of a state.
fn without_inactive(mut state: State) -> State {
    state.customers.retain(|id, _| !id.starts_with("gone-"));
    state.events.retain(|id, _| !id.starts_with("gone-"));
    state
}

async fn world_of(account: Account) -> World {
    World::of(account).await.set(&format!("export.formats={FORMATS}"))
}

fn with_rule(world: &World) -> Program {
    world.program.clone().set(RULE)
}

async fn is_clean(world: &World) {
    assert_eq!(expired_in(&world.place), Vec::<String>::new());
    world.holds(&without_inactive(world.account.state())).await;
}

/// Every file that names somebody who has expired.
fn expired_in(place: &Place) -> Vec<String> {
    found_in(place.path(), &["gone-".to_owned()])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inactive_customers_are_erased_and_stay_away_until_something_happens() {
    let world = world_of(account()).await;
    world.program.ends(0, &["sync", "--full"]).await;
    {
        // Earlier versions, one who was deleted, and one who was deleted a moment after something had happened.
        let mut account = world.account.lock();
        account.put("gone-2", customer("gone-2", "Second", "2024-06-01T00:00:00Z"));
        account.add("deleted", 0);
        let young = event("deleted-e", &days_ago(1));
        account.events.entry("deleted".to_owned()).or_default().push(young);
    }
    world.program.ends(0, &["sync", "--full"]).await;
    world.program.ends(0, &["export", "--snapshot"]).await;
    world.account.lock().remove("gone-4");
    world.account.lock().remove("deleted");
    world.program.ends(0, &["sync", "--full"]).await;
    let others = || {
        let views = [
            "customers",
            "customers_history",
            "events",
            "events_history",
            "customers_deleted",
            "events_deleted",
            "changes",
        ];
        views.map(|view| {
            let of_others = "id NOT LIKE 'gone-%' AND id NOT LIKE 'hmac:%'";
            let mut rows = world.place.query(&format!("SELECT * FROM {view} WHERE {of_others}"));
            // Who proves that somebody else is deleted may have been one of them.
            rows.iter_mut().for_each(|row| drop(row.remove("evidence")));
            rows
        })
    };
    let before = others();

    let rules = with_rule(&world);
    let preview = rules.ends(0, &["erase", "--expired", "--dry-run", "--json"]).await;
    assert!(!preview.stdout.contains("gone-"), "{}", preview.stdout);
    let expired = &preview.json()["expired"];
    let expected = json!([{
        "rule": "retention.inactive_customers", "customers": 4, "events": 3, "versions": 2,
        "oldest": "2024-05-01T12:00:00.000Z", "newest": "2024-06-01T00:00:00.000Z"
    }]);
    assert_eq!(expired, &expected);
    let receipts = rules.ends(0, &["erase", "--expired", "--yes", "--json"]).await.json();
    assert_eq!(receipts[0]["expired"], expected);
    assert_eq!(receipts[0]["reason"], "retention: customers inactive for longer than 1y");
    assert_eq!(world.place.number("SELECT persons FROM erasures"), 4);
    assert_eq!(world.place.number("SELECT count(*) FROM tombstones"), 0);
    is_clean(&world).await;
    let after = others();
    assert_eq!(before.iter().zip(&after).position(|(before, after)| before != after), None);
    rules.ends(0, &["erase", "--expired", "--yes"]).await.shows(&["nothing has been kept for longer"]);

    // The list has three of them. A full sync looks at their events, an incremental one doesn't.
    for (arguments, kept_out, looks) in [
        (&["sync", "--full", "--audit", "9"][..], 3, 3),
        (&["sync"], 3, 0),
        (&["sync", "--full"], 3, 3),
        (&["sync", "--customer", "gone-1", "--customer", "active"], 1, 1),
    ] {
        // A list that is read first in a run may be asked for its direction, too.
        let is_look = |asked: &Asked| {
            asked.path.starts_with("/customers/gone-")
                && asked.path.ends_with("/events")
                && asked.query.is_empty()
        };
        let asked = || world.server.count(is_look);
        let asked_before = asked();
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let report = rules.ends(0, &arguments).await.json();
        let counts = &report["counts"];
        assert_eq!((&counts["expired"], &counts["kept_out"]), (&kept_out.into(), &0.into()), "{report}");
        assert_eq!(asked() - asked_before, looks, "{arguments:?}");
        for count in ["inserted", "updated", "deleted", "missing"] {
            for stream in ["customers", "events"] {
                assert_eq!(counts[format!("{stream}_{count}")], 0, "{count} after {arguments:?}: {report}");
            }
        }
        assert!(!report["remarks"].to_string().contains("missing from the list"), "{report}");
        is_clean(&world).await;
    }
    let dry = rules.ends(0, &["sync", "--full", "--dry-run", "--json"]).await.json();
    assert_eq!((&dry["new"], &dry["account_in_doubt"]), (&0.into(), &false.into()), "{dry}");

    // Something happens: the next full sync takes that one in, whole.
    let young = event("gone-3-e-new", &days_ago(0));
    world.account.lock().events.get_mut("gone-3").unwrap().insert(0, young);
    rules.ends(0, &["sync"]).await;
    is_clean(&world).await;
    let report = rules.ends(0, &["sync", "--full", "--audit", "9", "--json"]).await.json();
    let counts = &report["counts"];
    assert_eq!(
        (&counts["customers_inserted"], &counts["events_inserted"], &counts["expired"]),
        (&1.into(), &2.into(), &2.into()),
        "{report}"
    );
    assert_eq!((&counts["customers_missing"], &report["outcome"]), (&0.into(), &"ok".into()), "{report}");
    assert!(!report["remarks"].to_string().contains("missing from the list"), "{report}");
    rules.ends(0, &["erase", "--expired", "--yes"]).await.shows(&["nothing has been kept for longer"]);
    // Who is changed comes back at once, and without the rule all do.
    world.account.lock().put("gone-2", record("gone-2", &days_ago(0)));
    let report = rules.ends(0, &["sync", "--json"]).await.json();
    assert_eq!(
        (&report["counts"]["customers_inserted"], &report["counts"]["expired"]),
        (&1.into(), &1.into())
    );
    world.program.ends(0, &["sync"]).await;
    world.holds(&world.account.state()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_mirror_looks_at_everybody_and_leaves_out_who_is_inactive() {
    let world = world_of(account()).await;
    // One that can only be taken with a repair, which would keep its text.
    let repaired = record("gone-5", &json!("2024-05-01T12:00:00Z")).replace("\"F\"", "\"\\ud800\"");
    let repaired_event = event("gone-5-e", &json!("2024-05-01T12:00:00Z")).replace("Order of", "\\ud800");
    world.account.lock().customers.insert(4, ("gone-5".to_owned(), repaired));
    world.account.lock().events.insert("gone-5".to_owned(), vec![repaired_event]);
    let rules = with_rule(&world);
    let expected = without_inactive({
        let mut account = world.account.lock().clone();
        account.remove("gone-5");
        account.state()
    });
    for (arguments, expired) in
        [(&["sync", "--json"][..], 5), (&["sync", "--json"], 5), (&["sync", "--full", "--json"], 5)]
    {
        let report = rules.ends(0, arguments).await.json();
        assert_eq!(report["counts"]["expired"], expired, "{report}");
        assert_eq!(
            (&report["counts"]["customers_seen"], &report["outcome"]),
            (&9.into(), &"ok".into()),
            "{report}"
        );
        assert_eq!(expired_in(&world.place), Vec::<String>::new());
        world.holds(&expected).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_killed_anywhere_loses_nobody_who_is_active() {
    // With a rule, the first run and full ones begin the list again.
    let mut large = account();
    for n in 0..12 {
        let (id, at) = (format!("more-{n}"), json!("2024-05-01T12:00:00Z"));
        large.customers.push((id.clone(), record(&id, &at)));
        large.events.insert(id.clone(), vec![event(&format!("{id}-e"), &days_ago(2))]);
    }
    for first in [true, false] {
        for point in
            ["after-commit:2", "after-commit:3", "before-commit:3", "before-commit:4", "before-run-record:1"]
        {
            let world = world_of(large.clone()).await;
            let rules = with_rule(&world);
            let sync: &[&str] = if first { &["sync"] } else { &["sync", "--full"] };
            if !first {
                world.program.ends(0, &["sync", "--full"]).await;
                // All of them have to be taken in again.
                let nobody_keeps = world.program.clone().set(RULE).set("retention.events=1ms");
                nobody_keeps.ends(0, &["erase", "--expired", "--yes"]).await;
                assert_eq!(world.place.number("SELECT count(*) FROM customers WHERE id LIKE 'more-%'"), 0);
            }
            let ran = rules.clone().variable("MALOMO_MIRROR_FAIL_POINT", point).run(sync).await;
            assert!(ran.signal().is_some() || point.ends_with('4'), "{point}: {}", ran.stderr);
            rules.ends(0, sync).await;
            is_clean(&world).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_events_cannot_be_looked_at_is_named() {
    let is_down = Arc::new(AtomicBool::new(true));
    let down = is_down.clone();
    let World { account, server: _server, place, program: rules } = World::but(account(), move |asked| {
        let fails = down.load(Ordering::SeqCst) && asked.path == "/customers/gone-1/events";
        fails.then(|| Reply::error(500, "no", "no"))
    })
    .await
    .set(RULE)
    .set("api.max_attempts=2");
    let report = rules.ends(5, &["sync", "--full", "--json"]).await.json();
    assert_eq!(report["failures"][0]["customer_id"], "gone-1", "{report}");
    assert_eq!(place.number("SELECT count(*) FROM event_failures WHERE customer_id = 'gone-1'"), 1);
    assert_same(&without_inactive(account.state()), &State::of_mirror(&place), "the mirror");
    // No run was complete yet, so this one looks as well.
    is_down.store(false, Ordering::SeqCst);
    let report = rules.ends(0, &["sync", "--json"]).await.json();
    assert_eq!(report["counts"]["expired"], 4, "{report}");
    assert_eq!(place.number("SELECT count(*) FROM event_failures"), 0);
    assert_same(&without_inactive(account.state()), &State::of_mirror(&place), "the mirror");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_has_expired_keeps_nobody() {
    let mut account = Account { page_size: 3, ..Account::default() };
    for (id, changed, event_at) in [("gone-1", 1_500, 500), ("stays-1", 1_500, 300), ("stays-2", 1_000, 500)]
    {
        account.customers.push((id.to_owned(), record(id, &days_ago(changed))));
        account.events.insert(id.to_owned(), vec![event(&format!("{id}-e"), &days_ago(event_at))]);
    }
    let world = world_of(account).await;
    world.program.ends(0, &["sync"]).await;
    let rules = world.program.clone().set("retention.events=1y").set("retention.inactive_customers=3y");
    let receipts = rules.ends(0, &["erase", "--expired", "--yes", "--json"]).await.json();
    let counts = |n: usize| {
        let of = &receipts[0]["expired"][n];
        (
            of["rule"].as_str().unwrap().to_owned(),
            of["customers"].as_u64().unwrap(),
            of["events"].as_u64().unwrap(),
        )
    };
    assert_eq!(counts(0), ("retention.events".to_owned(), 0, 2));
    assert_eq!(counts(1), ("retention.inactive_customers".to_owned(), 1, 0));
    for _ in 0..2 {
        let report = rules.ends(0, &["sync", "--full", "--json"]).await.json();
        assert_eq!(report["counts"]["expired"], 2, "{report}");
        let mut state = without_inactive(world.account.state());
        state.events.remove("stays-2-e");
        world.holds(&state).await;
        rules.ends(0, &["erase", "--expired", "--yes"]).await.shows(&["nothing has been kept for longer"]);
    }
}

/// Nothing flaps: what a sync leaves out an erasure would take, and what an erasure takes a sync leaves out.
async fn syncs_and_erasures_judge_alike(settings: Settings, events: &str, inactive: &str) {
    let sandbox = sandbox(settings).await;
    let all = State::of_world(&sandbox.world());
    let (early, late) = (Place::new(), Place::new());
    let rules = |place: &Place| {
        let program = place.program(&sandbox.base_url()).set(&format!("retention.events={events}"));
        program.set(&format!("retention.inactive_customers={inactive}"))
    };
    // One mirror has had the rules from its first run on, the other one gets them late.
    rules(&early).ends(0, &["sync"]).await;
    late.program(&sandbox.base_url()).ends(0, &["sync", "--full"]).await;
    assert_same(&all, &State::of_mirror(&late), "the mirror");
    rules(&late).ends(0, &["erase", "--expired", "--yes"]).await;
    let left = State::of_mirror(&early);
    assert!(!left.customers.is_empty() && left.customers.len() < all.customers.len());
    assert!(!left.events.is_empty() && left.events.len() < all.events.len());
    for place in [&early, &late] {
        for arguments in [&["sync", "--full", "--audit", "20", "--json"][..], &["sync", "--json"]] {
            let nothing = rules(place).ends(0, &["erase", "--expired", "--yes"]).await;
            nothing.shows(&["nothing has been kept for longer"]);
            assert_same(&left, &State::of_mirror(place), "the mirror");
            let report = rules(place).ends(0, arguments).await.json();
            let counts = &report["counts"];
            for count in ["customers_inserted", "events_inserted", "customers_missing", "customers_deleted"] {
                assert_eq!(counts[count], 0, "{count}: {report}");
            }
        }
        assert_same(&left, &State::of_mirror(place), "the mirror");
        assert_totals_are_true(place);
        assert_derived_is_true(place);
        rules(place).ends(0, &["export", "verify"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_flaps_between_syncs_and_erasures() {
    for (order, token_style, account, events, inactive) in [
        (Order::CreatedAsc, TokenStyle::Link, true, "2y", "1y"),
        (Order::CreatedDesc, TokenStyle::LastId, false, "1y", "2y"),
        (Order::UpdatedDesc, TokenStyle::Envelope, false, "500d", "500d"),
    ] {
        let settings = Settings {
            customers: 150,
            events_per_customer: 3.0,
            page_size: 7,
            awkward: true,
            order,
            token_style,
            account,
            ..Settings::default()
        };
        syncs_and_erasures_judge_alike(settings, events, inactive).await;
    }
}
