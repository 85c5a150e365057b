//! Small export files that are joined: by hand and after runs, killed anywhere, and what consumers see of it.

use crate::support::{
    Account, FORMATS, State, World, assert_everything_equals, assert_no_strays, assert_same, customer,
    manifest, replay,
};
use serde_json::Value;

const ROUNDS: usize = 8;

/// A mirror with an increment for each of some rounds.
async fn world_with_increments(compression: &str) -> World {
    let world = World::of(Account::of(6, 1, 4)).await.set("sync.events_max_age=0s");
    let world = world.set(&format!("export.formats={FORMATS}"));
    let world = world.set(&format!("export.compression={compression}"));
    for n in 0..ROUNDS {
        change(&world, n);
        world.program.ends(0, &["sync"]).await;
    }
    world
}

fn change(world: &World, n: usize) {
    let mut account = world.account.lock();
    account.put("c-01", customer("c-01", &format!("Name {n}"), &format!("2024-06-01T00:00:{n:02}Z")));
    account.add_event("c-02", &format!("c-02-new-{n}"));
    if n == 5 {
        account.remove("c-03");
    }
}

fn lines(world: &World, stream: &str, format: &str) -> Vec<Value> {
    let lines = manifest(&world.place).into_iter();
    lines.filter(|line| line["stream"] == stream && line["format"] == format).collect()
}

async fn is_good(world: &World) {
    assert_everything_equals(&world.account.state(), &world.place);
    world.program.ends(0, &["export", "verify"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn increments_are_joined_and_everything_goes_on() {
    for compression in ["none", "gzip", "zstd"] {
        let world = world_with_increments(compression).await;
        let dry = world.program.ends(0, &["export", "compact", "--dry-run"]).await;
        dry.shows(&[&format!("from {ROUNDS} files"), "would become"]);
        assert_eq!(lines(&world, "events", "csv").len(), ROUNDS);
        let done = world.program.ends(0, &["export", "compact", "--json"]).await.json();
        assert_eq!((&done["files"][0]["files"], &done["damaged"]), (&ROUNDS.into(), &Value::Array(vec![])));
        for line in manifest(&world.place) {
            assert_eq!((&line["first_seq"], &line["joined"]), (&1.into(), &ROUNDS.into()), "{line}");
        }
        assert_eq!(lines(&world, "events", "csv").len(), 1);
        is_good(&world).await;
        world.program.ends(0, &["export", "compact"]).await.shows(&["no neighbours are small enough"]);
        // A file that is lost comes back as it was.
        let path = world.place.exports().join(lines(&world, "events", "ndjson")[0]["path"].as_str().unwrap());
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        world.program.ends(0, &["export", "repair"]).await.shows(&["byte for byte as before"]);
        assert!(std::fs::read(&path).unwrap() == bytes);
        // The next run goes on behind them; and joins by itself, where it is told to.
        for n in ROUNDS..ROUNDS + 4 {
            change(&world, n);
            world.program.ends(0, &["sync"]).await;
        }
        change(&world, ROUNDS + 4);
        let joining = world.program.clone().set("export.compact_after=1ms");
        let synced = joining.ends(0, &["sync", "--json"]).await.json();
        let compacted = synced["export"]["compacted"].as_array().unwrap();
        assert!(!compacted.is_empty() && synced["export"]["not_compacted"].is_null(), "{synced}");
        is_good(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compaction_that_is_killed_anywhere_loses_nothing() {
    for point in [
        "before-rename:1",
        "before-rename:3",
        "before-rename:5",
        "before-commit:1",
        "after-commit:1",
        "after-commit:2",
    ] {
        let world = world_with_increments("gzip").await;
        let dying = world.program.clone().variable("MALOMO_MIRROR_FAIL_POINT", point);
        let ran = dying.run(&["export", "compact"]).await;
        assert!(ran.signal().is_some(), "{point}: {}{}", ran.stdout, ran.stderr);
        let state = State::of_mirror(&world.place);
        for format in ["csv", "ndjson"] {
            assert_same(&state, &replay(&world.place, format), point);
        }
        world.program.ends(0, &["export", "verify"]).await;
        change(&world, ROUNDS);
        world.program.ends(0, &["sync"]).await;
        assert_no_strays(&world.place);
        world.program.ends(0, &["export", "compact"]).await;
        assert_eq!(lines(&world, "customers", "csv").len(), 1, "{point}");
        assert_no_strays(&world.place);
        is_good(&world).await;
    }
}
