//! Reports what happens in the daemon: as log lines, and to the service manager.

use super::runner::Runner;
use super::status_line::status_line;
use super::systemd;
use crate::daemon::{Happening, Watcher};
use jiff::Timestamp;
use sd_notify::NotifyState;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

pub(super) struct Notifier {
    pub(super) runner: Arc<Runner>,
    /// Whether the service manager expects signs of life.
    pub(super) shows_life: bool,
    /// When the loop last went round.
    pub(super) last_round: watch::Sender<Instant>,
}

impl Watcher for Notifier {
    fn watch(&self, happening: Happening, now: Timestamp) {
        match happening {
            Happening::Alive => {
                self.last_round.send_replace(Instant::now());
                // The loop alone gives it: when the loop is stuck, it stays out and the service is restarted.
                if self.shows_life {
                    systemd::tell(&[NotifyState::Watchdog]);
                }
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
                systemd::tell(&[NotifyState::Status(&line)]);
            }
            Happening::Stopping => systemd::tell(&[NotifyState::Stopping]),
            Happening::Abandoned(kind) => {
                tracing::warn!(
                    mode = kind.name(),
                    "the run did not stop in time and was left; what it committed stays, the next one goes on from there"
                );
            }
        }
    }
}
