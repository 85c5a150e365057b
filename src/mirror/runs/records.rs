//! Sync runs and their counts.

use crate::mirror::MirrorError;
use crate::mirror::transaction::{Batch, RunId, Snapshot, utc_text};
use crate::record::{Op, Stream};
use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, Value, ValueRef};
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

/// What a run walks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Everything.
    Full,
    /// The customer list, and the events that are due.
    Incremental,
    /// Only customers named by the user.
    Customers,
}

impl Mode {
    const ALL: [Mode; 3] = [Mode::Full, Mode::Incremental, Mode::Customers];

    /// The name in the mirror, in logs and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Full => "full",
            Mode::Incremental => "incremental",
            Mode::Customers => "customers",
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Under way.
    Running,
    /// Everything that it set out to do.
    Ok,
    /// It came to its end, but some customers, events or records are missing; they are named.
    Incomplete,
    /// It could not come to its end.
    Failed,
    /// It was stopped or killed; the next run goes on from there.
    Interrupted,
}

impl Outcome {
    const ALL: [Outcome; 5] =
        [Outcome::Running, Outcome::Ok, Outcome::Incomplete, Outcome::Failed, Outcome::Interrupted];

    /// The name in the mirror, in logs and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Running => "running",
            Outcome::Ok => "ok",
            Outcome::Incomplete => "incomplete",
            Outcome::Failed => "failed",
            Outcome::Interrupted => "interrupted",
        }
    }
}

impl FromSql for Mode {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Mode> {
        named(value, &Mode::ALL, Mode::name)
    }
}

impl FromSql for Outcome {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Outcome> {
        named(value, &Outcome::ALL, Outcome::name)
    }
}

/// The one of `all` that has the name in the mirror.
fn named<T: Copy>(value: ValueRef<'_>, all: &[T], name: fn(T) -> &'static str) -> FromSqlResult<T> {
    let found = value.as_str()?;
    let known = all.iter().copied().find(|one| name(*one) == found);
    known.ok_or_else(|| FromSqlError::Other(format!("this program knows no `{found}`").into()))
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a run counted; the columns of `sync_runs` that carry the same names.
        #[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counts {
            const COLUMNS: &'static [&'static str] = &[$(stringify!($name)),*];

            fn values(&self) -> Vec<u64> {
                vec![$(self.$name),*]
            }

            fn read(row: &Row<'_>) -> rusqlite::Result<Counts> {
                Ok(Counts { $($name: row.get::<_, i64>(stringify!($name))?.max(0) as u64),* })
            }
        }
    };
}

counts! {
    /// Requests sent to the API, retries included.
    requests,
    /// Requests sent again after a fault.
    retries,
    /// Pages of the customer list.
    customer_pages,
    /// Customers that stood in the list, each counted once.
    customers_seen,
    /// Customers new to the mirror.
    customers_inserted,
    /// Customers changed.
    customers_updated,
    /// Customers deleted, on evidence.
    customers_deleted,
    /// Customers listed in an older version than the mirror's.
    customers_stale,
    /// Mirrored customers that did not stand in the walk.
    customers_missing,
    /// Customers whose events were read to their end.
    event_walks,
    /// Customers whose events could not be read.
    event_walks_failed,
    /// Events that stood in the lists, each counted once a list.
    events_seen,
    /// Events new to the mirror.
    events_inserted,
    /// Events changed.
    events_updated,
    /// Events deleted, on evidence.
    events_deleted,
    /// Events marked as missing at the run's end: complete walks of their lists lack them, and time is to show whether
    /// they are deleted.
    events_missing,
    /// Events listed in an older version than the mirror's.
    events_stale,
    /// Records that could not be taken.
    rejected,
    /// Records that were taken with a repair.
    repaired,
}

impl Counts {
    /// Rows written to the mirror: inserts, updates and deletes of both streams, not counting the events that
    /// went with a deleted customer twice.
    pub fn changes(&self) -> u64 {
        self.customers_inserted
            + self.customers_updated
            + self.customers_deleted
            + self.events_inserted
            + self.events_updated
            + self.events_deleted
    }
}

/// Why a run failed or is incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunError<'a> {
    /// What happened.
    pub error: &'a str,
    /// What to do about it, where `error` doesn't say so itself.
    pub what_to_do: Option<&'a str>,
}

/// A run as the mirror remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// What it walked.
    pub mode: Mode,
    /// UTC, ISO 8601.
    pub started_at: String,
    /// UTC, ISO 8601; none while it is under way.
    pub finished_at: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it went on with an interrupted walk.
    pub resumed: bool,
    /// What it counted.
    pub counts: Counts,
    /// What a person should know of it.
    pub remarks: Vec<String>,
    /// Why it failed or is incomplete.
    pub error: Option<String>,
    /// What to do about the error, where it doesn't say so itself.
    pub what_to_do: Option<String>,
}

impl Batch<'_> {
    /// Records the start of a run. Runs that are still down as running were killed: they are marked so.
    /// The caller holds the mirror's process lock.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn begin_run(&mut self, mode: Mode, now: Timestamp) -> Result<RunId, MirrorError> {
        self.transaction.execute(
            "UPDATE sync_runs SET outcome = 'interrupted', error = 'killed before its end' WHERE outcome = 'running'",
            [],
        )?;
        let mut insert = self
            .transaction
            .prepare_cached("INSERT INTO sync_runs (mode, started_at, outcome) VALUES (?1, ?2, 'running')")?;
        Ok(RunId(insert.insert(params![mode.name(), utc_text(now)])?))
    }

    /// Notes that the run goes on with an interrupted walk.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn mark_run_resumed(&mut self, run: RunId) -> Result<(), MirrorError> {
        self.transaction.execute("UPDATE sync_runs SET resumed = 1 WHERE id = ?1", [run.0])?;
        Ok(())
    }

    /// Records the end of a run.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn finish_run(
        &mut self,
        run: RunId,
        now: Timestamp,
        outcome: Outcome,
        counts: &Counts,
        remarks: &[String],
        error: Option<RunError<'_>>,
    ) -> Result<(), MirrorError> {
        let set: String =
            Counts::COLUMNS.iter().enumerate().map(|(n, name)| format!(", {name} = ?{}", n + 7)).collect();
        let sql = format!(
            "UPDATE sync_runs SET finished_at = ?2, outcome = ?3, remarks = ?4, error = ?5, what_to_do = ?6{set} \
             WHERE id = ?1"
        );
        let remarks = (!remarks.is_empty()).then(|| serde_json::Value::from(remarks.to_vec()).to_string());
        let mut values: Vec<Value> = vec![
            run.0.into(),
            utc_text(now).into(),
            outcome.name().to_owned().into(),
            remarks.into(),
            error.map(|error| error.error.to_owned()).into(),
            error.and_then(|error| error.what_to_do).map(str::to_owned).into(),
        ];
        values.extend(counts.values().into_iter().map(|count| Value::from(count as i64)));
        self.transaction.execute(&sql, rusqlite::params_from_iter(values))?;
        Ok(())
    }

    /// Adds a remark to a run that has ended.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn add_remark(&mut self, run: RunId, remark: &str) -> Result<(), MirrorError> {
        self.transaction.execute(
            "UPDATE sync_runs SET remarks = json_insert(coalesce(remarks, '[]'), '$[#]', ?2) WHERE id = ?1",
            params![run.0, remark],
        )?;
        Ok(())
    }

    /// Sets the counts of rows written by a run to what its change log holds.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn recount(&self, run: RunId, counts: &mut Counts) -> Result<(), MirrorError> {
        let mut count = self
            .transaction
            .prepare("SELECT count(*) FROM changes WHERE run_id = ?1 AND stream = ?2 AND op = ?3")?;
        let mut logged = |stream: Stream, op: Op| -> rusqlite::Result<u64> {
            let count: i64 = count.query_row(params![run.0, stream.name(), op.name()], |row| row.get(0))?;
            Ok(count as u64)
        };
        counts.customers_inserted = logged(Stream::Customers, Op::Insert)?;
        counts.customers_updated = logged(Stream::Customers, Op::Update)?;
        counts.customers_deleted = logged(Stream::Customers, Op::Delete)?;
        counts.events_inserted = logged(Stream::Events, Op::Insert)?;
        counts.events_updated = logged(Stream::Events, Op::Update)?;
        counts.events_deleted = logged(Stream::Events, Op::Delete)?;
        Ok(())
    }
}

impl Snapshot<'_> {
    /// The newest runs, newest first.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn newest_runs(&self, limit: usize) -> Result<Vec<Run>, MirrorError> {
        let mut select = self.transaction.prepare("SELECT * FROM sync_runs ORDER BY id DESC LIMIT ?1")?;
        let runs = select.query_map([limit as i64], read)?.collect::<rusqlite::Result<_>>()?;
        Ok(runs)
    }

    /// The newest run that failed, is incomplete or was cut off, if any is still recorded.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn last_run_with_error(&self) -> Result<Option<Run>, MirrorError> {
        let mut select = self.transaction.prepare(
            "SELECT * FROM sync_runs WHERE error IS NOT NULL OR outcome = 'incomplete' ORDER BY id DESC LIMIT 1",
        )?;
        Ok(select.query_row([], read).optional()?)
    }

    /// The newest run of a mode that ended `ok`.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn last_ok_run(&self, mode: Mode) -> Result<Option<Run>, MirrorError> {
        let mut select = self
            .transaction
            .prepare("SELECT * FROM sync_runs WHERE mode = ?1 AND outcome = 'ok' ORDER BY id DESC LIMIT 1")?;
        Ok(select.query_row([mode.name()], read).optional()?)
    }

    /// The newest run of a mode, however it ended.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn newest_run_of(&self, mode: Mode) -> Result<Option<Run>, MirrorError> {
        let mut select =
            self.transaction.prepare("SELECT * FROM sync_runs WHERE mode = ?1 ORDER BY id DESC LIMIT 1")?;
        Ok(select.query_row([mode.name()], read).optional()?)
    }

    /// When the oldest run that is still recorded began: UTC, ISO 8601.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn oldest_run_start(&self) -> Result<Option<String>, MirrorError> {
        Ok(self.transaction.query_row("SELECT min(started_at) FROM sync_runs", [], |row| row.get(0))?)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Run> {
    let remarks: Option<String> = row.get("remarks")?;
    Ok(Run {
        id: RunId(row.get("id")?),
        mode: row.get("mode")?,
        started_at: row.get("started_at")?,
        finished_at: row.get("finished_at")?,
        outcome: row.get("outcome")?,
        resumed: row.get("resumed")?,
        counts: Counts::read(row)?,
        remarks: remarks.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        error: row.get("error")?,
        what_to_do: row.get("what_to_do")?,
    })
}
