//! Sync runs and their counts.

use crate::mirror::MirrorError;
use crate::mirror::transaction::{Batch, RunId, Snapshot, utc_text};
use crate::record::{Op, Stream};
use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, Value, ValueRef};
use rusqlite::{OptionalExtension, Row, params};
use serde::{Serialize, Serializer};
use std::ops::{Index, IndexMut};

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
    /// Only customers that webhooks hinted at.
    Hinted,
}

impl Mode {
    const ALL: [Mode; 4] = [Mode::Full, Mode::Incremental, Mode::Customers, Mode::Hinted];

    /// The name in the mirror, in logs and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Full => "full",
            Mode::Incremental => "incremental",
            Mode::Customers => "customers",
            Mode::Hinted => "hinted",
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

/// What a run counted; the columns of `sync_runs` that carry the same names.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Requests sent to the API, retries included.
    pub requests: u64,
    /// Requests sent again after a fault.
    pub retries: u64,
    /// Parents whose children could not be read.
    pub event_walks_failed: u64,
    /// Records that could not be taken.
    pub rejected: u64,
    /// Records that were taken with a repair.
    pub repaired: u64,
    /// Customers that were not taken, because they are of persons who were erased.
    pub kept_out: u64,
    /// Records that the mirror lacks and that were not taken, because they have expired; each once a reading of its list.
    pub expired: u64,
    streams: [StreamCounts; Stream::ALL.len()],
}

/// What a run counted of one stream; the columns that begin with the stream's name, such as `events_seen` and `event_walks`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct StreamCounts {
    /// Of parents, pages of their list. Of children, lists that were read to their end.
    pub lists: u64,
    /// Records that stood in the lists, each counted once a list.
    pub seen: u64,
    /// Records new to the mirror.
    pub inserted: u64,
    /// Records changed.
    pub updated: u64,
    /// Records deleted, on evidence. Children that went with a deleted parent are counted as well.
    pub deleted: u64,
    /// Records listed in an older version than the mirror's.
    pub stale: u64,
    /// Of parents, mirrored records that did not stand in the walk. Of children, records marked as missing at the run's end:
    /// complete walks of their lists lack them, and time is to show whether they are deleted.
    pub missing: u64,
}

impl StreamCounts {
    /// Rows written to the mirror.
    pub fn changes(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }

    /// The rows written to the mirror, by what happened to them.
    pub fn by_op(&self) -> [(Op, u64); 3] {
        [(Op::Insert, self.inserted), (Op::Update, self.updated), (Op::Delete, self.deleted)]
    }

    fn named(&mut self, stream: Stream) -> [(String, &mut u64); 7] {
        let lists = if stream.parent().is_none() { "pages" } else { "walks" };
        [
            (format!("{}_{lists}", stream.singular()), &mut self.lists),
            (format!("{stream}_seen"), &mut self.seen),
            (format!("{stream}_inserted"), &mut self.inserted),
            (format!("{stream}_updated"), &mut self.updated),
            (format!("{stream}_deleted"), &mut self.deleted),
            (format!("{stream}_stale"), &mut self.stale),
            (format!("{stream}_missing"), &mut self.missing),
        ]
    }
}

impl Counts {
    /// Rows written to the mirror: inserts, updates and deletes of all streams.
    pub fn changes(&self) -> u64 {
        self.streams.iter().map(StreamCounts::changes).sum()
    }

    /// Every count with the name of its column.
    fn named(&mut self) -> Vec<(String, &mut u64)> {
        let of_run = [
            ("requests", &mut self.requests),
            ("retries", &mut self.retries),
            ("event_walks_failed", &mut self.event_walks_failed),
            ("rejected", &mut self.rejected),
            ("repaired", &mut self.repaired),
            ("kept_out", &mut self.kept_out),
            ("expired", &mut self.expired),
        ];
        let of_run = of_run.map(|(name, count)| (name.to_owned(), count));
        let of_streams = Stream::ALL.into_iter().zip(&mut self.streams);
        let of_streams = of_streams.flat_map(|(stream, counts)| counts.named(stream));
        of_run.into_iter().chain(of_streams).collect()
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Counts> {
        let mut counts = Counts::default();
        for (name, count) in counts.named() {
            *count = row.get::<_, i64>(name.as_str())?.max(0) as u64;
        }
        Ok(counts)
    }
}

impl Index<Stream> for Counts {
    type Output = StreamCounts;

    fn index(&self, stream: Stream) -> &StreamCounts {
        &self.streams[stream.index()]
    }
}

impl IndexMut<Stream> for Counts {
    fn index_mut(&mut self, stream: Stream) -> &mut StreamCounts {
        &mut self.streams[stream.index()]
    }
}

/// Under the names of the columns.
impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.clone().named().iter().map(|(name, count)| (name, &**count)))
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

    /// Whether any run that walked the whole list has ended `ok`.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn has_complete_run(&self) -> Result<bool, MirrorError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM sync_runs WHERE outcome = 'ok' AND mode IN ('full', 'incremental'))";
        Ok(self.transaction.query_row(sql, [], |row| row.get(0))?)
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
        let mut counts = counts.clone();
        let counts = counts.named();
        let set: String =
            counts.iter().enumerate().map(|(n, (name, _))| format!(", {name} = ?{}", n + 7)).collect();
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
        values.extend(counts.iter().map(|(_, count)| Value::from(**count as i64)));
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
        for stream in Stream::ALL {
            counts[stream].inserted = logged(stream, Op::Insert)?;
            counts[stream].updated = logged(stream, Op::Update)?;
            counts[stream].deleted = logged(stream, Op::Delete)?;
        }
        Ok(())
    }
}

impl Snapshot<'_> {
    /// The newest runs, newest first. Of those that followed hints, which come many a minute, only the very newest run.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn newest_runs(&self, limit: usize) -> Result<Vec<Run>, MirrorError> {
        let mut select = self.transaction.prepare(
            "SELECT * FROM sync_runs WHERE mode <> 'hinted' OR id = (SELECT max(id) FROM sync_runs) \
             ORDER BY id DESC LIMIT ?1",
        )?;
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
