//! The first load of a mirror: it is filled in a file of its own, in the way that is cheapest for a database that nobody
//! reads yet, and takes its place when it is whole.
//!
//! The file is called `MIRROR.loading`. It has no indexes and no triggers on the streams' tables, and a rollback journal, so
//! that a new row is written once, at the end of its table. What was committed stays, however the process ends. At the
//! end the indexes are built, records that were listed twice are told apart, and the file is renamed. Until then the empty
//! mirror stays at its place for readers. It has no write-ahead log. Who still has it open then has to connect again.
//!
//! In: an empty mirror that nobody else has open. Out: the mirror at its place, as if it had been filled there.
//!
//! A run that finds a file of a load that was cut off brings it to its end first, and goes on as with any mirror.

use super::connection::{Mirror, configure, configure_to_load, connect};
use super::database::{BUSY_TIMEOUT, read_only};
use super::error::MirrorError;
use super::tables::{Doubts, MirroredParent};
use super::transaction::{Batch, RunId, Stamp, head};
use crate::diff::{EventPlan, Expiry, Trust};
use crate::failpoint::{self, Place};
use crate::ownership::adopt;
use crate::paths::{beside, folder_of};
use crate::record::{Record, RowSet, Stream};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, ErrorCode, FileControl, OptionalExtension, params};
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the name of a mirror ends that is being filled.
const LOADING: &str = ".loading";

/// How the name of its journal ends.
const JOURNAL: &str = "-journal";

/// How the name of the empty mirror's copy ends, until it is whole.
const COPY: &str = ".loading-new";

/// Records that were listed twice are compared at the end of the load, as far as they are no more than this. If there are
/// more, the lists are not to be trusted; the first listing of each record is kept then, the next run reads all children's
/// lists again, and the run is incomplete.
const LISTED_TWICE_AT_MOST: usize = 10_000;

/// The key in `meta` under which the definitions stand that are to be made again: a JSON array of SQL texts.
const DEFERRED: &str = "deferred_definitions";

/// The end of a first load.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// How many rows of each stream were there before, because their records had been listed twice.
    pub listed_twice: [u64; Stream::ALL.len()],
    /// Of these, how many brought another version, which was taken: each an update.
    pub updated: [u64; Stream::ALL.len()],
    /// Of `listed_twice`, how many were met once more because a list was read again: of parents all of them, and of children
    /// those whose parent was listed twice.
    pub met_again: [u64; Stream::ALL.len()],
    /// Parents whose children are to be read again: what was listed twice doesn't tell whose it is.
    pub read_again: Vec<MirroredParent>,
    /// The rows of parents that were listed in another version, which was not taken: as `stale` in
    /// [`ParentsApplied`](super::ParentsApplied).
    pub stale: [RowSet; Stream::ALL.len()],
    /// Whether more records were listed twice than are compared.
    pub is_truncated: bool,
}

/// Where the mirror is filled that will be at `mirror`.
fn loading_name(mirror: &Path) -> PathBuf {
    beside(mirror, LOADING)
}

impl Mirror {
    /// Begins a first load if the mirror is empty and nobody else has it open; else returns it as it is. `plan` is the run's,
    /// which decides about records that are listed twice.
    ///
    /// # Errors
    /// When the mirror can't be read, or no file can be written beside it.
    pub fn begin_load(self, plan: EventPlan) -> Result<Mirror, MirrorError> {
        if !is_empty(&self.connection)? || !leave_wal_mode(&self.connection)? {
            return Ok(self);
        }
        let (path, loading) = (self.path.clone(), loading_name(&self.path));
        drop(self);
        // Under another name until it is whole.
        let copy = beside(&path, COPY);
        let copied = fs::copy(&path, &copy).and_then(|_| adopt(&File::open(&copy)?, folder_of(&path)));
        copied.map_err(|source| MirrorError::Create { path: copy.clone(), source })?;
        remove(&beside(&loading, JOURNAL))?;
        rename(&copy, &loading)?;
        let mirror = Mirror::loading(path, plan)?;
        defer_definitions(&mirror.connection)?;
        Ok(mirror)
    }

    /// Ends a first load that was cut off, if there is one of the mirror at `path`.
    ///
    /// # Errors
    /// As [`Mirror::end_load`].
    pub(super) fn end_interrupted_load(path: &Path) -> Result<(), MirrorError> {
        let loading = loading_name(path);
        remove(&beside(path, COPY))?;
        if !loading.exists() {
            return remove(&beside(&loading, JOURNAL));
        }
        if path.exists() {
            match read_only::connect(path).and_then(|mirror| is_empty(&mirror)) {
                Ok(true) => {}
                Ok(false) => {
                    // Somebody has put another one there since.
                    tracing::warn!(
                        path = %loading.display(),
                        "this file of a first load is removed: there is a mirror with rows in it by now"
                    );
                    remove(&loading)?;
                    return remove(&beside(&loading, JOURNAL));
                }
                // Opening the mirror is going to tell what is wrong with it.
                Err(_) => return Ok(()),
            }
        }
        tracing::info!(path = %path.display(), "a first load was cut off: what it loaded is put in place");
        let mut mirror = Mirror::loading(path.to_owned(), EventPlan::of_turns(SignedDuration::MAX))?;
        let run = mirror
            .connection
            .query_row("SELECT coalesce(max(id), 0) FROM sync_runs", [], |row| row.get(0))?;
        mirror.end_load(Stamp { run: RunId(run), now: Timestamp::now() }).map(drop)
    }

    /// The mirror that is being filled for the place `path`.
    fn loading(path: PathBuf, plan: EventPlan) -> Result<Mirror, MirrorError> {
        let loading = loading_name(&path);
        let connection = connect(&loading)?;
        configure_to_load(&connection).map_err(|source| MirrorError::open(&loading, source))?;
        let mut mirror = Mirror::with(connection, path)?;
        mirror.loading = Some(plan);
        Ok(mirror)
    }

    /// Whether this is a first load that has not ended.
    pub fn is_loading(&self) -> bool {
        self.loading.is_some()
    }

    /// Ends a first load: the mirror is whole and at its place when this returns. Does nothing where none has begun.
    ///
    /// # Errors
    /// When the indexes can't be built, such as for want of room for the temporary file, or the file can't be renamed: what
    /// was loaded stays, and the next run ends the load.
    pub fn end_load(&mut self, stamp: Stamp) -> Result<Loaded, MirrorError> {
        let Some(plan) = &self.loading else { return Ok(Loaded::default()) };
        let mut batch = Batch::begin(&mut self.connection, false, None, Expiry::default())?;
        let loaded = batch.complete(stamp, plan)?;
        failpoint::reached(Place::FirstLoad);
        batch.commit()?;
        failpoint::reached(Place::FirstLoad);
        let empty = Replaced::hold(&self.path);
        // Under its new name the database is opened anew: SQLite takes the names of the files beside it from its own.
        rename(&loading_name(&self.path), &self.path)?;
        failpoint::reached(Place::FirstLoad);
        if let Some(empty) = empty {
            empty.blank();
        }
        self.connection = connect(&self.path)?;
        // Empty since the commit.
        remove(&beside(&loading_name(&self.path), JOURNAL))?;
        configure(&self.connection).map_err(|source| MirrorError::open(&self.path, source))?;
        self.loading = None;
        Ok(loaded)
    }
}

impl Batch<'_> {
    /// Builds what was deferred, with one row for each record.
    fn complete(&mut self, stamp: Stamp, plan: &EventPlan) -> Result<Loaded, MirrorError> {
        let mut loaded = Loaded::default();
        let deferred: Option<String> = self
            .transaction
            .query_row("SELECT value FROM meta WHERE key = ?1", [DEFERRED], |row| row.get(0))
            .optional()?;
        let Some(deferred) = deferred else { return Ok(loaded) };
        let definitions: Vec<String> = serde_json::from_str(&deferred)
            .map_err(|_| MirrorError::unreadable("what a first load deferred"))?;
        let mut twice = Vec::new();
        for definition in definitions {
            match self.transaction.execute_batch(&definition) {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                    for stream in Stream::ALL {
                        let records = self.take_listed_twice(stream, &mut loaded)?;
                        loaded.met_again[stream.index()] += match stream.parent() {
                            None => loaded.listed_twice[stream.index()],
                            Some(_) => {
                                let parents: HashSet<&str> = twice.iter().map(Record::id).collect();
                                records.iter().filter(|child| parents.contains(child.parent_id())).count()
                                    as u64
                            }
                        };
                        twice.extend(records);
                    }
                    self.transaction.execute_batch(&definition)?;
                }
                made => made?,
            }
        }
        self.transaction.execute("DELETE FROM meta WHERE key = ?1", [DEFERRED])?;
        if twice.len() > LISTED_TWICE_AT_MOST {
            twice.clear();
            loaded.is_truncated = true;
            for parents in Stream::parents() {
                self.transaction.execute(&format!("UPDATE {parents} SET events_checked_at = NULL"), [])?;
            }
        }
        for record in twice {
            self.compare_again(stamp, plan, record, &mut loaded)?;
        }
        Ok(loaded)
    }

    /// Removes all rows of a record but its first one, as if they had never been; returns their records in the order in which
    /// they came.
    fn take_listed_twice(&mut self, stream: Stream, loaded: &mut Loaded) -> Result<Vec<Record>, MirrorError> {
        self.transaction.execute_batch(&format!("CREATE INDEX {stream}_twice ON {stream} (id)"))?;
        let later = format!(
            "SELECT inserted_seq FROM (SELECT id AS twice, min(inserted_seq) AS first FROM {stream} GROUP BY id \
             HAVING count(*) > 1) CROSS JOIN {stream} ON id = twice WHERE inserted_seq > first ORDER BY inserted_seq"
        );
        let rows = self
            .transaction
            .prepare(&later)?
            .query_map([], |row| row.get(0))?
            .collect::<Result<Vec<i64>, _>>()?;
        let mut records = Vec::new();
        for &row in &rows {
            if records.len() <= LISTED_TWICE_AT_MOST {
                records.extend(self.stored_at(stream, row)?.map(|stored| stored.record));
            }
            self.delete_row(stream, row)?;
            loaded.listed_twice[stream.index()] += 1;
        }
        self.transaction.execute_batch(&format!("DROP INDEX {stream}_twice"))?;
        let newest = format!(
            "UPDATE stream_totals SET row_count = row_count - ?2, last_change_seq = (SELECT max(inserted_seq) FROM {stream}) \
             WHERE stream = ?1"
        );
        self.transaction.execute(&newest, params![stream.name(), rows.len() as i64])?;
        // Until here there were inserts alone.
        self.transaction.execute("DELETE FROM change_days WHERE stream = ?1", [stream.name()])?;
        let days = format!(
            "INSERT INTO change_days SELECT substr(inserted_at, 1, 10) AS day, ?1, 'insert', count(*), min(inserted_seq), \
             max(inserted_seq) FROM {stream} GROUP BY day"
        );
        self.transaction.execute(&days, [stream.name()])?;
        Ok(records)
    }

    /// Takes a record that was listed a second time as any mirror would have taken it.
    fn compare_again(
        &mut self,
        stamp: Stamp,
        plan: &EventPlan,
        record: Record,
        loaded: &mut Loaded,
    ) -> Result<(), MirrorError> {
        let stream = record.stream();
        let records = [record];
        let parent = records[0].parent_id();
        let Some(parents) = stream.parent() else {
            let seen = &mut RowSet::default();
            let applied = self.apply_parents(stamp, stream, &records, Trust::Listed, plan, seen)?;
            for row in applied.stale {
                loaded.stale[stream.index()].insert(row);
            }
            if applied.rows.updated > 0 {
                loaded.updated[stream.index()] += applied.rows.updated;
                loaded.read_again.extend(applied.due.into_iter().map(|due| due.parent));
            }
            return Ok(());
        };
        let doubts = &mut Doubts::default();
        let applied = self.apply_children(stamp, stream, parent, &records, Trust::Listed, doubts)?;
        loaded.updated[stream.index()] += applied.rows.updated;
        if !applied.contested.is_empty()
            && let Some(claimant) = self.parent(parents, parent)?
        {
            self.make_due(parents, claimant.row)?;
            loaded.read_again.push(claimant);
        }
        Ok(())
    }
}

/// Switches the database back to a rollback journal, which takes away the files beside it; `false` if somebody else has it
/// open.
fn leave_wal_mode(connection: &Connection) -> Result<bool, MirrorError> {
    let mut keep = 0;
    connection.file_control(None::<&str>, FileControl::PersistWal(&mut keep))?;
    connection.busy_timeout(Duration::ZERO)?;
    let mode = connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get::<_, String>(0));
    connection.busy_timeout(BUSY_TIMEOUT)?;
    match mode {
        Ok(mode) if mode == "delete" => Ok(true),
        Ok(_) => Ok(false),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Takes indexes and triggers off the streams' tables, and notes what they were. Indexes of few rows stay: they cost an insert
/// next to nothing, and are made by reading the whole table.
fn defer_definitions(connection: &Connection) -> Result<(), MirrorError> {
    let transaction = connection.unchecked_transaction()?;
    let found: Vec<(String, String, String)> = transaction
        .prepare(
            "SELECT type, name, sql FROM sqlite_schema WHERE tbl_name IN (SELECT stream FROM stream_totals) \
             AND type IN ('index', 'trigger') AND sql IS NOT NULL AND NOT (type = 'index' AND sql LIKE '% WHERE %') \
             ORDER BY rowid",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (kind, name, _) in &found {
        transaction.execute_batch(&format!("DROP {kind} {name}"))?;
    }
    let definitions: Vec<String> = found.into_iter().map(|(_, _, sql)| sql).collect();
    let definitions = serde_json::Value::from(definitions).to_string();
    transaction.execute("INSERT INTO meta (key, value) VALUES (?1, ?2)", [DEFERRED, &definitions])?;
    Ok(transaction.commit()?)
}

/// The empty mirror that is about to be replaced, locked so that nobody reads it meanwhile. The lock is the process's: it lasts
/// until the first of both is closed.
struct Replaced {
    lock: Connection,
    file: File,
}

impl Replaced {
    /// `None` where there is none, or somebody reads it for too long.
    fn hold(path: &Path) -> Option<Replaced> {
        let lock = connect(path).ok()?;
        lock.execute_batch("BEGIN EXCLUSIVE").ok()?;
        let file = OpenOptions::new().write(true).open(path).ok()?;
        Some(Replaced { lock, file })
    }

    /// Overwrites it. Who has it open would otherwise go on reading it, and together with the write-ahead log of the one in
    /// its place; so they get an error, and connect again. It keeps its length: SQLite removes the log beside a database
    /// without pages.
    fn blank(self) {
        let Replaced { lock, mut file } = self;
        let length = file.metadata().map_or(0, |file| file.len());
        if let Err(error) = std::io::copy(&mut std::io::repeat(0).take(length), &mut file) {
            tracing::debug!(%error, "the empty mirror that was replaced can't be overwritten");
        }
        drop(lock);
    }
}

/// Whether nothing was ever loaded.
pub(super) fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(head(connection)? == 0)
}

/// Removes a file, if there is one.
fn remove(path: &Path) -> Result<(), MirrorError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(MirrorError::Create { path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

/// Renames a file; durable on return.
fn rename(from: &Path, to: &Path) -> Result<(), MirrorError> {
    let renamed = fs::rename(from, to).and_then(|()| File::open(folder_of(to))?.sync_all());
    renamed.map_err(|source| MirrorError::Create { path: to.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::looks::Signal;

    const STAMP: Stamp = Stamp { run: RunId(1), now: Timestamp::UNIX_EPOCH };

    fn load(mirror: &mut Mirror, records: &[Record]) {
        let mut batch = mirror.batch().unwrap();
        let plan = EventPlan::Everybody { walk_started_at: STAMP.now, signal: Signal::Full };
        batch
            .apply_parents(STAMP, Stream::Customers, records, Trust::Listed, &plan, &mut RowSet::default())
            .unwrap();
        batch.commit().unwrap();
    }

    fn customer(n: usize, name: &str) -> Record {
        Record::customer(&format!(r#"{{"id":"c{n}","first_name":"{name}"}}"#))
    }

    #[test]
    fn too_many_records_that_are_listed_twice_keep_their_first_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mirror.db");
        let mut mirror =
            Mirror::open(&path).unwrap().begin_load(EventPlan::of_turns(SignedDuration::MAX)).unwrap();
        for name in ["first", "second"] {
            load(&mut mirror, &(0..=LISTED_TWICE_AT_MOST).map(|n| customer(n, name)).collect::<Vec<_>>());
        }
        let loaded = mirror.end_load(STAMP).unwrap();
        assert!(loaded.is_truncated && loaded.read_again.is_empty());
        assert_eq!(loaded.listed_twice, [LISTED_TWICE_AT_MOST as u64 + 1, 0]);
        let count = |sql: &str| mirror.connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(
            count("SELECT count(*) FROM customers WHERE first_name = 'first'"),
            loaded.listed_twice[0] as i64
        );
        assert_eq!(count("SELECT count(*) FROM changes"), loaded.listed_twice[0] as i64);
        assert_eq!(
            count("SELECT row_count FROM stream_totals WHERE stream = 'customers'"),
            loaded.listed_twice[0] as i64
        );
    }

    #[test]
    fn what_is_left_of_a_cut_off_load_is_put_in_place_or_removed_and_never_taken_for_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mirror.db");
        let rows = |mirror: &Mirror| -> i64 {
            mirror.connection.query_row("SELECT count(*) FROM customers", [], |row| row.get(0)).unwrap()
        };
        // Cut off while the empty mirror was copied, and after rows were loaded.
        fs::write(beside(&path, COPY), "half").unwrap();
        fs::write(beside(&loading_name(&path), JOURNAL), "").unwrap();
        drop(Mirror::open(&path).unwrap());
        assert!(!beside(&loading_name(&path), JOURNAL).exists());
        let mut mirror =
            Mirror::open(&path).unwrap().begin_load(EventPlan::of_turns(SignedDuration::MAX)).unwrap();
        load(&mut mirror, &[customer(1, "Ann")]);
        drop(mirror);
        assert!(loading_name(&path).exists());
        let mirror = Mirror::open(&path).unwrap();
        assert_eq!((rows(&mirror), loading_name(&path).exists()), (1, false));
        // A mirror with rows stays as it is.
        fs::write(loading_name(&path), "something").unwrap();
        drop(mirror);
        let mirror = Mirror::open(&path).unwrap();
        assert_eq!((rows(&mirror), loading_name(&path).exists()), (1, false));
        assert!(!mirror.begin_load(EventPlan::of_turns(SignedDuration::MAX)).unwrap().is_loading());
        assert!(!beside(&path, COPY).exists());
        // Where the mirror can't be read, nothing is removed.
        fs::write(loading_name(&path), "something").unwrap();
        fs::write(&path, "no mirror at all, but long enough to be looked at as one").unwrap();
        assert!(Mirror::open(&path).is_err() && loading_name(&path).exists());
    }
}
