//! Runs the syncs and exports of the daemon, each with the configuration that is in force when it begins.

use super::super::assemble;
use super::super::exit::{Exit, Failure};
use super::super::expired;
use super::super::export::attempts;
use super::super::progress::Progress;
use super::super::sync::{note, run_once};
use super::run_history::{self, LastRun};
use crate::api::{ApiError, ErrorKind};
use crate::config::Config;
use crate::daemon::notices::{self, Disk, Fault, FaultKind, RunEnd};
use crate::daemon::{Ended, Kind, Metrics, Work};
use crate::mirror::{Counts, Mirror, Outcome, Turns, is_disk_full, is_there, sizes};
use crate::observe::{Event, Observer};
use crate::sync::{Finished, Scope, Tools};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(super) struct Runner {
    config: Mutex<Arc<Config>>,
    last: Mutex<Option<LastRun>>,
    metrics: Arc<Metrics>,
    /// Shared with the listener for webhooks.
    turns: Turns,
    /// Tells the loop when a run is to follow hints of webhooks.
    hinted: mpsc::Sender<Timestamp>,
    /// Takes words for people and monitors outside.
    notices: notices::Sender,
}

/// Logs and counts what a run reports.
struct RunObserver {
    progress: Progress,
    metrics: Arc<Metrics>,
}

impl Observer for RunObserver {
    fn observe(&self, event: &Event<'_>) {
        self.metrics.observe(event);
        self.progress.observe(event);
    }
}

impl Runner {
    pub(super) fn new(
        config: Config,
        last: Option<LastRun>,
        hinted: mpsc::Sender<Timestamp>,
        (notices, metrics): (notices::Sender, Arc<Metrics>),
    ) -> Runner {
        Runner {
            config: Mutex::new(Arc::new(config)),
            last: Mutex::new(last),
            metrics,
            turns: Turns::default(),
            hinted,
            notices,
        }
    }

    /// Says that there are hints of webhooks, for a run to follow them after `webhook.debounce`.
    pub(super) fn hinted(&self) {
        let now = Timestamp::now();
        let due = SignedDuration::try_from(self.config().webhook.debounce)
            .map_or(Timestamp::MAX, |wait| now.checked_add(wait).unwrap_or(Timestamp::MAX));
        // Where one such word waits to be heard, it is due earlier.
        let _ = self.hinted.try_send(due);
    }

    /// What runs and the listener for webhooks take turns by.
    pub(super) fn turns(&self) -> Turns {
        self.turns.clone()
    }

    /// The configuration in force.
    pub(super) fn config(&self) -> Arc<Config> {
        locked(&self.config).clone()
    }

    /// The next run uses this configuration; the current one keeps its own.
    pub(super) fn replace_config(&self, config: Config) {
        *locked(&self.config) = Arc::new(config);
    }

    /// The newest run that has ended.
    pub(super) fn last(&self) -> Option<LastRun> {
        locked(&self.last).clone()
    }

    /// What all runs have counted.
    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// One run and its export.
    ///
    /// # Errors
    /// When the run could not be recorded; with [`Exit::Held`] when another process holds the mirror.
    async fn try_run(&self, kind: Kind, stop: CancellationToken) -> Result<Outcome, Failure> {
        let config = self.config();
        if kind == Kind::Hinted && !hints_wait(&config)? {
            // A run that came in between has followed them.
            return Ok(Outcome::Ok);
        }
        let lock = assemble::lock(&config, &format!("daemon, {} sync", kind.name()))?;
        if kind != Kind::Hinted {
            self.notices.began(&config.notify);
        }
        let observer =
            Arc::new(RunObserver { progress: Progress::in_daemon(), metrics: self.metrics.clone() });
        let tools = Tools { turns: self.turns(), ..assemble::tools(&config, observer, stop)? };
        let (scope, audit) = match kind {
            Kind::Sync => (Scope::Incremental, 0),
            Kind::Full => (Scope::Full, config.sync.audit),
            Kind::Hinted => (Scope::Hinted, 0),
        };
        let settings = assemble::sync_settings(&config, audit);
        let (asked_to_stop, client) = (tools.stop.clone(), tools.client.clone());
        let (mut finished, exported) = run_once(&config, lock, tools, scope, settings).await?;
        let report = &finished.report;
        self.metrics.run_ended(report);
        *locked(&self.last) = run_history::last(&finished.mirror.snapshot()?)?;
        let run_id = report.run_id.0;
        if kind == Kind::Hinted && report.outcome == Outcome::Ok && finished.mirror.snapshot()?.has_hints()? {
            // They came meanwhile, or are more than one run takes.
            self.hinted();
        }
        if let Some(error) = &report.error {
            tracing::error!(run_id, error, what_to_do = report.what_to_do, "the run failed");
        }
        // What is not exported stays in the change log, for the next export.
        for attempt in &exported {
            attempt.log(run_id);
            let is_stopped = attempt.outcome.as_ref().is_err_and(Failure::is_stop);
            if !is_stopped {
                self.metrics.exported(&attempt.name, attempt.outcome.is_ok().then(Timestamp::now));
            }
        }
        let stopped = exported.iter().any(|attempt| attempt.outcome.as_ref().is_err_and(Failure::is_stop));
        let first_failed = exported.first().is_some_and(|attempt| attempt.outcome.is_err());
        let (outcome, fault) = match attempts::end(exported) {
            Ok(()) => (report.outcome, None),
            Err(_) if stopped => (Outcome::Interrupted, None),
            Err(failure) if first_failed => (Outcome::Failed, Some(failure.fault())),
            // A further destination alone: what it lacks is named, and exported by the next run.
            Err(failure) if report.outcome == Outcome::Ok => (Outcome::Incomplete, Some(failure.fault())),
            Err(failure) => (report.outcome, Some(failure.fault())),
        };
        if outcome == Outcome::Ok && kind != Kind::Hinted && !asked_to_stop.is_cancelled() {
            tell_of_expired(&config, client.server_ahead(), &mut finished);
        }
        let end = run_end(kind, &config, &finished, outcome, fault);
        self.notices.ended(&config.notify, end);
        Ok(outcome)
    }

    /// A run broke off before it was recorded.
    fn broke_off(&self, kind: Kind, fault: Fault) {
        let end = RunEnd {
            kind,
            run_id: None,
            mirror_id: None,
            outcome: Outcome::Failed,
            fault: Some(fault),
            counts: Counts::default(),
            deletions_refused: None,
            drift: None,
            full_disks: Vec::new(),
        };
        self.notices.ended(&self.config().notify, end);
    }
}

impl Work for Runner {
    /// On a thread of its own, so that waiting for the disk doesn't hold up the loop.
    async fn run(self: Arc<Self>, kind: Kind, stop: CancellationToken) -> Ended {
        let (runtime, mode, runner) = (Handle::current(), kind.name(), self.clone());
        let run = tokio::task::spawn_blocking(move || runtime.block_on(self.try_run(kind, stop)));
        match run.await {
            Ok(Ok(outcome)) => return Ended::Run(outcome),
            Ok(Err(failure)) if failure.exit == Exit::Held => {
                tracing::warn!(mode, "{}", failure.line());
                return Ended::Held;
            }
            Ok(Err(failure)) => {
                tracing::error!(mode, error = failure.line(), "the run broke off");
                runner.broke_off(kind, failure.fault());
            }
            Err(error) => {
                tracing::error!(mode, %error, "the run crashed; please report it with the lines above");
                let text = "it crashed; the daemon's log says more".to_owned();
                runner.broke_off(kind, Fault { kind: FaultKind::Other, text, hint: None });
            }
        }
        Ended::Broken
    }
}

/// What those outside this machine may have to hear of a run that was recorded; `fault` is the export's.
fn run_end(
    kind: Kind,
    config: &Config,
    finished: &Finished,
    outcome: Outcome,
    fault: Option<Fault>,
) -> RunEnd {
    let Finished { mirror, report, error } = finished;
    let of_run = error.as_ref().map(|error| Fault {
        kind: match error.api().map(ApiError::kind) {
            Some(ErrorKind::KeyRefused) => FaultKind::KeyRefused,
            _ if is_disk_full(error) => FaultKind::DiskFull,
            _ => FaultKind::Other,
        },
        text: error.outline(),
        hint: error.hint().map(str::to_owned),
    });
    let of_export = fault.map(|fault| Fault { text: format!("its export failed: {}", fault.text), ..fault });
    let audit = report.audit.as_ref().map(|audited| &audited.audit);
    let folders = [(mirror.path().parent(), "the mirror"), (config.export.dir.folder(), "the exports")];
    let disks = folders.into_iter().filter_map(|(folder, holds)| Disk::of(folder?, holds));
    let (mirror_bytes, _) = sizes(mirror.path());
    RunEnd {
        kind,
        run_id: Some(report.run_id.0),
        mirror_id: Some(mirror.id().to_owned()),
        outcome,
        fault: of_run.or(of_export),
        counts: report.counts.clone(),
        deletions_refused: report.deletions_refused.clone(),
        drift: audit.filter(|audit| audit.is_beyond_limit()).map(|audit| (audit.drifted, audit.audited)),
        full_disks: disks.filter(|disk| disk.is_nearly_full(mirror_bytes)).collect(),
    }
}

/// Erases what has expired, once a day; where that fails, the run's record says so, too.
fn tell_of_expired(config: &Config, ahead: Option<SignedDuration>, finished: &mut Finished) {
    if let Some(remark) = expired::daily(config, ahead) {
        tracing::warn!(run_id = finished.report.run_id.0, "{remark}");
        note(finished, &remark);
    }
}

fn hints_wait(config: &Config) -> Result<bool, Failure> {
    let path = &config.mirror.path;
    Ok(is_there(path)? && Mirror::open_read_only(path)?.snapshot()?.has_hints()?)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
