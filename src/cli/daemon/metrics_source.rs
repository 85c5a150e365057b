//! Reads the mirror for the daemon's metrics.

use super::super::exit::Failure;
use crate::daemon::{DestinationState, MirrorState};
use crate::export::{Format, Settings, newest_files, newest_of_tables};
use crate::mirror::{self, Mirror, MirrorError, Mode, Run};
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What it read last, with the version of the data.
type Read = Option<(i64, MirrorState)>;

/// A connection that stays open as long as the daemon runs, from when there is a mirror that holds something. (A first load
/// needs an empty one for itself.)
pub(super) struct MetricsSource {
    /// The mirror's place.
    path: PathBuf,
    /// Every destination, that of `[export]` first.
    destinations: Vec<Settings>,
    open: Mutex<Option<(Mirror, Read)>>,
}

impl MetricsSource {
    pub(super) fn new(path: &Path, destinations: Vec<Settings>) -> MetricsSource {
        MetricsSource { path: path.to_owned(), destinations, open: Mutex::new(None) }
    }

    /// What the mirror holds; nothing where there is none yet. Reads it again only where another connection has written
    /// since.
    pub(super) fn read(&self, formats: Vec<&'static str>) -> Result<MirrorState, Failure> {
        let mut kept = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut mirror, read) = match kept.take() {
            Some(open) => open,
            None => match Mirror::open_read_only(&self.path) {
                Ok(mirror) => (mirror, None),
                Err(MirrorError::Missing { .. }) => {
                    return Ok(MirrorState { formats, ..MirrorState::default() });
                }
                Err(error) => return Err(error.into()),
            },
        };
        let version = mirror.data_version()?;
        let reading = match read.filter(|(of, _)| *of == version) {
            Some((_, reading)) => reading,
            None => self.read_anew(&mut mirror)?,
        };
        let (database_bytes, wal_bytes) = mirror::sizes(mirror.path());
        // A table is written after the mirror's last change of a run.
        let mut destinations = reading.destinations.clone();
        for (state, settings) in destinations.iter_mut().zip(&self.destinations) {
            state.exports.extend(newest_of_tables(&settings.dir, mirror.id()));
        }
        let is_filled = reading.streams.iter().any(|stream| stream.last_change_seq > 0);
        *kept = is_filled.then(|| (mirror, Some((version, reading.clone()))));
        Ok(MirrorState { formats, database_bytes, wal_bytes, destinations, ..reading })
    }

    fn read_anew(&self, mirror: &mut Mirror) -> Result<MirrorState, MirrorError> {
        let snapshot = mirror.snapshot()?;
        let mut destinations = Vec::new();
        for settings in &self.destinations {
            destinations.push(DestinationState {
                name: settings.name.clone(),
                streams: settings.streams.clone(),
                formats: settings.formats_in_sight().map(Format::name).collect(),
                exports: newest_files(&snapshot, &settings.dir)?,
            });
        }
        let ok = |mode| snapshot.last_ok_run(mode).map(|run| run.as_ref().and_then(finished));
        Ok(MirrorState {
            streams: snapshot.freshness()?,
            destinations,
            sync_ok: ok(Mode::Incremental)?,
            full_ok: ok(Mode::Full)?,
            looks: snapshot.look_signals()?,
            hints_waiting: snapshot.hints(0)?.waiting,
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
        let metrics_source = MetricsSource::new(&path, Vec::new());
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
