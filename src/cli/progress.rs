//! A run's progress: a line that is drawn again and again on a terminal, log lines elsewhere.

use super::output::{count, span};
use crate::api::shown;
use crate::observe::{Event, Observer};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Without a terminal, the progress of a single run is logged this often.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// The progress of a daemon's run is logged this often: its log is kept, and read much later.
const LOG_EVERY_IN_DAEMON: Duration = Duration::from_secs(300);

/// The drawn line is renewed this often at most.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Shows or logs what happens in a run.
pub(super) struct Progress {
    bar: ProgressBar,
    drawn: bool,
    /// How often the progress is drawn or logged.
    every: Duration,
    /// The run's number, on each of its lines; 0 before it is known.
    run_id: AtomicI64,
    started: Instant,
    shown: Mutex<Instant>,
    customers: AtomicU64,
    customers_in_all: AtomicU64,
    events: AtomicU64,
    walks_planned: AtomicU64,
    walks_done: AtomicU64,
    audits_planned: AtomicU64,
    audits_done: AtomicU64,
    requests: AtomicU64,
    retries: AtomicU64,
}

impl Progress {
    /// Draws on `bar` where stderr is a terminal; stays silent where the user wants quiet.
    pub(super) fn new(bar: &ProgressBar, quiet: bool) -> Progress {
        let drawn = std::io::stderr().is_terminal() && !quiet;
        if drawn {
            bar.set_style(
                ProgressStyle::with_template("{spinner} {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(DRAW_EVERY);
        }
        Progress::with(bar.clone(), drawn, if drawn { DRAW_EVERY } else { LOG_EVERY })
    }

    /// Of one of a daemon's runs: never drawn, and logged less often.
    pub(super) fn in_daemon() -> Progress {
        Progress::with(ProgressBar::hidden(), false, LOG_EVERY_IN_DAEMON)
    }

    fn with(bar: ProgressBar, drawn: bool, every: Duration) -> Progress {
        let now = Instant::now();
        Progress {
            bar,
            drawn,
            every,
            run_id: AtomicI64::new(0),
            started: now,
            shown: Mutex::new(now),
            customers: AtomicU64::new(0),
            customers_in_all: AtomicU64::new(0),
            events: AtomicU64::new(0),
            walks_planned: AtomicU64::new(0),
            walks_done: AtomicU64::new(0),
            audits_planned: AtomicU64::new(0),
            audits_done: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            retries: AtomicU64::new(0),
        }
    }

    /// Takes the line off the screen.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
    }

    fn show(&self) {
        {
            let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            if shown.elapsed() < self.every {
                return;
            }
            *shown = Instant::now();
        }
        if self.drawn {
            self.bar.set_message(self.line());
        } else {
            tracing::info!(
                run_id = self.run_id(),
                customers = self.customers.load(Relaxed),
                events = self.events.load(Relaxed),
                event_walks = self.walks_done.load(Relaxed),
                event_walks_planned = self.walks_planned.load(Relaxed),
                audited = self.audits_done.load(Relaxed),
                audits_planned = self.audits_planned.load(Relaxed),
                requests = self.requests.load(Relaxed),
                retries = self.retries.load(Relaxed),
                "sync under way"
            );
        }
    }

    fn run_id(&self) -> Option<i64> {
        Some(self.run_id.load(Relaxed)).filter(|&run_id| run_id != 0)
    }

    fn line(&self) -> String {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        let (done, planned) = (get(&self.walks_done), get(&self.walks_planned));
        let elapsed = self.started.elapsed().as_secs_f64().max(0.001);
        let mut line = format!(
            "{} customers · {} events · events of {} of {} customers · {:.0} requests/s",
            count(get(&self.customers)),
            count(get(&self.events)),
            count(done),
            count(planned),
            get(&self.requests) as f64 / elapsed
        );
        if get(&self.audits_planned) > 0 {
            let (done, planned) = (get(&self.audits_done), get(&self.audits_planned));
            line.push_str(&format!(" · {} of {} audited", count(done), count(planned)));
        }
        if get(&self.retries) > 0 {
            line.push_str(&format!(" · {} retries", count(get(&self.retries))));
        }
        // How much is left is known once the list has been walked to its end.
        if get(&self.customers_in_all) > 0 && done > 0 && planned > done {
            let left = elapsed / done as f64 * (planned - done) as f64;
            line.push_str(&format!(" · {} left", span(left)));
        }
        line
    }
}

impl Observer for Progress {
    fn observe(&self, event: &Event<'_>) {
        let add = |counter: &AtomicU64, n: u64| {
            counter.fetch_add(n, Relaxed);
        };
        let run_id = self.run_id();
        match event {
            Event::RunStarted { run_id, mode, resumed } => {
                self.run_id.store(*run_id, Relaxed);
                tracing::info!(run_id, mode, resumed, "sync begins");
            }
            Event::RequestFinished { .. } => add(&self.requests, 1),
            Event::RetryScheduled { stream, attempt, delay, reason } => {
                add(&self.retries, 1);
                tracing::debug!(run_id, %stream, attempt, delay_ms = delay.as_millis() as u64, reason, "request is sent again");
            }
            Event::ConcurrencyChanged { limit } => {
                tracing::debug!(run_id, limit, "requests in flight at most")
            }
            Event::CustomerPageStored { rows } => add(&self.customers, *rows),
            Event::CustomerWalkFinished { customers } => self.customers_in_all.store(*customers, Relaxed),
            Event::EventWalksPlanned { customers } => add(&self.walks_planned, *customers),
            Event::EventPageStored { rows } => add(&self.events, *rows),
            Event::EventWalkFinished { customer_id, error } => {
                add(&self.walks_done, 1);
                if let Some(error) = error {
                    let customer_id = shown(customer_id);
                    tracing::warn!(run_id, customer_id, error, "the events of a customer could not be read");
                }
            }
            Event::AuditPlanned { customers } => add(&self.audits_planned, *customers),
            Event::CustomerAudited { customer_id, error } => {
                add(&self.audits_done, 1);
                if let Some(error) = error {
                    let customer_id = shown(customer_id);
                    tracing::warn!(run_id, customer_id, error, "a customer could not be audited");
                }
            }
            Event::Remark { text } => tracing::warn!(run_id, "{text}"),
        }
        self.show();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_told_once_it_is_known() {
        let progress = Progress::new(&ProgressBar::hidden(), true);
        progress.observe(&Event::EventWalksPlanned { customers: 10 });
        progress.observe(&Event::EventWalkFinished { customer_id: "a", error: None });
        assert!(!progress.line().contains("left"), "{}", progress.line());
        progress.observe(&Event::CustomerWalkFinished { customers: 10 });
        assert!(progress.line().contains("left"), "{}", progress.line());
    }
}
