//! Looks at customers' events before their turn: where news are likely, and no more than the budget allows.

use crate::support::{Place, sandbox};
use malomo_mirror::sandbox::{Sandbox, Settings, World};
use std::collections::HashMap;
use std::time::Duration;

const BUDGET: u64 = 20;

/// A world whose clock stands while nobody moves it; a second of `live` is an hour.
async fn world() -> Sandbox {
    let settings = Settings { customers: 400, page_size: 100, time_factor: 3_600.0, ..Settings::default() };
    sandbox(settings).await
}

/// Three hours pass, with some changes: most of what happens is that parcels travel.
fn pass_time(world: &World) {
    for _ in 0..3 {
        world.churn();
        world.live(Duration::from_secs(1));
    }
}

fn events(world: &World) -> HashMap<String, usize> {
    world.customer_ids().into_iter().map(|id| (id.clone(), world.event_ids(&id).len())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_budget_goes_where_parcels_move() {
    let (sandbox, place) = (world().await, Place::new());
    let world = sandbox.world();
    // So that orders are under way when the mirror begins.
    (0..30).for_each(|_| pass_time(&world));
    let program = place.program(&sandbox.base_url()).set(&format!("sync.event_budget={BUDGET}"));
    program.ends(0, &["sync", "--full"]).await;
    let (mut with_news, mut customers) = (0, 0);
    for _ in 0..25 {
        let before = events(&world);
        pass_time(&world);
        let now = events(&world);
        with_news += now.iter().filter(|(id, number)| before.get(*id).is_some_and(|n| n < number)).count();
        customers += now.len();
        let report = program.ends(0, &["sync", "--json"]).await.json();
        let changed = report["counts"]["customers_inserted"].as_u64().unwrap()
            + report["counts"]["customers_updated"].as_u64().unwrap();
        let lists = report["counts"]["event_walks"].as_u64().unwrap();
        assert!(lists <= BUDGET + changed, "{report}");
    }
    let counted = |signal: &str, what: &str| {
        place.number(&format!("SELECT coalesce(sum({what}), 0) FROM look_signals WHERE signal = '{signal}'"))
    };
    let (looks, hits) = (counted("expected", "looks"), counted("expected", "hits"));
    assert!(looks > 20 * BUDGET as i64 && looks <= 25 * BUDGET as i64, "{looks}");
    // Looking at anybody would have found news so often, had nothing been overlooked before.
    let by_chance = with_news as f64 / customers as f64;
    let (hits, looks) = (hits as f64, looks as f64);
    assert!(hits / looks > 2.0 * by_chance, "{hits} of {looks} looks found news; by chance {by_chance}");
    // What is told of it.
    let times =
        place.query("SELECT unseen_mean_seconds, unseen_p95_seconds FROM freshness WHERE stream = 'events'");
    assert!(times[0]["unseen_p95_seconds"].integer() >= 3_600, "{times:?}");
    program.ends(0, &["status"]).await.shows(&["looks at customers' events", "expected", "were unseen for"]);
    let rate = |kind: &str, age: &str| {
        format!(
            "SELECT coalesce(sum(events) / sum(exposure_days), 0) > 0.5 FROM event_rates \
                 WHERE kind LIKE '{kind}%' AND state LIKE '%{age}%'"
        )
    };
    assert_eq!(place.number(&rate("InTransit/in_transit", "6h to 12h")), 1);
    assert_eq!(place.number(&rate("Delivered/delivered", "over 1y")), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_tells_whom_a_run_would_look_at_and_what_for() {
    let (sandbox, place) = (world().await, Place::new());
    let world = sandbox.world();
    let program = place.program(&sandbox.base_url()).set(&format!("sync.event_budget={BUDGET}"));
    program.ends(0, &["sync", "--full"]).await;
    (0..4).for_each(|_| pass_time(&world));
    let contents = place.contents();
    let plan = program.ends(0, &["sync", "--dry-run", "--json"]).await.json();
    assert_eq!(plan["events_expected"], BUDGET);
    for number in ["expected_events", "expected_unseen_mean_seconds", "expected_unseen_p95_seconds"] {
        assert!(plan[number].as_f64().unwrap() > 0.0, "{plan}");
    }
    program.ends(0, &["sync", "--dry-run"]).await.shows(&["likely to have news", "in the mean"]);
    assert_eq!(place.contents(), contents);
    // The run does what was foretold.
    let report = program.ends(0, &["sync", "--json"]).await.json();
    let lists = BUDGET + plan["events_of_new_or_changed"].as_u64().unwrap();
    assert_eq!(report["counts"]["event_walks"], lists);
    // Without a budget nobody is looked at before their turn.
    let plan = program.set("sync.event_budget=0").ends(0, &["sync", "--dry-run", "--json"]).await.json();
    assert_eq!(plan["events_expected"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_mirror_of_an_older_version_lacks_is_learned_with_the_next_looks() {
    let (sandbox, place) = (world().await, Place::new());
    let program = place.program(&sandbox.base_url()).set(&format!("sync.event_budget={BUDGET}"));
    program.ends(0, &["sync", "--full"]).await;
    let mirror = rusqlite::Connection::open(place.mirror()).unwrap();
    let forget = "UPDATE customers SET events_looked_at = NULL, newest_event = NULL, newest_event_at = NULL, \
                  events_checked_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-2 hours'); \
                  DELETE FROM event_rates; DELETE FROM look_signals;";
    mirror.execute_batch(forget).unwrap();
    drop(mirror);
    program.ends(0, &["sync"]).await;
    let noted = place.number("SELECT count(*) FROM customers WHERE newest_event IS NOT NULL");
    assert!(noted >= BUDGET as i64, "{noted}");
    assert_eq!(place.number("SELECT looks FROM look_signals WHERE signal = 'expected'"), BUDGET as i64);
}
