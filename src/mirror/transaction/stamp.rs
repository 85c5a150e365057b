//! Who writes, and when.

use jiff::Timestamp;
use serde::Serialize;

/// The number of a run, `sync_runs.id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RunId(pub i64);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Who writes, and when: stands on every change of the log.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// The run that observed the change.
    pub run: RunId,
    /// When it did.
    pub now: Timestamp,
}

/// A time of the mirror's own: UTC, ISO 8601, milliseconds always, so that text sorts as time does.
pub(in crate::mirror) fn utc_text(at: Timestamp) -> String {
    format!("{at:.3}")
}
