//! Reports what happens in the daemon: as log lines, and to the service manager.

use super::runner::Runner;
use super::status_line::status_line;
use super::systemd::Systemd;
use super::watchdog::Watchdog;
use crate::daemon::{Happening, Kind, Watcher};
use jiff::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};

/// Reports it.
pub(super) struct Notifier {
    runner: Arc<Runner>,
    systemd: Systemd,
    watchdog: Arc<Watchdog>,
    /// When the current run began.
    began: Mutex<Option<Timestamp>>,
}

impl Notifier {
    pub(super) fn new(runner: Arc<Runner>, systemd: Systemd, watchdog: Arc<Watchdog>) -> Notifier {
        Notifier { runner, systemd, watchdog, began: Mutex::new(None) }
    }

    fn began(&self, at: Timestamp) {
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    fn outlook(&self, going: Option<Kind>, next: Option<(Kind, Timestamp)>, now: Timestamp) {
        let began = self.began.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(now);
        let (config, last) = (self.runner.config(), self.runner.last());
        let going = going.map(|kind| (kind, began));
        let line = status_line(going, last.as_ref(), next, &config.timezone, now);
        tracing::debug!("{line}");
        Systemd::status(&line);
    }
}

impl Watcher for Notifier {
    fn watch(&self, happening: Happening, now: Timestamp) {
        match happening {
            Happening::Alive => {
                self.watchdog.beat();
                self.systemd.alive();
            }
            Happening::Started(_) => self.began(now),
            Happening::Ended(..) | Happening::Reloaded => {}
            Happening::Skipped(kind, why) => {
                self.runner.metrics().skipped(kind, why);
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
