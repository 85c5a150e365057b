//! Runs the syncs and exports of the daemon, each with the configuration that is in force when it begins.

use super::super::assemble;
use super::super::exit::{Exit, Failure};
use super::super::progress::Progress;
use super::super::sync::run_once;
use crate::config::Config;
use crate::daemon::{Ended, Kind, Metrics, Work};
use crate::mirror::{LockError, Outcome, RunLock};
use crate::observe::{Event, Observer};
use crate::record::Stream;
use crate::sync::{Finished, Scope, Tools};
use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// The newest run of the mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LastRun {
    /// As in `sync_runs.mode`.
    pub(super) mode: String,
    /// As in `sync_runs.outcome`.
    pub(super) outcome: String,
    pub(super) started_at: Timestamp,
    /// How many customers the mirror held at its end.
    pub(super) customers: u64,
}

/// Runs them, one at a time.
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

    async fn run_locked(
        &self,
        config: &Config,
        lock: RunLock,
        kind: Kind,
        stop: CancellationToken,
    ) -> Result<Outcome, Failure> {
        let key = assemble::key(config)?;
        let observer =
            Arc::new(RunObserver { progress: Progress::in_daemon(), metrics: self.metrics.clone() });
        let tools = Tools {
            client: assemble::client(config, &key, observer.clone())?,
            known: assemble::known_paging(config),
            observer,
            stop,
        };
        let (scope, audit) = match kind {
            Kind::Sync => (Scope::Incremental, 0),
            Kind::Full => (Scope::Full, config.sync.audit),
        };
        let settings = assemble::sync_settings(config, audit);
        let (mut finished, exported) = run_once(config, lock, tools, scope, settings).await?;
        let outcome = finished.report.outcome;
        self.metrics.run_ended(&finished.report);
        self.note(&mut finished)?;
        let report = &finished.report;
        if let Some(error) = &report.error {
            let (run_id, what_to_do) = (report.run_id.0, report.what_to_do);
            tracing::error!(run_id, error, what_to_do, "the run failed");
        }
        if let Ok(Some(exported)) = &exported {
            super::super::export::log_notes(exported, finished.report.run_id.0);
        }
        if let Err(failure) = exported {
            // The changes stay in the log, for the next export.
            if failure.exit == Exit::Incomplete {
                tracing::info!(
                    run_id = finished.report.run_id.0,
                    "the export was stopped; the next one goes on from there"
                );
                return Ok(Outcome::Interrupted);
            }
            tracing::error!(run_id = finished.report.run_id.0, error = failure.line(), "the export failed");
            return Ok(Outcome::Failed);
        }
        Ok(outcome)
    }

    fn note(&self, finished: &mut Finished) -> Result<(), Failure> {
        let snapshot = finished.mirror.snapshot()?;
        let customers =
            snapshot.freshness()?.iter().find(|stream| stream.stream == Stream::FIRST).map(|s| s.row_count);
        let report = &finished.report;
        *locked(&self.last) = Some(LastRun {
            mode: report.mode.name().to_owned(),
            outcome: report.outcome.name().to_owned(),
            started_at: report.started_at,
            customers: customers.unwrap_or(0),
        });
        Ok(())
    }
}

impl Work for Runner {
    /// On a thread of its own, so that waiting for the disk doesn't hold up the loop.
    async fn run(self: Arc<Self>, kind: Kind, stop: CancellationToken) -> Ended {
        let runtime = Handle::current();
        let run = tokio::task::spawn_blocking(move || runtime.block_on(self.run_here(kind, stop)));
        run.await.unwrap_or_else(|error| {
            tracing::error!(mode = kind.name(), %error, "the run crashed; please report it with the lines above");
            Ended::Broken
        })
    }
}

impl Runner {
    async fn run_here(&self, kind: Kind, stop: CancellationToken) -> Ended {
        let config = self.config();
        let command = format!("daemon, {} sync", kind.name());
        let lock = match RunLock::acquire(&config.mirror.path, &command, Timestamp::now()) {
            Ok(lock) => lock,
            Err(error @ LockError::Held { .. }) => {
                tracing::warn!(mode = kind.name(), "{error}");
                return Ended::Held;
            }
            Err(error) => {
                tracing::error!(
                    mode = kind.name(),
                    error = Failure::from(error).line(),
                    "the run could not begin"
                );
                return Ended::Broken;
            }
        };
        match self.run_locked(&config, lock, kind, stop).await {
            Ok(outcome) => Ended::Run(outcome),
            Err(failure) => {
                tracing::error!(mode = kind.name(), error = failure.line(), "the run broke off");
                Ended::Broken
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
