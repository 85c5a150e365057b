//! A run's progress: a line that is drawn again and again on a terminal, log lines elsewhere.

use super::output::{count, span};
use crate::api::shown;
use crate::observe::{Event, Observer};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Without a terminal, the progress of a single run is logged this often.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// The progress of a daemon's run is logged this often: its log is kept, and read much later.
const LOG_EVERY_IN_DAEMON: Duration = Duration::from_secs(300);

/// The drawn line is renewed this often at most.
const DRAW_EVERY: Duration = Duration::from_millis(100);

pub(super) struct Progress {
    bar: ProgressBar,
    drawn: bool,
    /// How often the progress is drawn or logged.
    every: Duration,
    started: Instant,
    state: Mutex<State>,
}

/// What a run has done so far.
#[derive(Clone, Default)]
struct State {
    /// When it was last drawn or logged, counted from the start.
    shown: Duration,
    /// The run's number, for each of its log lines; `None` before it is known.
    run_id: Option<i64>,
    customers: u64,
    /// How many customers the list has, once it was walked to its end.
    customers_in_all: u64,
    events: u64,
    walks_planned: u64,
    walks_done: u64,
    audits_planned: u64,
    audits_done: u64,
    requests: u64,
    retries: u64,
}

impl Progress {
    /// Draws on `bar` where stderr is a terminal; stays silent where the user wants quiet.
    pub(super) fn new(bar: &ProgressBar, quiet: bool) -> Progress {
        let drawn = std::io::stderr().is_terminal() && !quiet;
        if drawn {
            bar.set_style(ProgressStyle::default_spinner());
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
        Progress { bar, drawn, every, started: Instant::now(), state: Mutex::default() }
    }

    /// Takes the line off the screen.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
    }

    fn show(&self, state: &State) {
        if self.drawn {
            self.bar.set_message(state.line(self.started.elapsed()));
        } else {
            tracing::info!(
                run_id = state.run_id,
                customers = state.customers,
                events = state.events,
                event_walks = state.walks_done,
                event_walks_planned = state.walks_planned,
                audited = state.audits_done,
                audits_planned = state.audits_planned,
                requests = state.requests,
                retries = state.retries,
                "sync under way"
            );
        }
    }
}

impl State {
    fn count(&mut self, event: &Event<'_>) {
        match event {
            Event::RunStarted { run_id, .. } => self.run_id = Some(*run_id),
            Event::RequestFinished { .. } => self.requests += 1,
            Event::RetryScheduled { .. } => self.retries += 1,
            Event::CustomerPageStored { rows } => self.customers += rows,
            Event::CustomerWalkFinished { customers } => self.customers_in_all = *customers,
            Event::EventWalksPlanned { customers } => self.walks_planned += customers,
            Event::EventPageStored { rows } => self.events += rows,
            Event::EventWalkFinished { .. } => self.walks_done += 1,
            Event::AuditPlanned { customers } => self.audits_planned += customers,
            Event::CustomerAudited { .. } => self.audits_done += 1,
            Event::ConcurrencyChanged { .. } | Event::Remark { .. } | Event::HintsFollowed { .. } => {}
        }
    }

    fn line(&self, elapsed: Duration) -> String {
        let elapsed = elapsed.as_secs_f64().max(0.001);
        let (done, planned) = (self.walks_done, self.walks_planned);
        let mut line = format!(
            "{} customers · {} events · events of {} of {} customers · {:.0} requests/s",
            count(self.customers),
            count(self.events),
            count(done),
            count(planned),
            self.requests as f64 / elapsed
        );
        if self.audits_planned > 0 {
            let (done, planned) = (count(self.audits_done), count(self.audits_planned));
            line.push_str(&format!(" · {done} of {planned} audited"));
        }
        if self.retries > 0 {
            line.push_str(&format!(" · {} retries", count(self.retries)));
        }
        // How much is left is known once the list has been walked to its end.
        if self.customers_in_all > 0 && done > 0 && planned > done {
            let left = elapsed / done as f64 * (planned - done) as f64;
            line.push_str(&format!(" · {} left", span(left)));
        }
        line
    }
}

fn log(run_id: Option<i64>, event: &Event<'_>) {
    match event {
        Event::RunStarted { mode, resumed, .. } => tracing::info!(run_id, mode, resumed, "sync begins"),
        Event::RetryScheduled { stream, attempt, delay, reason } => {
            let delay_ms = delay.as_millis() as u64;
            tracing::debug!(run_id, %stream, attempt, delay_ms, reason, "request is sent again");
        }
        Event::ConcurrencyChanged { limit } => {
            tracing::debug!(run_id, limit, "requests in flight at most");
        }
        Event::EventWalkFinished { customer_id, error: Some(error) } => {
            let customer_id = shown(customer_id);
            tracing::warn!(run_id, customer_id, error, "the events of a customer could not be read");
        }
        Event::CustomerAudited { customer_id, error: Some(error) } => {
            let customer_id = shown(customer_id);
            tracing::warn!(run_id, customer_id, error, "a customer could not be audited");
        }
        Event::Remark { text } => tracing::warn!(run_id, "{text}"),
        _ => {}
    }
}

impl Observer for Progress {
    fn observe(&self, event: &Event<'_>) {
        let (run_id, due) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.count(event);
            let elapsed = self.started.elapsed();
            let is_due = elapsed.saturating_sub(state.shown) >= self.every;
            if is_due {
                state.shown = elapsed;
            }
            (state.run_id, is_due.then(|| state.clone()))
        };
        // Nobody waits for the lock while a line is written.
        log(run_id, event);
        if let Some(state) = due {
            self.show(&state);
        }
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
        let line = || progress.state.lock().unwrap().line(Duration::from_secs(1));
        assert!(!line().contains("left"), "{}", line());
        progress.observe(&Event::CustomerWalkFinished { customers: 10 });
        assert!(line().contains("left"), "{}", line());
    }
}
