//! What the daemon reads from the mirror for its metrics.

use crate::diff::looks::Signal;
use crate::mirror::{Audit, ExportFile, Freshness, SignalCount};
use crate::record::Stream;
use jiff::Timestamp;

/// The state of the mirror, as far as metrics show it.
#[derive(Debug, Clone, Default)]
pub struct MirrorState {
    /// How current each stream is.
    pub streams: Vec<Freshness>,
    /// What was exported to each destination, that of `[export]` first.
    pub destinations: Vec<DestinationState>,
    /// The formats that are exported.
    pub formats: Vec<&'static str>,
    /// When an incremental run last ended complete.
    pub sync_ok: Option<Timestamp>,
    /// When a full run last did.
    pub full_ok: Option<Timestamp>,
    /// What called for looks at customers' events, and what came of it.
    pub looks: Vec<(Signal, SignalCount)>,
    /// Customers that are due for the hints of webhooks.
    pub hints_waiting: u64,
    /// The newest audit.
    pub audit: Option<Audit>,
    /// The database file's size in bytes.
    pub database_bytes: u64,
    /// The write-ahead log's size in bytes.
    pub wal_bytes: u64,
}

/// How far a destination is.
#[derive(Debug, Clone)]
pub struct DestinationState {
    /// What it is called.
    pub name: String,
    /// The streams that are exported there.
    pub streams: Vec<Stream>,
    /// The formats.
    pub formats: Vec<&'static str>,
    /// The newest export file of each stream and format.
    pub exports: Vec<ExportFile>,
}

impl DestinationState {
    /// The newest change that a stream was exported through in a format; 0: none.
    pub fn position(&self, stream: Stream, format: &str) -> i64 {
        let is_it = |file: &&ExportFile| file.stream == stream.name() && file.format == format;
        self.exports.iter().find(is_it).map_or(0, |file| file.last_seq)
    }
}

impl MirrorState {
    /// When a run of either kind last ended complete.
    pub fn last_success(&self) -> Option<Timestamp> {
        self.sync_ok.max(self.full_ok)
    }
}
