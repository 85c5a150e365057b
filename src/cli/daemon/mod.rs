//! `daemon`: the schedule, joined to signals, to the service manager and to the runs themselves.

mod endpoint;
mod history;
mod job;
mod pulse;
mod reader;
mod reload;
mod status_line;
mod systemd;
mod voice;

use super::args::Global;
use super::assemble;
use super::exit::{Exit, Failure};
use crate::config::Config;
use crate::daemon::{self, Control, Pace, Plan, Schedules};
use crate::observe::Unobserved;
use jiff::Timestamp;
use job::Job;
use pulse::Pulse;
use reader::Reader;
use std::sync::Arc;
use std::time::Duration;
use systemd::Systemd;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use voice::Voice;

/// The loop goes round at least this often: so soon it notices that the clock was changed.
const BEAT: Duration = Duration::from_secs(10);

/// How long a run may take to stop. A request or a wait ends at once; this is for a commit on a slow disk.
const GRACE: Duration = Duration::from_secs(4);

pub(super) async fn run(global: &Global) -> Result<Exit, Failure> {
    // Signals first: one that comes early is not lost, and does not kill.
    let hangups = signal(SignalKind::hangup())
        .map_err(|error| Failure::new(Exit::Failed, format!("signals can't be received: {error}")))?;
    let stop = assemble::stop_token()?;
    let config = assemble::config(global)?;
    // What would stop every run stops the daemon here.
    assemble::client(&config, &assemble::key(&config)?, Arc::new(Unobserved))?;
    let (history, last) = history::read(&config)?;
    let systemd = Systemd::from_environment();
    let pace = Pace { beat: systemd.watchdog().map_or(BEAT, |limit| BEAT.min(limit / 3)), grace: GRACE };
    let plan = Plan::new(schedules(&config), &history, Timestamp::now(), fastrand::Rng::new());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        mirror = %config.mirror.path.display(),
        sync = expression(&config.schedule.sync),
        full = expression(&config.schedule.full),
        timezone = config.schedule.timezone.iana_name(),
        "daemon begins"
    );
    let job = Arc::new(Job::new(config, last));
    let (changed, reload) = mpsc::channel(1);
    let reloading = tokio::spawn(reload::on_hangup(global.clone(), hangups, job.clone(), changed));
    let pulse = Arc::new(Pulse::new(pace.beat));
    let _endpoint = match job.config().http.listen {
        Some(address) => {
            let reader = Reader::open(&job.config().mirror.path, &job.config().export.dir)?;
            Some(endpoint::start(address, job.clone(), Arc::new(reader), pulse.clone()).await?)
        }
        None => None,
    };
    let voice = Voice::new(job.clone(), systemd, pulse);
    Systemd::ready();
    daemon::run(plan, job, &voice, Timestamp::now, pace, Control { stop, reload }).await;
    reloading.abort();
    tracing::info!("daemon ends");
    Ok(Exit::Done)
}

fn schedules(config: &Config) -> Schedules {
    let schedule = &config.schedule;
    Schedules { sync: schedule.sync.clone(), full: schedule.full.clone(), jitter: schedule.jitter }
}

fn expression(schedule: &Option<crate::schedule::Schedule>) -> &str {
    schedule.as_ref().map_or("never", |schedule| schedule.expression())
}
