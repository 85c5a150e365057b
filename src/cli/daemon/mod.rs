//! `daemon`: connects the schedule with signals, the service manager and the runs themselves.

mod endpoint;
mod metrics_source;
mod notifier;
mod reload;
mod run_history;
mod runner;
mod status_line;
mod systemd;
mod webhooks;

use super::args::Global;
use super::exit::{Exit, Failure};
use super::{assemble, signals};
use crate::daemon::notices::Messenger;
use crate::daemon::{self, Control, Metrics, Pace, Plan};
use crate::observe::Unobserved;
use endpoint::Sources;
use jiff::Timestamp;
use metrics_source::MetricsSource;
use notifier::Notifier;
use runner::Runner;
use sd_notify::NotifyState;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::SignalKind;
use tokio::sync::{mpsc, watch};

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
    // How long the service manager waits for a sign of life; none: it expects none.
    let patience = sd_notify::watchdog_enabled();
    let pace = Pace { beat: patience.map_or(BEAT, |patience| BEAT.min(patience / 3)), grace: GRACE };
    let plan = Plan::new(config.schedule.clone(), &history, Timestamp::now(), fastrand::Rng::new());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        mirror = %config.mirror.path.display(),
        sync = expression(&config.schedule.sync),
        full = expression(&config.schedule.full),
        timezone = config.timezone.iana_name(),
        "daemon begins"
    );
    let (hinted, hints) = mpsc::channel(1);
    let metrics = Arc::new(Metrics::default());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let (notices, messenger) = Messenger::start(config.mirror.path.clone(), host, metrics.clone());
    let runner = Arc::new(Runner::new(config, last, hinted, (notices, metrics)));
    let (changed, reload) = mpsc::channel(1);
    let reloading = tokio::spawn(reload::on_hangup(global.clone(), hangups, runner.clone(), changed));
    let (last_round, rounds) = watch::channel(Instant::now());
    let config = runner.config();
    let _endpoint = match config.http.listen {
        Some(address) => {
            let metrics_source =
                MetricsSource::new(&config.mirror.path, config.all_destinations().cloned().collect()).into();
            // Three rounds may be missed.
            let stuck_after = 4 * pace.beat;
            let sources = Sources {
                runner: runner.clone(),
                metrics_source,
                page: Default::default(),
                last_round: rounds,
                stuck_after,
            };
            Some(endpoint::start(address, sources).await?)
        }
        None => None,
    };
    let _webhooks = webhooks::start(&runner).await?;
    let notifier = Notifier { runner: runner.clone(), shows_life: patience.is_some(), last_round };
    systemd::tell(&[NotifyState::Ready]);
    daemon::run(plan, runner, &notifier, Timestamp::now, pace, Control { stop, reload, hints }).await;
    reloading.abort();
    messenger.finish().await;
    tracing::info!("daemon ends");
    Ok(Exit::Done)
}

fn expression(schedule: &Option<crate::schedule::Schedule>) -> &str {
    schedule.as_ref().map_or("never", |schedule| schedule.expression())
}
