//! Runs the syncs and exports of the daemon, each with the configuration that is in force when it begins.

use super::super::assemble;
use super::super::exit::{Exit, Failure};
use super::super::progress::Progress;
use super::super::sync::run_once;
use super::run_history::{self, LastRun};
use crate::config::Config;
use crate::daemon::{Ended, Kind, Metrics, Work};
use crate::mirror::Outcome;
use crate::observe::{Event, Observer};
use crate::sync::Scope;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

pub(super) struct Runner {
    config: Mutex<Arc<Config>>,
    last: Mutex<Option<LastRun>>,
    metrics: Arc<Metrics>,
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
    pub(super) fn new(config: Config, last: Option<LastRun>) -> Runner {
        Runner { config: Mutex::new(Arc::new(config)), last: Mutex::new(last), metrics: Arc::default() }
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
    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// One run and its export.
    ///
    /// # Errors
    /// When the run could not be recorded; with [`Exit::Held`] when another process holds the mirror.
    async fn try_run(&self, kind: Kind, stop: CancellationToken) -> Result<Outcome, Failure> {
        let config = self.config();
        let lock = assemble::lock(&config, &format!("daemon, {} sync", kind.name()))?;
        let observer =
            Arc::new(RunObserver { progress: Progress::in_daemon(), metrics: self.metrics.clone() });
        let tools = assemble::tools(&config, observer, stop)?;
        let (scope, audit) = match kind {
            Kind::Sync => (Scope::Incremental, 0),
            Kind::Full => (Scope::Full, config.sync.audit),
        };
        let settings = assemble::sync_settings(&config, audit);
        let (mut finished, exported) = run_once(&config, lock, tools, scope, settings).await?;
        let report = &finished.report;
        self.metrics.run_ended(report);
        *locked(&self.last) = run_history::last(&finished.mirror.snapshot()?)?;
        let run_id = report.run_id.0;
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

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
