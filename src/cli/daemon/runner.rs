//! Runs the syncs and exports of the daemon, each with the configuration that is in force when it begins.

use super::super::assemble;
use super::super::exit::{Exit, Failure};
use super::super::progress::Progress;
use super::super::sync::run_once;
use super::run_history::{self, LastRun};
use crate::config::Config;
use crate::daemon::{Ended, Kind, Metrics, Work};
use crate::mirror::{Mirror, Outcome, Turns, is_there};
use crate::observe::{Event, Observer};
use crate::sync::{Scope, Tools};
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
    pub(super) fn new(config: Config, last: Option<LastRun>, hinted: mpsc::Sender<Timestamp>) -> Runner {
        Runner {
            config: Mutex::new(Arc::new(config)),
            last: Mutex::new(last),
            metrics: Arc::default(),
            turns: Turns::default(),
            hinted,
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
        let observer =
            Arc::new(RunObserver { progress: Progress::in_daemon(), metrics: self.metrics.clone() });
        let tools = Tools { turns: self.turns(), ..assemble::tools(&config, observer, stop)? };
        let (scope, audit) = match kind {
            Kind::Sync => (Scope::Incremental, 0),
            Kind::Full => (Scope::Full, config.sync.audit),
            Kind::Hinted => (Scope::Hinted, 0),
        };
        let settings = assemble::sync_settings(&config, audit);
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
        match exported {
            Ok(exported) => {
                exported.iter().for_each(|exported| super::super::export::log_notes(exported, run_id));
                Ok(report.outcome)
            }
            Err(failure) if failure.exit == Exit::Incomplete => {
                tracing::info!(run_id, "the export was stopped; the next one goes on from there");
                Ok(Outcome::Interrupted)
            }
            Err(failure) => {
                tracing::error!(run_id, error = failure.line(), "the export failed");
                Ok(Outcome::Failed)
            }
        }
    }
}

impl Work for Runner {
    /// On a thread of its own, so that waiting for the disk doesn't hold up the loop.
    async fn run(self: Arc<Self>, kind: Kind, stop: CancellationToken) -> Ended {
        let (runtime, mode) = (Handle::current(), kind.name());
        let run = tokio::task::spawn_blocking(move || runtime.block_on(self.try_run(kind, stop)));
        match run.await {
            Ok(Ok(outcome)) => return Ended::Run(outcome),
            Ok(Err(failure)) if failure.exit == Exit::Held => {
                tracing::warn!(mode, "{}", failure.line());
                return Ended::Held;
            }
            Ok(Err(failure)) => tracing::error!(mode, error = failure.line(), "the run broke off"),
            Err(error) => {
                tracing::error!(mode, %error, "the run crashed; please report it with the lines above");
            }
        }
        Ended::Broken
    }
}

fn hints_wait(config: &Config) -> Result<bool, Failure> {
    let path = &config.mirror.path;
    Ok(is_there(path)? && Mirror::open_read_only(path)?.snapshot()?.has_hints()?)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
