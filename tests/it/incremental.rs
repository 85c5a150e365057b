//! Incremental syncs: what changed at the API reaches mirror and exports, and what did not is left alone.

use crate::support::{
    Cell, Place, Program, Row, State, assert_counts_are_true, assert_everything_equals, assert_no_strays,
    manifest, sandbox,
};
use malomo_mirror::sandbox::{CustomerField, CustomerFields, Sandbox, Settings};

async fn world() -> (Sandbox, Place, Program) {
    let settings = Settings {
        customers: 60,
        events_per_customer: 2.0,
        page_size: 10,
        awkward: true,
        ..Settings::default()
    };
    let sandbox = sandbox(settings).await;
    let place = Place::new();
    let program = place.program(&sandbox.base_url());
    program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&State::of_world(&sandbox.world()), &place);
    (sandbox, place, program)
}

fn first_name(name: &str) -> CustomerFields {
    CustomerFields::default().set(CustomerField::FirstName, name)
}

/// The operations of a stream after a change, sorted.
fn operations(place: &Place, stream: &str, after: i64) -> Vec<String> {
    let sql = format!("SELECT op FROM changes WHERE stream = '{stream}' AND seq > {after} ORDER BY op");
    place.query(&sql).iter().map(|row| row["op"].text().to_owned()).collect()
}

fn newest_change(place: &Place) -> i64 {
    place.number("SELECT max(seq) FROM changes")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_change_arrives() {
    let (sandbox, place, program) = world().await;
    let world = sandbox.world();
    let ids = world.customer_ids();
    for id in &ids[..5] {
        world.set_event_count(id, 3);
    }
    program.ends(0, &["sync", "--full"]).await;
    let before = newest_change(&place);
    // Two new customers, one of them with an event.
    let new = world.create_customer(first_name("New").set_null(CustomerField::Email));
    world.create_customer(first_name("=1+1\n\"new\""));
    world.add_event(&new).unwrap();
    // Three changed ones: with a new event, a revised one, one that is gone.
    for id in &ids[..3] {
        world.update_customer(id, first_name("Changed"));
    }
    world.add_event(&ids[0]).unwrap();
    assert!(world.revise_event(&ids[1], &world.event_ids(&ids[1])[1]));
    assert!(world.delete_event(&ids[2], &world.event_ids(&ids[2])[1]));
    // Two that are gone, with three events each.
    assert!(world.delete_customer(&ids[3]) && world.delete_customer(&ids[4]));
    program.ends(0, &["sync"]).await;
    assert_everything_equals(&State::of_world(&world), &place);
    assert_no_strays(&place);
    let customers = ["delete", "delete", "insert", "insert", "update", "update", "update"];
    assert_eq!(operations(&place, "customers", before), customers);
    let events = [&["delete"; 7][..], &["insert"; 2], &["update"]].concat();
    assert_eq!(operations(&place, "events", before), events);
    assert_counts_are_true(&place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_rounds_replay_to_the_same() {
    let (sandbox, place, program) = world().await;
    let world = sandbox.world();
    let program = program.set("sync.events_max_age=0s");
    for round in 0..6 {
        let ids = world.customer_ids();
        world.update_customer(&ids[round], first_name(&format!("Round {round}")));
        world.update_customer(&ids[20], first_name(&format!("Again {round}")));
        world.delete_customer(&ids[30]);
        world.create_customer(first_name("New"));
        world.add_event(&ids[40]).unwrap();
        let event = world.event_ids(&ids[40])[0].clone();
        assert!(if round % 2 == 0 {
            world.revise_event(&ids[40], &event)
        } else {
            world.delete_event(&ids[40], &event)
        });
        let compression = ["none", "gzip", "zstd"][round % 3];
        program.clone().set(&format!("export.compression={compression}")).ends(0, &["sync"]).await;
        assert_everything_equals(&State::of_world(&world), &place);
    }
    assert_no_strays(&place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_change_nothing_is_written_and_no_events_are_asked_for() {
    let (sandbox, place, program) = world().await;
    let (contents, files, asked) = (place.contents(), manifest(&place), sandbox.requests());
    let report = program.ends(0, &["sync", "--json"]).await.json();
    assert_eq!(report["outcome"], "ok");
    assert_eq!(report["export"]["files"], serde_json::json!([]));
    assert_eq!(sandbox.requests().event_pages, asked.event_pages);
    assert_eq!(sandbox.requests().retrieves, asked.retrieves);
    assert_eq!(sandbox.requests().customer_pages, asked.customer_pages + 6);
    assert_eq!(place.contents(), contents);
    assert_eq!(manifest(&place), files);
    assert_no_strays(&place);
    // A full sync asks for everything, and still changes nothing but when it looked.
    program.ends(0, &["sync", "--full"]).await;
    assert!(sandbox.requests().event_pages >= asked.event_pages + 60);
    let rows = |contents: Vec<(String, Vec<Row>)>| {
        let about_looks = ["event_rates", "look_signals", "unseen_times"];
        let others = contents.into_iter().filter(|(table, _)| !about_looks.contains(&table.as_str()));
        let mut rows: Vec<_> = others.flat_map(|(_, rows)| rows).collect();
        for row in &mut rows {
            for column in ["events_checked_at", "events_looked_at", "newest_event", "newest_event_at"] {
                row.remove(column);
            }
        }
        rows
    };
    assert_eq!(rows(place.contents()), rows(contents));
    assert_eq!(manifest(&place), files);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_customer_that_did_not_move_wait_for_their_turn() {
    let (sandbox, place, program) = world().await;
    let world = sandbox.world();
    let before = State::of_world(&world);
    let ids = world.customer_ids();
    world.set_event_count(&ids[7], 3);
    world.add_event(&ids[8]).unwrap();
    let asked = sandbox.requests().event_pages;
    program.ends(0, &["sync"]).await;
    assert_eq!(sandbox.requests().event_pages, asked);
    assert_everything_equals(&before, &place);
    // Their age is over: `0s` means in every run.
    program.clone().set("sync.events_max_age=0s").ends(0, &["sync"]).await;
    assert_everything_equals(&State::of_world(&world), &place);
    // A revision and a deletion, found by a full sync at once.
    let events = world.event_ids(&ids[7]);
    assert!(world.revise_event(&ids[7], &events[0]) && world.delete_event(&ids[7], &events[1]));
    program.ends(0, &["sync"]).await;
    assert_ne!(State::of_mirror(&place).events, State::of_world(&world).events);
    program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&State::of_world(&world), &place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_come_due_when_their_age_is_over() {
    let (sandbox, place, program) = world().await;
    let world = sandbox.world();
    world.add_event(&world.customer_ids()[8]).unwrap();
    // Between the runs passes more than a millisecond, whatever the machine.
    program.set("sync.events_max_age=1ms").ends(0, &["sync"]).await;
    assert_everything_equals(&State::of_world(&world), &place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn customers_come_and_go_between_one_run_and_the_next() {
    let (sandbox, place, program) = world().await;
    let world = sandbox.world();
    // Made and gone before anybody looked: no trace.
    let before = newest_change(&place);
    let id = world.create_customer(first_name("Short"));
    world.add_event(&id).unwrap();
    world.delete_customer(&id);
    program.ends(0, &["sync"]).await;
    assert_eq!(newest_change(&place), before);
    // Seen once, then gone: its whole life stands in the change log, and the exports replay to nothing.
    let id = world.create_customer(first_name("Longer"));
    world.add_event(&id).unwrap();
    program.ends(0, &["sync"]).await;
    world.delete_customer(&id);
    program.ends(0, &["sync"]).await;
    let life = place
        .query(&format!("SELECT op, evidence FROM changes WHERE seq > {before} AND stream = 'customers'"));
    let life: Vec<&str> = life.iter().map(|row| row["op"].text()).collect();
    assert_eq!(life, ["insert", "delete"]);
    assert_everything_equals(&State::of_world(&world), &place);
    let evidence = place.query("SELECT evidence FROM changes WHERE op = 'delete'");
    assert!(evidence.iter().all(|row| row["evidence"] != Cell::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_by_itself_catches_up_and_then_has_nothing_to_do() {
    let (sandbox, place, program) = world().await;
    // A format that comes later starts with the first change.
    let only_csv = Place::new();
    let csv = only_csv.program(&sandbox.base_url()).set("export.formats=csv");
    csv.ends(0, &["sync", "--full"]).await;
    assert!(manifest(&only_csv).iter().all(|line| line["format"] == "csv"));
    only_csv.program(&sandbox.base_url()).ends(0, &["export"]).await;
    assert_eq!(manifest(&only_csv).len(), 4);
    assert_everything_equals(&State::of_world(&sandbox.world()), &only_csv);
    // Nothing new: nothing written.
    let before = manifest(&place);
    let result = program.ends(0, &["export", "--json"]).await.json();
    assert_eq!(result["files"], serde_json::json!([]));
    assert_eq!(manifest(&place), before);
    assert_no_strays(&place);
}
