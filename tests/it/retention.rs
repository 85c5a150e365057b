//! What has been kept for long enough is erased by rule: no byte of it is left, everything else is as before, and no sync
//! brings it back.

use crate::support::{
    Account, FORMATS, Place, Program, Row, State, World, assert_derived_is_true, assert_same,
    assert_totals_are_true, customer, event, found_in, manifest,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::path::Path;

/// The fixtures' times are older than that for ever.
const RULE: &str = "retention.events=1y";

/// An event that tells its customer's order, changed at that time.
fn order_event(id: &str, order: &str, at: &str) -> String {
    let at_second = at.parse::<Timestamp>().unwrap().as_second();
    json!({
        "id": id, "type": "ShopifyOrderCreated", "label": format!("Order of {id}"), "link_back_url": null,
        "properties": {"shopify_order": {"id": order, "name": order}, "marker": format!("rare-{id}")},
        "timestamp": at_second, "created_at": at, "updated_at": at
    })
    .to_string()
}

/// An event with these times, in JSON.
fn timed(id: &str, created_at: &Value, updated_at: &Value) -> String {
    json!({
        "id": id, "type": "AftershipTrackingUpdated", "label": format!("rare-{id}"), "link_back_url": null, "properties": {},
        "timestamp": 1_714_564_800, "created_at": created_at, "updated_at": updated_at
    })
    .to_string()
}

fn days_ago(days: i64) -> String {
    (Timestamp::now() - SignedDuration::from_hours(24 * days)).to_string()
}

/// Five customers with old and young events, among them some whose age nobody knows.
fn account() -> Account {
    let mut account = Account::of(5, 0, 4);
    let mut put =
        |customer: &str, event: String| account.events.entry(customer.to_owned()).or_default().push(event);
    for (customer, id, order, at) in [
        ("c-01", "gone-1", "o-1", "2024-01-01T00:00:00Z"),
        ("c-01", "gone-2", "o-1", "2024-01-02T00:00:00Z"),
        ("c-01", "stays-1", "o-2", &days_ago(2)),
        ("c-02", "gone-3", "o-3", "2023-05-05T05:05:05Z"),
        ("c-03", "stays-2", "o-4", &days_ago(300)),
        ("c-03", "gone-4", "o-4", &days_ago(400)),
    ] {
        put(customer, order_event(id, order, at));
    }
    let (old, young) = (json!("2024-01-01"), json!(days_ago(1)));
    for (id, created_at, updated_at) in [
        ("stays-changed", &old, &young),
        ("stays-timeless", &Value::Null, &Value::Null),
        ("stays-unreadable", &old, &json!("soon")),
        ("gone-created", &old, &Value::Null),
    ] {
        put("c-04", timed(id, created_at, updated_at));
    }
    account
}

/// What is to be left of a state.
fn without_expired(mut state: State) -> State {
    state.events.retain(|id, _| !id.starts_with("gone-"));
    state
}

/// A mirror of several runs without a rule, with their exports and snapshots: some events have earlier versions, one was
/// deleted, and another one moved.
async fn world_of_events(compression: &str) -> World {
    let world = World::of(account()).await.set(&format!("export.formats={FORMATS}"));
    let world = world.set(&format!("export.compression={compression}"));
    world.account.lock().events.get_mut("c-02").unwrap().push(order_event(
        "gone-deleted",
        "o-9",
        "2023-01-01T00:00:00Z",
    ));
    world.program.ends(0, &["sync", "--full"]).await;
    world.program.ends(0, &["export", "--snapshot"]).await;
    {
        let mut account = world.account.lock();
        let events = account.events.get_mut("c-02").unwrap();
        events.clear();
        events.push(
            order_event("gone-3", "o-3", "2024-06-01T00:00:00Z").replace("Order of", "Second order of"),
        );
        account.put("c-02", customer("c-02", "Second", "2024-06-01T00:00:00Z"));
        account.put("c-05", customer("c-05", "Second", "2024-06-01T00:00:00Z"));
    }
    world.program.ends(0, &["sync", "--full"]).await;
    world.program.ends(0, &["export", "--snapshot"]).await;
    assert_eq!(world.place.number("SELECT count(*) FROM events_deleted WHERE id = 'gone-deleted'"), 1);
    world
}

fn with_rule(world: &World) -> Program {
    world.program.clone().set(RULE)
}

/// Everything that hasn't expired: rows, versions, lines of the log.
fn rows_of_others(world: &World) -> Vec<Vec<Row>> {
    [
        "SELECT id, email, first_name, extra, change_seq, inserted_at FROM customers ORDER BY id",
        "SELECT * FROM events WHERE id LIKE 'stays-%' ORDER BY id",
        "SELECT * FROM customers_history ORDER BY seq",
        "SELECT * FROM events_history WHERE id LIKE 'stays-%' ORDER BY seq",
        "SELECT * FROM changes WHERE id NOT LIKE 'gone-%' AND id NOT LIKE 'hmac:%' ORDER BY seq",
        "SELECT * FROM orders WHERE order_id IN ('o-2') ORDER BY order_id",
        "SELECT * FROM tombstones",
    ]
    .map(|sql| world.place.query(sql))
    .to_vec()
}

async fn is_clean(world: &World, others: &[Vec<Row>]) {
    let found = expired_in(&world.place);
    assert!(found.is_empty(), "{found:#?}");
    let same = rows_of_others(world).iter().zip(others).position(|(now, before)| now != before);
    assert_eq!(same, None, "the first query with other rows than before");
    world.holds(&without_expired(world.account.state())).await;
    assert_eq!(world.place.number("SELECT count(*) FROM erasures WHERE ended_at IS NULL"), 0);
}

/// Every file that names an event which has expired.
fn expired_in(place: &Place) -> Vec<String> {
    found_in(place.path(), &["gone-".to_owned()])
}

async fn what_has_expired_goes(compression: &str) {
    let world = world_of_events(compression).await;
    let others = rows_of_others(&world);
    assert!(!expired_in(&world.place).is_empty());
    world.program.ends(2, &["erase", "--expired", "--yes"]).await.tells(&["retention.events = \"3y\""]);
    let rules = with_rule(&world);
    rules.ends(2, &["erase", "--expired"]).await.tells(&["--yes"]);
    rules.ends(2, &["erase", "--expired", "c-01"]).await;

    let before = world.place.contents();
    let preview = rules.ends(0, &["erase", "--expired", "--dry-run", "--json"]).await;
    assert!(!preview.stdout.contains("gone-") && !preview.stdout.contains("c-0"), "{}", preview.stdout);
    let expired = json!({
        "rule": "retention.events", "customers": 0, "events": 6, "versions": 2,
        "oldest": "2023-01-01T00:00:00.000Z", "newest": preview.json()["expired"][0]["newest"]
    });
    assert_eq!(preview.json(), json!({"expired": [expired]}));
    let newest: Timestamp = expired["newest"].as_str().unwrap().parse().unwrap();
    assert_eq!(Timestamp::now().duration_since(newest).as_hours() / 24, 400);
    rules
        .ends(0, &["erase", "--expired", "--dry-run"])
        .await
        .shows(&["6 events, 2 earlier versions", "dry run"]);
    assert!(world.place.contents() == before, "the dry run wrote something");

    let receipts = rules.ends(0, &["erase", "--expired", "--yes", "--json"]).await.json();
    is_clean(&world, &others).await;
    let receipt = &receipts[0];
    assert_eq!(receipt["reason"], "retention: events older than 1y");
    assert_eq!((&receipt["expired"], &receipt["persons"]), (&json!([expired]), &json!([])));
    assert_eq!(receipt["changes"], world.place.number("SELECT count(*) FROM erased_changes"));
    let page = world.place.path().join("mirror.db.receipts/erasure-000001.html");
    assert!(std::fs::read_to_string(page).unwrap().contains("retention.events"));
    assert_eq!(
        world.place.text("SELECT group_concat(DISTINCT order_id ORDER BY order_id) FROM orders"),
        "o-2,o-4"
    );
    assert_eq!(world.place.number("SELECT event_count FROM orders WHERE order_id = 'o-4'"), 1);

    // Nothing is left to do.
    rules.ends(0, &["erase", "--expired", "--yes"]).await.shows(&["nothing has been kept for longer"]);
    assert_eq!(rules.ends(0, &["erase", "--expired", "--yes", "--json"]).await.json(), json!([]));
    rules.ends(0, &["erase", "--expired", "--dry-run"]).await.shows(&["nothing has been kept for longer"]);
    assert_eq!(world.place.number("SELECT count(*) FROM erasures"), 1);

    // The API still lists five of them, and no way to read it brings them back.
    for (arguments, listed) in [
        (&["sync", "--full", "--audit", "5"][..], 5),
        (&["sync"], 0),
        (&["sync", "--full"], 5),
        (&["sync", "--customer", "c-01"], 2),
    ] {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let report = rules.ends(0, &arguments).await.json();
        let counts = &report["counts"];
        assert_eq!((&counts["expired"], &counts["kept_out"]), (&listed.into(), &0.into()), "{report}");
        for count in ["events_inserted", "events_updated", "events_deleted", "events_missing"] {
            assert_eq!(counts[count], 0, "{count} after {arguments:?}: {report}");
        }
        assert_eq!(report["outcome"], "ok", "{report}");
        if let Some(audit) = report["audit"].as_object() {
            assert_eq!(
                (&audit["audited"], &audit["drifted"], &audit["lagging"]),
                (&5.into(), &0.into(), &0.into())
            );
            assert_eq!(audit["findings"], json!([]));
        }
        is_clean(&world, &others).await;
    }
    assert_eq!(world.place.number("SELECT expired FROM sync_runs ORDER BY id DESC LIMIT 1"), 2);

    // What is changed at the vendor is young again, whatever it was; and under a longer rule all come back.
    world.account.lock().events.get_mut("c-01").unwrap()[0] = order_event("gone-1", "o-1", &days_ago(3));
    let report = rules.ends(0, &["sync", "--full", "--json"]).await.json();
    assert_eq!((&report["counts"]["events_inserted"], &report["counts"]["expired"]), (&1.into(), &4.into()));
    world.program.clone().set("retention.events=10y").ends(0, &["sync", "--full"]).await;
    assert_same(&world.account.state(), &State::of_mirror(&world.place), "the mirror");
    world.program.ends(0, &["export", "verify"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_have_expired_are_erased_and_stay_away() {
    for compression in ["none", "zstd"] {
        what_has_expired_goes(compression).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_by_rule_that_is_killed_anywhere_is_ended_by_the_next_call() {
    let points = [
        "before-commit:1",
        "after-commit:1",
        "before-rename:1",
        "before-rename:4",
        "before-commit:2",
        "after-commit:2",
        "before-commit:3",
        "after-commit:3",
    ];
    for point in points {
        let world = world_of_events("none").await;
        let (others, rules) = (rows_of_others(&world), with_rule(&world));
        let dying = rules.clone().variable("MALOMO_MIRROR_FAIL_POINT", point);
        let ran = dying.run(&["erase", "--expired", "--yes"]).await;
        assert!(ran.signal().is_some(), "{point}: {}{}", ran.stdout, ran.stderr);
        if world.place.number("SELECT count(*) FROM erasures") == 0 {
            rules.ends(0, &["erase", "--expired", "--yes"]).await;
        } else {
            // A run ends it as well, before it exports, and takes nothing back; so does any `erase`.
            let next: &[&str] =
                if point.starts_with("before") { &["sync", "--full"] } else { &["erase", "--finish"] };
            rules.ends(0, next).await;
        }
        is_clean(&world, &others).await;
        assert_eq!(world.place.number("SELECT count(*) FROM erasures"), 1, "{point}");
        rules.ends(0, &["erase", "--expired", "--yes"]).await.shows(&["nothing has been kept for longer"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_mirror_takes_in_nothing_that_has_expired() {
    let World { account, server: _server, place, program } = World::of(account()).await;
    let expected = without_expired(account.state());
    let events = account.state().events.len() as i64;
    // One that can only be taken with a repair, which would keep its text.
    let repaired = event("gone-repaired", "2024-05-01T12:00:00Z").replace("Order gone", "\\ud800 gone");
    account.lock().events.entry("c-05".to_owned()).or_default().push(repaired);
    let rules = program.clone().set(RULE);
    for runs in 1..=2 {
        let report = rules.ends(0, &["sync", "--full", "--json"]).await.json();
        assert_eq!(report["counts"]["expired"], 6, "{runs}: {report}");
        assert_eq!(place.number("SELECT count(*) FROM rejected"), 0);
        assert_eq!(expired_in(&place), Vec::<String>::new());
        assert_same(&expected, &State::of_mirror(&place), "the mirror");
        assert_totals_are_true(&place);
        assert_derived_is_true(&place);
    }
    rules.ends(0, &["erase", "--expired", "--yes"]).await.shows(&["nothing has been kept for longer"]);
    program.ends(0, &["sync", "--full"]).await;
    assert_eq!(place.number("SELECT count(*) FROM events"), events + 1);
    assert_eq!(place.number("SELECT count(*) FROM rejected"), 1);
    rules.ends(0, &["erase", "--expired", "--yes"]).await;
    assert_eq!(place.number("SELECT count(*) FROM rejected"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_events_whose_versions_are_forgotten_expire_by_their_deletion() {
    let world = world_of_events("none").await;
    let forgetful = world.program.clone().set("mirror.history_max_age=1ms");
    forgetful.ends(0, &["sync"]).await;
    assert_eq!(world.place.number("SELECT count(*) FROM events_superseded"), 0);
    let others = rows_of_others(&world);
    // It was deleted a moment ago, so for the rule of a year it is still there; its row in old exports, too.
    with_rule(&world).ends(0, &["erase", "--expired", "--yes"]).await;
    let left = expired_in(&world.place);
    assert!(
        !left.is_empty() && world.place.number("SELECT count(*) FROM changes WHERE id = 'gone-deleted'") > 0
    );
    world.program.clone().set("retention.events=1ms").ends(0, &["erase", "--expired", "--yes"]).await;
    assert_eq!(world.place.number("SELECT count(*) FROM changes WHERE id = 'gone-deleted'"), 0);
    assert_eq!(expired_in(&world.place), Vec::<String>::new());
    let young = "SELECT count(*) FROM events WHERE id NOT IN ('stays-timeless', 'stays-unreadable')";
    assert_eq!(world.place.number(young), 0);
    assert_eq!(rows_of_others(&world)[0], others[0]);
    world.program.ends(0, &["export", "verify"]).await;
}

/// A mirror and exports with versions that have ended, whose texts begin with `old-`: of a record that was changed twice in
/// two runs, of one that was changed and then deleted, and one that was changed between two snapshots.
async fn world_of_versions() -> World {
    let mut account = Account::of(4, 2, 3);
    for id in ["c-01", "c-02", "c-03"] {
        account.put(id, customer(id, "old-1", "2024-05-01T12:00:00Z"));
    }
    let labelled = |label: &str, at: &str| event("c-04-e-1", at).replace("Order c-04-e-1", label);
    account.events.get_mut("c-04").unwrap()[0] = labelled("old-1", "2024-05-01T12:00:00Z");
    let world = World::of(account).await.set(&format!("export.formats={FORMATS}"));
    world.program.ends(0, &["sync", "--full"]).await;
    world.program.ends(0, &["export", "--snapshot"]).await;
    world.account.lock().put("c-01", customer("c-01", "old-2", "2024-06-01T00:00:00Z"));
    world.account.lock().put("c-02", customer("c-02", "old-2", "2024-06-01T00:00:00Z"));
    world.account.lock().events.get_mut("c-04").unwrap()[0] = labelled("Third", "2024-06-01T00:00:00Z");
    world.program.ends(0, &["sync", "--full"]).await;
    world.program.ends(0, &["export", "--snapshot"]).await;
    world.account.lock().put("c-01", customer("c-01", "Third", "2024-07-01T00:00:00Z"));
    world.account.lock().put("c-03", customer("c-03", "Third", "2024-07-01T00:00:00Z"));
    world.account.lock().remove("c-02");
    world.program.ends(0, &["sync", "--full"]).await;
    world
}

fn with_rule_of_versions(world: &World) -> Program {
    world.program.clone().set("retention.history=1ms")
}

async fn has_no_old_versions(world: &World) {
    assert_eq!(named_in(&world.place.path().join("exports"), b"old-"), Vec::<String>::new());
    assert_eq!(named_in(world.place.path(), b"old-"), Vec::<String>::new());
    world.holds(&world.account.state()).await;
    assert_eq!(world.place.number("SELECT count(*) FROM erasures WHERE ended_at IS NULL"), 0);
}

/// Every file that has these bytes, but for those of Delta tables, which this rule leaves as they are.
fn named_in(folder: &Path, name: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let own_name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            let is_of_a_table =
                ["current", "_delta_log", "customers_changes", "events_changes"].contains(&own_name);
            if !is_of_a_table {
                found.extend(named_in(&path, name));
            }
        } else if std::fs::read(&path).unwrap().windows(name.len()).any(|window| window == name) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_that_have_expired_go_from_the_history_and_from_files() {
    let world = world_of_versions().await;
    let log = || world.place.query("SELECT * FROM changes ORDER BY seq");
    let before = log();
    world.program.clone().set("retention.history=10y").ends(0, &["erase", "--expired", "--yes"]).await;
    assert_eq!(world.place.number("SELECT count(*) FROM erasures"), 0);
    let rules = with_rule_of_versions(&world);
    let preview = rules.ends(0, &["erase", "--expired", "--dry-run", "--json"]).await.json();
    let expired = &preview["expired"][0];
    // Two of c-01 and of c-02, which was deleted with two events, one of c-03, and one of an event.
    assert_eq!(
        (&expired["rule"], &expired["versions"]),
        (&json!("retention.history"), &8.into()),
        "{preview}"
    );
    let receipts = rules.ends(0, &["erase", "--expired", "--yes", "--json"]).await.json();
    assert_eq!(receipts[0]["expired"][0], *expired);
    has_no_old_versions(&world).await;
    assert_eq!(log(), before);
    assert_eq!(world.place.number("SELECT count(*) FROM customers_superseded"), 0);
    assert_eq!(world.place.number("SELECT count(*) FROM erased_changes WHERE ended_by IS NOT NULL"), 8);
    let left_out: u64 = manifest(&world.place).iter().filter_map(|line| line["left_out"].as_u64()).sum();
    assert!(left_out > 0);
    rules.ends(0, &["erase", "--expired", "--yes"]).await.shows(&["nothing has been kept for longer"]);

    // Repairs give files back as the erasure wrote them.
    let exports = world.place.exports();
    for folder in ["customers", "events", "snapshots/customers"] {
        let first = std::fs::read_dir(exports.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let first = first.filter(|path| path.is_file()).min().unwrap();
        let bytes = std::fs::read(&first).unwrap();
        std::fs::remove_file(&first).unwrap();
        world.program.ends(0, &["export", "repair"]).await;
        assert!(std::fs::read(&first).unwrap() == bytes, "{}", first.display());
    }
    // Life goes on: another version ends, and a person is erased.
    world.account.lock().put("c-03", customer("c-03", "old-4", "2024-08-01T00:00:00Z"));
    rules.ends(0, &["sync", "--full"]).await;
    world.account.lock().put("c-03", customer("c-03", "Fifth", "2024-09-01T00:00:00Z"));
    rules.ends(0, &["sync", "--full"]).await;
    rules.ends(0, &["erase", "--expired", "--yes"]).await.shows(&["2 earlier versions by retention.history"]);
    has_no_old_versions(&world).await;
    rules.ends(0, &["erase", "c-01", "--yes"]).await;
    world.account.lock().remove("c-01");
    has_no_old_versions(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_that_the_mirror_forgot_before_go_from_files_too() {
    let world = world_of_versions().await;
    world.program.clone().set("mirror.history_max_age=1ms").ends(0, &["sync"]).await;
    assert_eq!(world.place.number("SELECT count(*) FROM customers_superseded"), 0);
    assert!(!named_in(&world.place.exports(), b"old-").is_empty());
    // What is newest in a folder that nobody exports to any more stays there, or it would not be whole.
    let elsewhere = world.place.path().join("elsewhere");
    let program = world.program.clone().set(&format!("export.dir={}", elsewhere.display()));
    program.ends(0, &["export"]).await;
    world.account.lock().put("c-04", customer("c-04", "Last", "2024-08-01T00:00:00Z"));
    program.ends(0, &["sync", "--full"]).await;
    program.clone().set("retention.history=1ms").ends(0, &["erase", "--expired", "--yes"]).await;
    assert_eq!(named_in(world.place.path(), b"old-"), Vec::<String>::new());
    program.ends(0, &["export", "verify"]).await;
    world.program.ends(0, &["export", "verify"]).await;
    world.program.ends(0, &["export"]).await;
    has_no_old_versions(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_of_versions_that_is_killed_is_ended_by_the_next_run() {
    for point in ["before-commit:1", "after-commit:1", "before-rename:2", "before-rename:5", "after-commit:3"]
    {
        let world = world_of_versions().await;
        let rules = with_rule_of_versions(&world);
        let ran = rules
            .clone()
            .variable("MALOMO_MIRROR_FAIL_POINT", point)
            .run(&["erase", "--expired", "--yes"])
            .await;
        assert!(ran.signal().is_some(), "{point}: {}{}", ran.stdout, ran.stderr);
        rules.ends(0, &["sync"]).await;
        if point == "before-commit:1" {
            rules.ends(0, &["erase", "--expired", "--yes"]).await;
        }
        has_no_old_versions(&world).await;
    }
}
