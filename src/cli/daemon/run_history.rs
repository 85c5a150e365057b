//! The runs that the mirror has recorded, read when the daemon starts.

use super::super::exit::Failure;
use crate::config::Config;
use crate::daemon::{History, Past};
use crate::export::ensure_folder;
use crate::mirror::{LockError, Mirror, MirrorError, Mode, Outcome, Run, Snapshot, is_there};
use crate::record::Stream;
use jiff::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LastRun {
    pub(super) mode: Mode,
    pub(super) outcome: Outcome,
    pub(super) started_at: Timestamp,
    /// How many customers the mirror holds.
    pub(super) customers: u64,
}

/// Reads them. Where nobody else holds the mirror, it is opened as a run would open it, so that a mistake that would fail
/// every run fails the daemon's start.
pub(super) fn read(config: &Config) -> Result<(History, Option<LastRun>), Failure> {
    let path = &config.mirror.path;
    let lock = match crate::mirror::RunLock::acquire(path, "daemon", Timestamp::now()) {
        Ok(lock) => Some(lock),
        Err(LockError::Held { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let mut mirror = match &lock {
        Some(lock) => lock.open_mirror()?,
        None if is_there(path)? => Mirror::open_read_only(path)?,
        None => return Ok((History::default(), None)),
    };
    // The export folder is checked for the same reason.
    config.export.dir.folder().map_or(Ok(()), ensure_folder)?;
    let snapshot = mirror.snapshot()?;
    let history = History {
        first: snapshot.oldest_run_start()?.map(|text| time(&text)).transpose()?,
        sync: snapshot.newest_run_of(Mode::Incremental)?.as_ref().map(past).transpose()?,
        full: snapshot.newest_run_of(Mode::Full)?.as_ref().map(past).transpose()?,
    };
    let last = last(&snapshot)?;
    Ok((history, last))
}

fn past(run: &Run) -> Result<Past, Failure> {
    let complete = matches!(run.outcome, Outcome::Ok | Outcome::Incomplete);
    Ok(Past { started_at: time(&run.started_at)?, complete })
}

/// The newest run, however it ended.
pub(super) fn last(snapshot: &Snapshot<'_>) -> Result<Option<LastRun>, Failure> {
    let Some(run) = snapshot.newest_runs(1)?.pop() else { return Ok(None) };
    let customers = snapshot
        .freshness()?
        .iter()
        .find(|stream| stream.stream == Stream::FIRST)
        .map_or(0, |stream| stream.row_count);
    Ok(Some(LastRun { mode: run.mode, outcome: run.outcome, started_at: time(&run.started_at)?, customers }))
}

fn time(text: &str) -> Result<Timestamp, Failure> {
    text.parse().map_err(|_| MirrorError::Unreadable { what: format!("the time `{text}`") }.into())
}
