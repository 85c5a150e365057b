//! What the service manager is told: sd_notify(3). Without `$NOTIFY_SOCKET` nothing is sent.

use sd_notify::NotifyState;
use std::time::Duration;

/// The service manager.
#[derive(Debug, Clone, Copy)]
pub(super) struct Systemd {
    watchdog: Option<Duration>,
}

impl Systemd {
    pub(super) fn from_environment() -> Systemd {
        Systemd { watchdog: sd_notify::watchdog_enabled() }
    }

    /// How long it waits for a sign of life; none: it expects none.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// A sign of life. The loop alone gives it: when the loop is stuck, it stays out and the service is restarted.
    pub(super) fn alive(&self) {
        if self.watchdog.is_some() {
            send(&[NotifyState::Watchdog]);
        }
    }

    pub(super) fn status(line: &str) {
        send(&[NotifyState::Status(line)]);
    }

    /// Started, or done with reloading.
    pub(super) fn ready() {
        send(&[NotifyState::Ready]);
    }

    /// Type=notify-reload wants the monotonic time with it: systemd.service(5).
    pub(super) fn reloading() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => send(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "the monotonic clock can't be read"),
        }
    }

    pub(super) fn stopping() {
        send(&[NotifyState::Stopping]);
    }
}

fn send(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager can't be told");
    }
}
