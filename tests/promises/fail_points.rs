//! The process dies at a chosen point, as if the power failed there; a plain run then makes everything good.

use crate::form::Form;
use crate::judge::Findings;
use crate::people::{account, change, program};
use crate::support::{Place, Program};

/// What `abort` sends.
const ABORTED: i32 = 6;

/// Points that every sync with changes in both streams comes to, each with how often.
const POINTS: [(&str, u64); 6] = [
    ("before-commit", 4),
    ("after-commit", 4),
    ("before-run-record", 1),
    // Two streams in two formats, and the manifest.
    ("before-rename", 5),
    ("before-manifest", 1),
    ("before-copy", 1),
];

/// Files of a snapshot, two streams in two formats, and their manifest.
const SNAPSHOT_RENAMES: u64 = 5;

/// Points of a mirror's creation: the first schema, and those after it.
const MIGRATIONS: (&str, u64) = ("migration", 4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_wherever_the_process_dies() {
    scenario(&Form::of_environment()).await.assert_clean();
}

pub async fn scenario(form: &Form) -> Findings {
    if !cfg!(debug_assertions) {
        // A release build has no such points.
        return Findings::default();
    }
    let mut tries = Vec::new();
    for compression in if form.is_long { &["none", "gzip", "zstd"][..] } else { &["none"] } {
        let first = POINTS.iter().chain([&MIGRATIONS]).map(|point| (true, *point));
        for (is_first, (point, times)) in first.chain(POINTS.map(|point| (false, point))) {
            tries.extend((1..=times).map(|time| (*compression, is_first, format!("{point}:{time}"))));
        }
    }
    let syncs = tries.into_iter().map(|(compression, is_first, point)| one(compression, is_first, point));
    let mut found = form.all(syncs).await;
    found.add(form.all([upgrade()].into_iter()).await);
    found.add(form.all((1..=SNAPSHOT_RENAMES).map(snapshot)).await);
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

/// A mirror of the first version, with rows in it, is brought to the newest one and the process dies over it.
async fn upgrade() -> Findings {
    let mut found = Findings::of_a_try();
    let account = account(12, 2, 4).shared();
    let server = account.serve().await;
    let place = Place::new();
    let program = program(&place, &server.base_url());
    found.ended(&program.run(&["sync", "--full"]).await, &[0]);
    let first = include_str!("../../schema/0001_mirror.sql");
    let exports =
        first.split_inclusive(';').find(|table| table.contains("CREATE TABLE export_files")).unwrap();
    let first_version = format!(
        "DROP TABLE list_marks; DROP TABLE audits; DROP TABLE audit_findings;
         ALTER TABLE changes DROP COLUMN customer_id; ALTER TABLE export_files RENAME TO newer; {exports}
         INSERT INTO export_files SELECT stream, format, first_seq, last_seq, path, rows, bytes, sha256, created_at FROM newer;
         DROP TABLE newer; PRAGMA user_version = 1"
    );
    rusqlite::Connection::open(place.mirror()).unwrap().execute_batch(&first_version).unwrap();
    change(&mut account.lock(), &mut fastrand::Rng::with_seed(1), 1);
    dies(&mut found, &program, "migration:1", &["sync"]).await;
    let version = place.number("PRAGMA user_version");
    found.check(version == 1, || format!("half a migration is told as version {version}"));
    found.ended(&program.run(&["sync"]).await, &[0]);
    found.judge(&account.state(), &place, &program).await;
    found
}

async fn snapshot(time: u64) -> Findings {
    let mut found = Findings::of_a_try();
    let account = account(12, 2, 4).shared();
    let server = account.serve().await;
    let place = Place::new();
    let program = program(&place, &server.base_url());
    found.ended(&program.run(&["sync", "--full"]).await, &[0]);
    dies(&mut found, &program, &format!("before-rename:{time}"), &["export", "--snapshot"]).await;
    found.ended(&program.run(&["export", "--snapshot"]).await, &[0]);
    found.judge(&account.state(), &place, &program).await;
    found
}
