//! What the service manager is told: sd_notify(3). Without `$NOTIFY_SOCKET` nothing is sent.

use sd_notify::NotifyState;

pub(super) fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager can't be told");
    }
}

/// Type=notify-reload wants the monotonic time with it: systemd.service(5). The end of it is another [`NotifyState::Ready`].
pub(super) fn tell_of_reload() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "the monotonic clock can't be read"),
    }
}
