//! What happens to the daemon, as log lines and for the service manager.

use super::job::Job;
use super::status_line::status_line;
use super::systemd::Systemd;
use crate::daemon::{Happening, Kind, Watcher};
use jiff::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};

/// Tells it.
pub(super) struct Voice {
    job: Arc<Job>,
    systemd: Systemd,
    /// When the run that is going began.
    began: Mutex<Option<Timestamp>>,
}

impl Voice {
    pub(super) fn new(job: Arc<Job>, systemd: Systemd) -> Voice {
        Voice { job, systemd, began: Mutex::new(None) }
    }

    fn began(&self, at: Timestamp) {
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    fn outlook(&self, going: Option<Kind>, next: Option<(Kind, Timestamp)>, now: Timestamp) {
        let began = self.began.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(now);
        let (config, last) = (self.job.config(), self.job.last());
        let going = going.map(|kind| (kind, began));
        let line = status_line(going, last.as_ref(), next, &config.schedule.timezone, now);
        tracing::debug!("{line}");
        Systemd::status(&line);
    }
}

impl Watcher for Voice {
    fn watch(&self, happening: Happening, now: Timestamp) {
        match happening {
            Happening::Alive => self.systemd.alive(),
            Happening::Started(_) => self.began(now),
            Happening::Ended(..) | Happening::Reloaded => {}
            Happening::Skipped(kind, why) => {
                tracing::warn!(mode = kind.name(), reason = why.name(), "a due run is skipped");
            }
            Happening::Waiting { going, next } => self.outlook(going, next, now),
            Happening::Stopping => Systemd::stopping(),
            Happening::Abandoned(kind) => {
                tracing::warn!(
                    mode = kind.name(),
                    "the run did not stop in time and was left; what it committed stays, the next one goes on from there"
                );
            }
        }
    }
}
