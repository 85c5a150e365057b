//! The process dies at a chosen point, as if the power failed there; a plain run then makes everything good.

use crate::effort::Effort;
use crate::findings::Findings;
use crate::support::{Place, Program, manifest};
use crate::test_account::{Mirrored, account, change, mirrored, program};
use rusqlite::Connection;

/// What `abort` sends.
const ABORTED: i32 = 6;

/// Points that every sync with changes in both streams comes to, each with how often.
const POINTS: [(&str, u64); 7] = [
    ("before-commit", 6),
    ("after-commit", 6),
    ("before-run-record", 1),
    // Two streams in two formats; before them, the first time, the data package.
    ("before-rename", 4),
    ("before-manifest", 1),
    ("half-manifest", 1),
    ("before-anchor", 1),
];

/// Those that every first snapshot of two streams in two formats, and the data package, comes to.
const SNAPSHOT_POINTS: [(&str, u64); 4] =
    [("before-rename", 5), ("before-manifest", 1), ("half-manifest", 1), ("before-anchor", 1)];

/// Those that a repair comes to whose file comes back with other bytes, and a pruning of old files: a manifest is replaced.
const REPLACING_POINTS: [(&str, u64); 2] = [("before-rename", 1), ("after-commit", 2)];

/// The point of a mirror's creation: once for the first schema, and for each after it.
fn migrations() -> (&'static str, u64) {
    let schemas = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/schema")).unwrap();
    let schemas = schemas.filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_file());
    ("migration", schemas.count() as u64)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_wherever_the_process_dies() {
    scenario(&Effort::of_environment()).await.assert_clean();
}

pub async fn scenario(effort: &Effort) -> Findings {
    if !cfg!(debug_assertions) {
        // A release build has no such points.
        return Findings::default();
    }
    let mut tries = Vec::new();
    for compression in if effort.is_long { &["none", "gzip", "zstd"][..] } else { &["none"] } {
        let of_the_first = [migrations(), ("first-load", 3)];
        let first = POINTS.into_iter().chain(of_the_first).map(|point| (true, point));
        for (is_first, (point, times)) in first.chain(POINTS.map(|point| (false, point))) {
            tries.extend((1..=times).map(|time| (*compression, is_first, format!("{point}:{time}"))));
        }
    }
    let syncs = tries.into_iter().map(|(compression, is_first, point)| one(compression, is_first, point));
    let mut found = effort.all(syncs).await;
    found.add(effort.all(UPGRADE_POINTS.into_iter().map(|(time, version)| upgrade(time, version))).await);
    let each = |(point, times): (&'static str, u64)| (1..=times).map(move |time| format!("{point}:{time}"));
    found.add(effort.all(SNAPSHOT_POINTS.into_iter().flat_map(each).map(snapshot)).await);
    found.add(effort.all(REPLACING_POINTS.into_iter().flat_map(each).map(pruning)).await);
    found.add(effort.all((1..=COMMITS_OF_A_RUN).map(forgetting)).await);
    found
}

/// A run that finds nothing new commits no more often than this, what it forgets of the history included.
const COMMITS_OF_A_RUN: u64 = 8;

/// Old versions are forgotten, and the process dies before one of the run's commits.
async fn forgetting(commit: u64) -> Findings {
    let Mirrored { mut found, account, place, program, server: _server } = mirrored(account(12, 2, 4)).await;
    change(&mut account.lock(), &mut fastrand::Rng::with_seed(1), 1);
    found.ended(&program.run(&["sync"]).await, &[0]);
    let versions =
        "SELECT (SELECT count(*) FROM customers_superseded) + (SELECT count(*) FROM events_superseded)";
    found.check(place.number(versions) > 0, || "no version is to be forgotten".to_owned());
    let forgetting = program.clone().set("mirror.history_max_age=1ms");
    let point = format!("before-commit:{commit}");
    let ran = forgetting.clone().variable("MALOMO_MIRROR_FAIL_POINT", &point).run(&["sync"]).await;
    found.heard(&ran);
    found.deaths += u64::from(ran.signal().is_some());
    found.ended(&forgetting.run(&["sync"]).await, &[0]);
    let left = place.number(versions);
    found.check(left == 0, || format!("{left} versions are left"));
    found.judge(&account.state(), &place, &program).await;
    found
}

async fn dies(found: &mut Findings, program: &Program, point: &str, arguments: &[&str]) {
    let ran = program.clone().variable("MALOMO_MIRROR_FAIL_POINT", point).run(arguments).await;
    found.heard(&ran);
    found.deaths += u64::from(ran.signal().is_some());
    found.check(ran.signal() == Some(ABORTED), || format!("it did not die at {point}: {}", ran.stderr));
}

async fn one(compression: &str, is_first: bool, point: String) -> Findings {
    let mut found = Findings::of_a_try();
    let account = account(12, 2, 4).shared();
    let server = account.serve().await;
    let place = Place::new();
    let program = program(&place, &server.base_url()).set(&format!("export.compression={compression}"));
    if is_first {
        dies(&mut found, &program, &point, &["sync", "--full"]).await;
    } else {
        found.ended(&program.run(&["sync", "--full"]).await, &[0]);
        change(&mut account.lock(), &mut fastrand::Rng::with_seed(1), 1);
        dies(&mut found, &program, &point, &["sync"]).await;
    }
    found.ended(&program.run(&["sync"]).await, &[0]);
    found.judge(&account.state(), &place, &program).await;
    found
}

/// The points of a migration from the first version at which the process dies, and the version that the mirror then has:
/// before anything is durable; while rows are moved, which is committed step by step; and before they take their place.
const UPGRADE_POINTS: [(u64, i64); 3] = [(1, 1), (11, 11), (12, 11)];

/// A mirror of the first version, with rows in it, is brought to the newest one and the process dies over it.
async fn upgrade(time: u64, version: i64) -> Findings {
    let Mirrored { mut found, account, place, program, server: _server } = mirrored(account(12, 2, 4)).await;
    put_back_to_the_first_version(&place);
    change(&mut account.lock(), &mut fastrand::Rng::with_seed(1), 1);
    dies(&mut found, &program, &format!("migration:{time}"), &["sync"]).await;
    let told = place.number("PRAGMA user_version");
    found.check(told == version, || format!("half a migration is told as version {told}"));
    found.ended(&program.run(&["sync"]).await, &[0]);
    found.judge(&account.state(), &place, &program).await;
    found
}

/// A mirror with the same rows, as the first version of the schema had them.
fn put_back_to_the_first_version(place: &Place) {
    let old = place.path().join("old.db");
    let connection = Connection::open(&old).unwrap();
    connection.execute_batch(include_str!("../../schema/0001_mirror.sql")).unwrap();
    connection.execute("ATTACH ?1 AS newest", [place.mirror().to_str().unwrap()]).unwrap();
    let texts = |sql: &str| -> Vec<String> {
        let mut select = connection.prepare(sql).unwrap();
        select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    for table in texts(
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'export_files'",
    ) {
        let columns = texts(&format!("SELECT name FROM pragma_table_info('{table}', 'main')")).join(", ");
        let copy = format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newest.{table}");
        connection.execute(&copy, []).unwrap();
    }
    // What later versions have put there.
    connection.execute("DELETE FROM main.meta WHERE key <> 'mirror_id'", []).unwrap();
    // It had a copy of the manifest.
    let copy = "INSERT INTO main.export_files SELECT ?1 ->> 'stream', ?1 ->> 'format', ?1 ->> 'first_seq', \
                ?1 ->> 'last_seq', ?1 ->> 'path', ?1 ->> 'rows', ?1 ->> 'bytes', ?1 ->> 'sha256', ?1 ->> 'created_at'";
    for line in manifest(place) {
        connection.execute(copy, [line.to_string()]).unwrap();
    }
    let mark: i64 = connection.query_row("PRAGMA newest.application_id", [], |row| row.get(0)).unwrap();
    connection.execute_batch(&format!("PRAGMA application_id = {mark}; PRAGMA user_version = 1")).unwrap();
    drop(connection);
    // With the last connection SQLite has taken away what lay beside the newest one.
    assert!(!place.path().join("mirror.db-wal").exists());
    std::fs::rename(old, place.mirror()).unwrap();
}

async fn snapshot(point: String) -> Findings {
    let Mirrored { mut found, account, place, program, server: _server } = mirrored(account(12, 2, 4)).await;
    dies(&mut found, &program, &point, &["export", "--snapshot"]).await;
    found.ended(&program.run(&["export", "--snapshot"]).await, &[0]);
    found.judge(&account.state(), &place, &program).await;
    found
}

/// Old files are removed that a snapshot stands for.
async fn pruning(point: String) -> Findings {
    let Mirrored { mut found, account, place, program, server: _server } = mirrored(account(12, 2, 4)).await;
    found.ended(&program.run(&["export", "--snapshot"]).await, &[0]);
    change(&mut account.lock(), &mut fastrand::Rng::with_seed(1), 1);
    found.ended(&program.run(&["sync"]).await, &[0]);
    let removing = program.clone().set("export.max_age=1ms");
    dies(&mut found, &removing, &point, &["export"]).await;
    found.ended(&removing.run(&["export"]).await, &[0]);
    // The files that are left begin behind the snapshot, which the judge of rows doesn't read.
    found.judge_soundness(&place, &program).await;
    let left = manifest(&place);
    found.check(left.len() == 4, || format!("{} lines are left, not the newest 4", left.len()));
    found
}
