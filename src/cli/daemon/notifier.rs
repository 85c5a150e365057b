//! Reports what happens in the daemon: as log lines, and to the service manager.

use super::runner::Runner;
use super::status_line::status_line;
use super::systemd::Systemd;
use super::watchdog::Watchdog;
use crate::daemon::{Happening, Watcher};
use jiff::Timestamp;
use std::sync::Arc;

/// Reports it.
pub(super) struct Notifier {
    pub(super) runner: Arc<Runner>,
    pub(super) systemd: Systemd,
    pub(super) watchdog: Arc<Watchdog>,
}

impl Watcher for Notifier {
    fn watch(&self, happening: Happening, now: Timestamp) {
        match happening {
            Happening::Alive => {
                self.watchdog.beat();
                self.systemd.alive();
            }
            Happening::Started(_) | Happening::Ended(..) | Happening::Reloaded => {}
            Happening::Skipped(kind, why) => {
                self.runner.metrics().skipped(kind, why);
                tracing::warn!(mode = kind.name(), reason = why.name(), "a due run is skipped");
            }
            Happening::Waiting { going, next } => {
                let (config, last) = (self.runner.config(), self.runner.last());
                let line = status_line(going, last.as_ref(), next, &config.timezone, now);
                tracing::debug!("{line}");
                Systemd::status(&line);
            }
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
