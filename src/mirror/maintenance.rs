//! What keeps a mirror small over years.

use super::connection::{Mirror, connect};
use super::database::BUSY_TIMEOUT;
use super::error::MirrorError;
use super::transaction::{Batch, utc_text};
use crate::paths::beside;
use crate::record::Stream;
use jiff::{SignedDuration, Timestamp};
use std::path::Path;
use std::time::Duration;

/// How the write-ahead log's name ends.
const WAL: &str = "-wal";

/// How long runs are remembered that followed hints of webhooks.
const HINTED_RUNS_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// What is left of the write-ahead log after a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wal {
    /// Its size on the disk.
    pub bytes: u64,
    /// Whether a reader holds an older state: then everything newer has to stay in the log until it lets go.
    pub held: bool,
}

impl Mirror {
    /// Moves what the write-ahead log holds into the database file, and empties the log unless a reader holds an older
    /// state. Doesn't wait for readers, and loses nothing either way.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn checkpoint(&mut self) -> Result<Wal, MirrorError> {
        self.connection.busy_timeout(Duration::ZERO)?;
        let busy = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        self.connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(Wal { bytes: size(&beside(&self.path, WAL)), held: busy? })
    }
}

/// Moves what the write-ahead log of the mirror at `path` holds into the database file, over a connection of its own:
/// others go on reading and writing meanwhile. What readers of older states need stays in the log; nothing is lost
/// either way, and what this leaves undone [`Mirror::checkpoint`] does.
///
/// # Errors
/// When the mirror can't be opened or written.
pub fn checkpoint_beside(path: &Path) -> Result<(), MirrorError> {
    connect(path)?.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    Ok(())
}

impl Mirror {
    /// A number that changes whenever another connection has written.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn data_version(&self) -> Result<i64, MirrorError> {
        Ok(self.connection.pragma_query_value(None, "data_version", |row| row.get(0))?)
    }
}

impl Batch<'_> {
    /// Counts the rows of each stream anew. The totals are right without that, unless somebody has edited the mirror.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn count_rows(&mut self) -> Result<(), MirrorError> {
        for stream in Stream::ALL {
            let sql = format!(
                "UPDATE stream_totals SET row_count = (SELECT count(*) FROM {stream}) WHERE stream = ?1"
            );
            self.transaction.execute(&sql, [stream.name()])?;
        }
        Ok(())
    }

    /// Forgets the runs that ended before `before`, or began before it and never ended. Each mode's newest run and
    /// its newest complete one stay: freshness and schedules count from them. Audits go with their runs, but for the
    /// newest one. Runs that followed hints, which come many a minute, are kept for a day at most. Returns how many runs
    /// went.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn forget_runs(&mut self, before: Timestamp, now: Timestamp) -> Result<usize, MirrorError> {
        let a_day_ago = now.checked_sub(HINTED_RUNS_KEPT).unwrap_or(before).max(before);
        let forgotten = self.transaction.execute(
            "DELETE FROM sync_runs WHERE coalesce(finished_at, started_at) < iif(mode = 'hinted', ?2, ?1) \
             AND outcome <> 'running' \
             AND id NOT IN (SELECT max(id) FROM sync_runs GROUP BY mode) \
             AND id NOT IN (SELECT max(id) FROM sync_runs WHERE outcome = 'ok' GROUP BY mode)",
            [utc_text(before), utc_text(a_day_ago)],
        )?;
        self.forget_audits()?;
        Ok(forgotten)
    }
}

/// The sizes in bytes of a mirror's database file and of its write-ahead log; zero where there is none. `mirror` is
/// [`Mirror::path`].
pub fn sizes(mirror: &Path) -> (u64, u64) {
    (size(mirror), size(&beside(mirror, WAL)))
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::{Counts, Mode, Outcome};
    use tempfile::TempDir;

    fn at(day: &str) -> Timestamp {
        format!("2026-03-{day}T03:00:00Z").parse().unwrap()
    }

    fn record(mirror: &mut Mirror, mode: Mode, day: &str, outcome: Outcome) {
        let mut batch = mirror.batch().unwrap();
        let run = batch.begin_run(mode, at(day)).unwrap();
        batch.finish_run(run, at(day), outcome, &Counts::default(), &[], None).unwrap();
        batch.commit().unwrap();
    }

    /// A mirror with one run, and somebody who reads it.
    fn with_one_run() -> (TempDir, Mirror, Mirror) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mirror.db");
        let mut mirror = Mirror::open(&path).unwrap();
        record(&mut mirror, Mode::Full, "01", Outcome::Ok);
        let analyst = Mirror::open_read_only(&path).unwrap();
        (folder, mirror, analyst)
    }

    #[test]
    fn runs_that_followed_hints_are_kept_for_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let mut mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
        for (mode, day) in [
            (Mode::Full, "08"),
            (Mode::Full, "09"),
            (Mode::Hinted, "09"),
            (Mode::Hinted, "11"),
            (Mode::Hinted, "12"),
        ] {
            record(&mut mirror, mode, day, Outcome::Ok);
        }
        let mut batch = mirror.batch().unwrap();
        assert_eq!(batch.forget_runs(at("01"), at("12")).unwrap(), 1);
        batch.commit().unwrap();
        let runs = mirror.snapshot().unwrap().newest_runs(10).unwrap();
        // Of these only the newest is shown among the others.
        assert_eq!(runs.iter().map(|run| run.id.0).collect::<Vec<_>>(), [5, 2, 1]);
    }

    #[test]
    fn the_newest_runs_of_each_mode_stay_whatever_their_age() {
        let folder = tempfile::tempdir().unwrap();
        let mut mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
        for (mode, day, outcome) in [
            (Mode::Full, "01", Outcome::Ok),
            (Mode::Full, "02", Outcome::Ok),
            (Mode::Incremental, "03", Outcome::Ok),
            (Mode::Incremental, "04", Outcome::Failed),
            (Mode::Full, "05", Outcome::Failed),
            (Mode::Full, "06", Outcome::Interrupted),
            (Mode::Incremental, "20", Outcome::Failed),
        ] {
            record(&mut mirror, mode, day, outcome);
        }
        let mut batch = mirror.batch().unwrap();
        assert_eq!(batch.forget_runs(at("10"), at("11")).unwrap(), 3);
        assert_eq!(batch.forget_runs(at("10"), at("11")).unwrap(), 0);
        batch.commit().unwrap();
        let left: Vec<i64> =
            mirror.snapshot().unwrap().newest_runs(10).unwrap().iter().map(|run| run.id.0).collect();
        assert_eq!(left, [7, 6, 3, 2]);
    }

    #[test]
    fn totals_of_an_edited_mirror_are_counted_anew() {
        let (_folder, mut mirror, _analyst) = with_one_run();
        let edit = "INSERT INTO events (id, customer_id, change_seq) VALUES ('e', 'c', 1)";
        mirror.connection.execute(edit, []).unwrap();
        let rows = |mirror: &mut Mirror| -> Vec<u64> {
            mirror.snapshot().unwrap().freshness().unwrap().iter().map(|stream| stream.row_count).collect()
        };
        assert_eq!(rows(&mut mirror), [0, 0]);
        let mut batch = mirror.batch().unwrap();
        batch.count_rows().unwrap();
        batch.commit().unwrap();
        assert_eq!(rows(&mut mirror), [0, 1]);
    }

    #[test]
    fn the_log_can_move_home_while_others_work() {
        let (folder, mut mirror, mut analyst) = with_one_run();
        let path = mirror.path().to_owned();
        let reading = analyst.snapshot().unwrap();
        checkpoint_beside(&path).unwrap();
        record(&mut mirror, Mode::Full, "02", Outcome::Ok);
        checkpoint_beside(&path).unwrap();
        assert_eq!(reading.newest_runs(100).unwrap().len(), 1);
        // The database file by itself is what the reader sees: what came later had to stay in the log.
        let alone = folder.path().join("alone.db");
        std::fs::copy(&path, &alone).unwrap();
        let runs = |path| Mirror::open(path).unwrap().snapshot().unwrap().newest_runs(100).unwrap().len();
        assert_eq!((runs(&alone), runs(&path)), (1, 2));
    }

    #[test]
    fn a_reader_keeps_the_log_only_as_long_as_it_reads() {
        let (_folder, mut mirror, mut analyst) = with_one_run();
        let reading = analyst.snapshot().unwrap();
        for _ in 0..50 {
            record(&mut mirror, Mode::Full, "02", Outcome::Ok);
        }
        let wal = mirror.checkpoint().unwrap();
        assert!(wal.held && wal.bytes > 0, "{wal:?}");
        // What it sees is the state from before.
        assert_eq!(reading.newest_runs(100).unwrap().len(), 1);
        drop(reading);
        assert_eq!(mirror.checkpoint().unwrap(), Wal { bytes: 0, held: false });
        assert_eq!(analyst.snapshot().unwrap().newest_runs(100).unwrap().len(), 51);
        let (database, wal) = sizes(mirror.path());
        assert!(database > 0 && wal == 0);
    }
}
