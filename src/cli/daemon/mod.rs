//! `daemon`: connects the schedule with signals, the service manager and the runs themselves.

mod endpoint;
mod metrics_source;
mod notifier;
mod reload;
mod run_history;
mod runner;
mod status_line;
mod systemd;
mod watchdog;

use super::args::Global;
use super::assemble;
use super::exit::{Exit, Failure};
use super::signals;
use crate::daemon::{self, Control, Pace, Plan};
use crate::observe::Unobserved;
use jiff::Timestamp;
use metrics_source::MetricsSource;
use notifier::Notifier;
use runner::Runner;
use std::sync::Arc;
use std::time::Duration;
use systemd::Systemd;
use tokio::signal::unix::SignalKind;
use tokio::sync::mpsc;
use watchdog::Watchdog;

/// The loop goes round at least this often, so that it soon notices when the clock was changed.
const BEAT: Duration = Duration::from_secs(10);

/// How long a run may take to stop. A request or a wait ends at once; this is for a commit on a slow disk.
const GRACE: Duration = Duration::from_secs(4);

pub(super) async fn run(global: &Global) -> Result<Exit, Failure> {
    // Signals first, so that an early one is neither lost nor fatal.
    let hangups = signals::received(SignalKind::hangup())?;
    let stop = signals::stop_token()?;
    let config = assemble::config(global)?;
    // A mistake that would fail every run fails the daemon's start.
    assemble::client(&config, Arc::new(Unobserved))?;
    let (history, last) = run_history::read(&config)?;
    let systemd = Systemd::from_environment();
    let pace = Pace { beat: systemd.watchdog().map_or(BEAT, |limit| BEAT.min(limit / 3)), grace: GRACE };
    let plan = Plan::new(config.schedule.clone(), &history, Timestamp::now(), fastrand::Rng::new());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        mirror = %config.mirror.path.display(),
        sync = expression(&config.schedule.sync),
        full = expression(&config.schedule.full),
        timezone = config.timezone.iana_name(),
        "daemon begins"
    );
    let runner = Arc::new(Runner::new(config, last));
    let (changed, reload) = mpsc::channel(1);
    let reloading = tokio::spawn(reload::on_hangup(global.clone(), hangups, runner.clone(), changed));
    let watchdog = Arc::new(Watchdog::new(pace.beat));
    let _endpoint = match runner.config().http.listen {
        Some(address) => {
            let metrics_source =
                MetricsSource::new(&runner.config().mirror.path, &runner.config().export.dir);
            Some(endpoint::start(address, runner.clone(), Arc::new(metrics_source), watchdog.clone()).await?)
        }
        None => None,
    };
    let notifier = Notifier { runner: runner.clone(), systemd, watchdog };
    Systemd::ready();
    daemon::run(plan, runner, &notifier, Timestamp::now, pace, Control { stop, reload }).await;
    reloading.abort();
    tracing::info!("daemon ends");
    Ok(Exit::Done)
}

fn expression(schedule: &Option<crate::schedule::Schedule>) -> &str {
    schedule.as_ref().map_or("never", |schedule| schedule.expression())
}
