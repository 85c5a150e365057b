//! Runs as `status` shows them.

use crate::mirror::{MirrorError, Mode, Outcome, Run, RunId, Snapshot};
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

/// What the mirror remembers of runs, as it is shown.
pub(in crate::cli) struct RecentRuns {
    /// The newest first.
    pub(in crate::cli) newest: Vec<ShownRun>,
    pub(in crate::cli) last_ok: LastOk,
    pub(in crate::cli) last_error: Option<LastError>,
    /// Whether the newest one is under way.
    pub(in crate::cli) is_running: bool,
}

impl RecentRuns {
    /// At most so many of the newest runs. `is_held`: somebody holds the mirror, as seen after the snapshot's beginning: a run
    /// that is down as running and that nobody holds was cut off.
    pub(in crate::cli) fn read(
        snapshot: &Snapshot<'_>,
        most: usize,
        is_held: bool,
        now: Timestamp,
    ) -> Result<RecentRuns, MirrorError> {
        let runs = snapshot.newest_runs(most)?;
        let going = runs.first().filter(|run| is_held && run.outcome == Outcome::Running).map(|run| run.id);
        let show = |run| ShownRun::of(run, going, now);
        let last_ok = LastOk {
            incremental: snapshot.last_ok_run(Mode::Incremental)?.map(show),
            full: snapshot.last_ok_run(Mode::Full)?.map(show),
        };
        let newest: Vec<ShownRun> = runs.into_iter().map(show).collect();
        // One that was killed says so here, before the next one notes it in the mirror.
        let troubled = match newest.iter().find(|shown| shown.is_troubled()) {
            Some(shown) => Some(shown.clone()),
            None => snapshot.last_run_with_error()?.map(show),
        };
        let last_error = LastError::of(troubled, &last_ok);
        Ok(RecentRuns { newest, last_ok, last_error, is_running: going.is_some() })
    }
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
