//! What a run tells at its end.

use crate::mirror::{Audit, AuditFinding, Counts, Mode, Outcome, RunId};
use crate::record::Stream;
use jiff::Timestamp;
use serde::Serialize;

/// A run's result; its JSON form is what `sync --json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The run's number, `sync_runs.id`.
    pub run_id: RunId,
    /// What it walked.
    pub mode: Mode,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it went on with an interrupted walk.
    pub resumed: bool,
    /// UTC.
    pub started_at: Timestamp,
    /// UTC.
    pub finished_at: Timestamp,
    /// What it counted.
    pub counts: Counts,
    /// What a person should know of it.
    pub remarks: Vec<String>,
    /// Customers whose events could not be read; the first hundred.
    pub failures: Vec<Failure>,
    /// Why nothing, or no event, was deleted, where more was missing than `sync.deletion_limit` allows.
    pub deletions_refused: Option<String>,
    /// What the audit at its end found, if there was one.
    pub audit: Option<Audited>,
    /// Why it failed.
    pub error: Option<String>,
    /// What to do about it, where `error` doesn't say so itself.
    pub what_to_do: Option<&'static str>,
}

/// An audit and what it found, record by record.
#[derive(Debug, Clone, Serialize)]
pub struct Audited {
    /// As it stands in the mirror.
    #[serde(flatten)]
    pub audit: Audit,
    /// The records that differed; the first thousand.
    pub findings: Vec<AuditFinding>,
    /// Customers that could not be compared; the first hundred.
    pub unread: Vec<Unread>,
}

/// A customer that was drawn for an audit and could not be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// The customer.
    pub customer_id: String,
    /// Why.
    pub error: String,
}

/// A parent whose children could not be read, such as a customer whose events could not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The parent's stream.
    pub stream: Stream,
    /// Its id.
    pub customer_id: String,
    /// Why.
    pub error: String,
    /// What to do about it.
    pub what_to_do: &'static str,
}
