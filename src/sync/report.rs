//! What a run tells at its end.

use crate::mirror::{Counts, Mode, Outcome, RunId};
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
    /// Why it failed.
    pub error: Option<String>,
    /// What to do about it, where `error` doesn't say so itself.
    pub what_to_do: Option<&'static str>,
}

/// A customer whose events could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The customer.
    pub customer_id: String,
    /// Why.
    pub error: String,
    /// What to do about it.
    pub what_to_do: &'static str,
}
