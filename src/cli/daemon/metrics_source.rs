//! Reads the mirror for the daemon's metrics.

use super::super::exit::Failure;
use crate::daemon::MirrorState;
use crate::export::newest_files;
use crate::mirror::{self, Mirror, MirrorError, Mode, Run};
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub(super) struct MetricsSource {
    /// A connection that stays open as long as the daemon runs; what it read last, with the version of the data.
    open: Mutex<(Mirror, Option<(i64, MirrorState)>)>,
    /// The export folder.
    exports: PathBuf,
}

impl MetricsSource {
    pub(super) fn open(path: &Path, exports: &Path) -> Result<MetricsSource, Failure> {
        let open = Mutex::new((Mirror::open_read_only(path)?, None));
        Ok(MetricsSource { open, exports: exports.to_owned() })
    }

    /// What the mirror holds. Reads it again only where another connection has written since.
    pub(super) fn read(&self, formats: Vec<&'static str>) -> Result<MirrorState, Failure> {
        let (mirror, read) = &mut *self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let version = mirror.data_version()?;
        let reading = match read.take().filter(|(of, _)| *of == version) {
            Some((_, reading)) => reading,
            None => self.read_anew(mirror)?,
        };
        *read = Some((version, reading.clone()));
        let (database_bytes, wal_bytes) = mirror::sizes(mirror.path());
        Ok(MirrorState { formats, database_bytes, wal_bytes, ..reading })
    }

    fn read_anew(&self, mirror: &mut Mirror) -> Result<MirrorState, MirrorError> {
        let snapshot = mirror.snapshot()?;
        let ok = |mode| snapshot.last_ok_run(mode).map(|run| run.as_ref().and_then(finished));
        Ok(MirrorState {
            streams: snapshot.freshness()?,
            exports: newest_files(&snapshot, &self.exports)?,
            sync_ok: ok(Mode::Incremental)?,
            full_ok: ok(Mode::Full)?,
            audit: snapshot.last_audit()?,
            ..MirrorState::default()
        })
    }
}

fn finished(run: &Run) -> Option<Timestamp> {
    run.finished_at.as_deref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::{Counts, Outcome};

    #[test]
    fn what_others_write_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mirror.db");
        drop(Mirror::open(&path).unwrap());
        let metrics_source = MetricsSource::open(&path, &folder.path().join("exports")).unwrap();
        assert_eq!(metrics_source.read(vec!["csv"]).unwrap().last_success(), None);
        let now: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        let mut mirror = Mirror::open(&path).unwrap();
        let mut batch = mirror.batch().unwrap();
        let run = batch.begin_run(Mode::Full, now).unwrap();
        batch.finish_run(run, now, Outcome::Ok, &Counts::default(), &[], None).unwrap();
        batch.commit().unwrap();
        for _ in 0..2 {
            let reading = metrics_source.read(vec!["csv"]).unwrap();
            assert_eq!(
                (reading.sync_ok, reading.full_ok, &reading.formats[..]),
                (None, Some(now), &["csv"][..])
            );
            assert_eq!(reading.streams.len(), 2);
            assert!(reading.database_bytes > 0);
        }
    }
}
