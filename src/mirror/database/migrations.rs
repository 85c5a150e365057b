//! Migrations: the numbered files of `schema/`, applied in order. SQLite's `user_version` holds the number of the last one.
//!
//! They are applied in one transaction, but for the move of an older mirror's rows into the tables of version 11, which
//! takes long: it is committed step by step, beside the tables that readers see meanwhile (`row_move`).

use super::row_move;
use crate::failpoint::{self, Place};
use crate::mirror::MirrorError;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::Path;

/// Every schema text, in order; number n brings version n-1 to version n. A published one is never edited.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../schema/0001_mirror.sql"),
    include_str!("../../../schema/0002_audit.sql"),
    include_str!("../../../schema/0003_list_marks.sql"),
    include_str!("../../../schema/0004_evidence.sql"),
    include_str!("../../../schema/0005_rejected.sql"),
    include_str!("../../../schema/0006_exports.sql"),
    include_str!("../../../schema/0007_stream_totals.sql"),
    include_str!("../../../schema/0008_export_folders.sql"),
    include_str!("../../../schema/0009_run_hints.sql"),
    include_str!("../../../schema/0010_streams.sql"),
    include_str!("../../../schema/0011_rows_as_changes.sql"),
    include_str!("../../../schema/0012_history.sql"),
    include_str!("../../../schema/0013_looks.sql"),
    include_str!("../../../schema/0014_webhook_hints.sql"),
    include_str!("../../../schema/0015_answers.sql"),
    include_str!("../../../schema/0016_erasures.sql"),
    include_str!("../../../schema/0017_retention.sql"),
];

/// The version in which an older mirror's rows are moved.
const MOVING: i64 = 11;

/// "MaMi": tells a mirror from any other SQLite database.
const APPLICATION_ID: i64 = 0x4d61_4d69;

/// The version that this program reads and writes.
pub(in crate::mirror) const CURRENT: i64 = MIGRATIONS.len() as i64;

/// Brings the database to [`CURRENT`]. Every transaction begins with reading the version: of two who start at once, the
/// second finds the work done. A database that holds tables but not our mark is left alone. If the process dies, readers
/// see the mirror as it was, and the next call goes on with it.
pub(in crate::mirror) fn migrate(connection: &Connection, path: &Path) -> Result<(), MirrorError> {
    match version(connection, path)? {
        CURRENT => return Ok(()),
        0 => return advance(connection, path, CURRENT),
        _ => {}
    }
    // Else no table could take another's name where somebody has made a view on that one.
    connection.pragma_update(None, "legacy_alter_table", true)?;
    let migrated = advance(connection, path, MOVING)
        .and_then(|()| row_move::run(connection, || Ok(version(connection, path)? == MOVING)))
        .and_then(|()| advance(connection, path, CURRENT));
    connection.pragma_update(None, "legacy_alter_table", false)?;
    migrated
}

/// Brings the database to version `to` or beyond, in one transaction.
fn advance(connection: &Connection, path: &Path, to: i64) -> Result<(), MirrorError> {
    let failed = |version: i64| move |source| MirrorError::Migration { version, source };
    let transaction =
        Transaction::new_unchecked(connection, TransactionBehavior::Immediate).map_err(failed(to))?;
    let found = version(&transaction, path)?;
    if found > CURRENT {
        return Err(MirrorError::TooNew { path: path.to_owned(), found, known: CURRENT });
    }
    for from in found..to {
        step(&transaction, from).map_err(failed(from + 1))?;
    }
    transaction.commit().map_err(failed(to))
}

/// Refuses every version but [`CURRENT`].
pub(in crate::mirror) fn check_current(connection: &Connection, path: &Path) -> Result<(), MirrorError> {
    let path = path.to_owned();
    match version(connection, &path)? {
        0 => Err(MirrorError::NotReady { path }),
        found if found < CURRENT => Err(MirrorError::TooOld { path, found, known: CURRENT }),
        found if found > CURRENT => Err(MirrorError::TooNew { path, found, known: CURRENT }),
        _ => Ok(()),
    }
}

/// The version, 0 for an empty database. Refuses a database of somebody else.
pub(in crate::mirror) fn version(connection: &Connection, path: &Path) -> Result<i64, MirrorError> {
    // In one statement: a run may be creating the mirror.
    let sql = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema) \
               FROM pragma_application_id, pragma_user_version";
    let read = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let (application, version, tables): (i64, i64, i64) =
        read.map_err(|source| MirrorError::open(path, source))?;
    if application == APPLICATION_ID || (application == 0 && version == 0 && tables == 0) {
        return Ok(version);
    }
    Err(MirrorError::NotAMirror { path: path.to_owned() })
}

fn step(transaction: &Transaction<'_>, from: i64) -> rusqlite::Result<()> {
    transaction.execute_batch(MIGRATIONS[from as usize])?;
    failpoint::reached(Place::Migration);
    if from == 0 {
        let id = uuid::Uuid::new_v4().to_string();
        transaction.execute("INSERT INTO meta (key, value) VALUES ('mirror_id', ?1)", [id])?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    transaction.pragma_update(None, "user_version", from + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::Mirror;
    use crate::record::Stream;

    #[test]
    fn every_column_is_commented_or_speaks_for_itself() {
        let tables = MIGRATIONS.iter().flat_map(|text| text.split("CREATE TABLE").skip(1));
        for table in tables {
            assert!(table.contains("STRICT"), "{table}");
            assert!(table.contains("--"), "{table}");
        }
    }

    #[test]
    fn a_new_mirror_has_the_current_version_and_keeps_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/mirror.db");
        let id = Mirror::open(&path).unwrap().id().to_owned();
        assert_eq!(Mirror::open(&path).unwrap().id(), id);
        assert_eq!(Mirror::open_read_only(&path).unwrap().id(), id);
    }

    #[test]
    fn a_mirror_that_is_still_being_created_is_no_other_programs_database() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mirror.db");
        std::fs::write(&path, "").unwrap();
        assert!(matches!(Mirror::open_read_only(&path), Err(MirrorError::NotReady { .. })));
        drop(Mirror::open(&path).unwrap());
        assert!(Mirror::open_read_only(&path).is_ok());
    }

    /// A mirror as its first version made it, with a run and a customer in it.
    fn mirror_of_version_1(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO meta (key, value) VALUES ('mirror_id', 'the-first');
                 INSERT INTO sync_runs (mode, started_at, outcome) VALUES ('full', '2026-01-01T00:00:00.000Z', 'ok');
                 INSERT INTO sync_runs (mode, started_at, outcome, error)
                     VALUES ('full', '2026-01-02T00:00:00.000Z', 'failed', 'the API refused; what to do: Check the key.');
                 INSERT INTO changes (stream, op, id, observed_at, run_id)
                     VALUES ('customers', 'insert', 'c-1', '2026-01-01T00:00:00.000Z', 1);
                 INSERT INTO customers (id, first_name, extra, change_seq) VALUES ('c-1', 'Ann', '{\"balance\":12.30}', 1);
                 INSERT INTO export_files VALUES ('customers', 'csv', 1, 1, 'customers/f.csv', 1, 2, '00', 't');
                 CREATE VIEW an_analysts AS SELECT count(*) AS n FROM customers JOIN changes USING (id) LEFT JOIN events
                     ON events.customer_id = customers.id;
                 PRAGMA user_version = 1;",
            )
            .unwrap();
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        connection
    }

    #[test]
    fn a_mirror_of_version_1_is_brought_up_to_date_with_all_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mirror.db");
        drop(mirror_of_version_1(&path));
        assert!(matches!(
            Mirror::open_read_only(&path),
            Err(MirrorError::TooOld { found: 1, known: CURRENT, .. })
        ));
        for _ in 0..2 {
            let mut mirror = Mirror::open(&path).unwrap();
            assert_eq!(mirror.id(), "the-first");
            let batch = mirror.batch().unwrap();
            let kept = batch.stored(Stream::Customers, "c-1").unwrap().unwrap().record;
            assert_eq!(kept.text("extra"), Some("{\"balance\":12.30}"));
            drop(batch);
            let snapshot = mirror.snapshot().unwrap();
            let runs = snapshot.newest_runs(5).unwrap();
            assert_eq!((snapshot.head().unwrap(), runs.len()), (1, 2));
            let told = [&runs[0].error, &runs[0].what_to_do].map(Option::as_deref);
            assert_eq!(told, [Some("the API refused"), Some("Check the key.")]);
            assert_eq!((&runs[1].error, &runs[1].what_to_do), (&None, &None));
            assert_eq!(snapshot.last_audit().unwrap(), None);
            let totals = snapshot.freshness().unwrap();
            let totals: Vec<_> =
                totals.iter().map(|s| (s.stream.name(), s.row_count, s.last_change_seq)).collect();
            assert_eq!(totals, [("customers", 1, 1), ("events", 0, 0)]);
            // Of exports the newest files are remembered, by an unknown folder.
            let folders = snapshot.export_folders("changes").unwrap();
            let reached: serde_json::Value = serde_json::from_str(&folders[0].reached).unwrap();
            assert_eq!((folders.len(), folders[0].folder.as_str()), (1, ""));
            assert_eq!(
                (&reached["files"][0]["path"], &reached["fronts"]),
                (&"customers/f.csv".into(), &serde_json::json!([]))
            );
        }
        let mirror = Mirror::open_read_only(&path).unwrap();
        assert_eq!(mirror.id(), "the-first");
        let seen = mirror.connection.query_row("SELECT n FROM an_analysts", [], |row| row.get(0));
        assert_eq!(seen, Ok(1), "views that people have made go on");
    }

    #[test]
    fn the_newest_exports_and_what_was_pruned_of_each_folder_are_remembered() {
        let connection = Connection::open_in_memory().unwrap();
        MIGRATIONS[..7].iter().for_each(|text| connection.execute_batch(text).unwrap());
        for (folder, format, first, last) in
            [("/a", "csv", 1, 5), ("/a", "csv", 6, 9), ("/a", "ndjson", 1, 9), ("/b", "csv", 1, 2)]
        {
            let sql = "INSERT INTO export_files VALUES (?1, 'events', ?2, ?3, ?4, 'f', 1, 2, '00', 't')";
            connection.execute(sql, (folder, format, first, last)).unwrap();
        }
        let through = r#"[{"stream":"events","format":"csv","last_seq":5}]"#;
        let pruned = format!(
            r#"[{{"dir":"/a","snapshots":false,"digest":"x","through":{through}}},
                {{"dir":"/c/snapshots","snapshots":true,"digest":"y","through":[]}}]"#
        );
        connection.execute("INSERT INTO meta VALUES ('export_pruned', ?1)", [pruned]).unwrap();
        connection.execute_batch(MIGRATIONS[7]).unwrap();
        let rows = "SELECT folder, kind, (SELECT group_concat(f.value ->> 'last_seq') FROM json_each(reached, '$.files') f), \
                    reached -> '$.fronts' FROM export_folders ORDER BY folder";
        let mut select = connection.prepare(rows).unwrap();
        let read = |row: &rusqlite::Row<'_>| {
            Ok([row.get(0)?, row.get(1)?, row.get::<_, Option<String>>(2)?, row.get(3)?])
        };
        let rows: Vec<[Option<String>; 4]> =
            select.query_map([], read).unwrap().map(Result::unwrap).collect();
        let front = format!(r#"[{{"last_line":"x","through":{through}}}]"#);
        let expected = [
            ["/a", "changes", "9,9", &front],
            ["/b", "changes", "2", "[]"],
            ["/c", "snapshots", "", r#"[{"last_line":"y","through":[]}]"#],
        ];
        let rows: Vec<Vec<&str>> =
            rows.iter().map(|row| row.iter().map(|text| text.as_deref().unwrap_or("")).collect()).collect();
        assert_eq!(rows, expected.map(|row| row.to_vec()));
    }

    #[test]
    fn many_who_open_an_old_mirror_at_once_migrate_it_once() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..10 {
            let path = folder.path().join(format!("{n}.db"));
            drop(mirror_of_version_1(&path));
            std::thread::scope(|scope| {
                let opening =
                    (0..4).map(|_| scope.spawn(|| Mirror::open(&path).map(|mirror| mirror.id().to_owned())));
                for opened in opening.collect::<Vec<_>>() {
                    assert_eq!(opened.join().unwrap().unwrap(), "the-first");
                }
            });
        }
    }

    #[test]
    fn who_reads_a_copy_with_another_journal_delays_its_opening_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mirror.db");
        let reader = mirror_of_version_1(&path);
        reader.execute_batch("BEGIN; SELECT * FROM meta;").unwrap();
        std::thread::scope(|scope| {
            let (done, opened) = std::sync::mpsc::channel();
            let path = &path;
            scope.spawn(move || done.send(Mirror::open(path).map(drop)).unwrap());
            let early = opened.recv_timeout(std::time::Duration::from_millis(50));
            assert!(early.is_err(), "{early:?}");
            reader.execute_batch("COMMIT").unwrap();
            opened.recv().unwrap().unwrap();
        });
    }

    #[test]
    fn who_has_no_lock_creates_and_migrates_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mirror.db");
        assert!(matches!(Mirror::open_read_only(&path), Err(MirrorError::Missing { .. })));
        assert!(!path.exists());
        let old = mirror_of_version_1(&path);
        assert!(matches!(Mirror::open_read_only(&path), Err(MirrorError::TooOld { found: 1, .. })));
        assert_eq!(version(&old, &path).unwrap(), 1);
    }

    #[test]
    fn a_newer_mirror_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mirror.db");
        Mirror::open(&path).unwrap().connection.pragma_update(None, "user_version", CURRENT + 1).unwrap();
        assert!(matches!(Mirror::open(&path), Err(MirrorError::TooNew { .. })));
        assert!(matches!(Mirror::open_read_only(&path), Err(MirrorError::TooNew { .. })));
    }

    #[test]
    fn somebody_elses_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other.db");
        Connection::open(&other).unwrap().execute_batch("CREATE TABLE customers (id)").unwrap();
        let before = std::fs::read(&other).unwrap();
        assert!(matches!(Mirror::open(&other), Err(MirrorError::NotAMirror { .. })));
        assert_eq!(std::fs::read(&other).unwrap(), before);
        let text = folder.path().join("notes.txt");
        std::fs::write(&text, "x".repeat(4096)).unwrap();
        assert!(matches!(Mirror::open(&text), Err(MirrorError::Open { .. })));
        assert_eq!(std::fs::read_to_string(&text).unwrap().len(), 4096);
        let absent = folder.path().join("absent.db");
        assert!(matches!(Mirror::open_read_only(&absent), Err(MirrorError::Missing { .. })));
        assert!(!absent.exists());
    }
}
