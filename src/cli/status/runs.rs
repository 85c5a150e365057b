//! Runs as `status` shows them.

use crate::mirror::{Mode, Outcome, Run, RunId};
use jiff::Timestamp;
use serde::Serialize;

/// What is to be done about a run that was stopped or killed.
const GOES_ON: &str = "Nothing: the next run goes on from there.";

/// A run with what follows from its record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::cli) struct ShownRun {
    #[serde(flatten)]
    pub(in crate::cli) run: Run,
    /// From its start to its end, or until now while it is under way; none where nobody knows when it was cut off.
    pub(in crate::cli) duration_seconds: Option<f64>,
}

/// The newest run that didn't do all that it should.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::cli) struct LastError {
    pub(in crate::cli) run_id: RunId,
    pub(in crate::cli) mode: Mode,
    pub(in crate::cli) outcome: Outcome,
    /// When the run ended, else when it began: UTC, ISO 8601.
    pub(in crate::cli) at: String,
    pub(in crate::cli) error: String,
    pub(in crate::cli) what_to_do: Option<String>,
    /// The newest incremental or full run that came to its end with everything, where it is newer.
    pub(in crate::cli) ok_since: Option<RunId>,
}

/// The newest run of each mode that came to its end with everything.
#[derive(Serialize)]
pub(in crate::cli) struct LastOk {
    pub(in crate::cli) incremental: Option<ShownRun>,
    pub(in crate::cli) full: Option<ShownRun>,
}

impl ShownRun {
    /// `going` is the run that is under way now. Another one that is down as running was killed.
    pub(in crate::cli) fn of(mut run: Run, going: Option<RunId>, now: Timestamp) -> ShownRun {
        let end = match &run.finished_at {
            Some(end) => end.parse().ok(),
            None => (going == Some(run.id)).then_some(now),
        };
        let began: Option<Timestamp> = run.started_at.parse().ok();
        if run.outcome == Outcome::Running && going != Some(run.id) {
            run.outcome = Outcome::Interrupted;
            run.error = Some("killed before its end".to_owned());
        }
        if run.outcome == Outcome::Interrupted && run.what_to_do.is_none() {
            run.what_to_do = Some(GOES_ON.to_owned());
        }
        let duration = began.zip(end).map(|(began, end)| end.duration_since(began));
        ShownRun { run, duration_seconds: duration.map(|duration| duration.as_secs_f64().max(0.0)) }
    }

    /// Whether it didn't do all that it should.
    pub(in crate::cli) fn is_troubled(&self) -> bool {
        self.run.error.is_some() || self.run.outcome == Outcome::Incomplete
    }
}

impl LastError {
    pub(in crate::cli) fn of(run: Option<ShownRun>, last_ok: &LastOk) -> Option<LastError> {
        let ShownRun { run, .. } = run?;
        // What an incomplete run lacks may stand in its remarks alone.
        let error = run.error.unwrap_or_else(|| run.remarks.join("; "));
        let newest_ok = last_ok.incremental.iter().chain(&last_ok.full).map(|shown| shown.run.id).max();
        Some(LastError {
            run_id: run.id,
            at: run.finished_at.unwrap_or(run.started_at),
            mode: run.mode,
            outcome: run.outcome,
            error,
            what_to_do: run.what_to_do,
            ok_since: newest_ok.filter(|ok| *ok > run.id),
        })
    }
}
