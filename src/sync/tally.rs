//! What a run counts and remarks while its parts work side by side.

use super::report::{Audited, Failure};
use crate::api::UnprovenEnd;
use crate::mirror::Counts;
use crate::observe::{Event, Observer};
use crate::record::Stream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Failures that are named one by one; further ones are only counted.
const FAILURES_NAMED: usize = 100;

/// The counts, remarks and failures of a run.
pub(super) struct Tally {
    observer: Arc<dyn Observer>,
    requests: AtomicU64,
    retries: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    counts: Counts,
    remarks: Vec<String>,
    failures: Vec<Failure>,
    incomplete: bool,
    unproven_ends: u64,
    short_event_lists: u64,
    /// The customer of the first one.
    first_short: Option<String>,
    /// Why, in the first of them.
    unproven: Option<UnprovenEnd>,
    audited: Option<Audited>,
}

/// What the parts of a run have left behind.
pub(super) struct Tallied {
    pub(super) counts: Counts,
    pub(super) remarks: Vec<String>,
    pub(super) failures: Vec<Failure>,
    pub(super) incomplete: bool,
    pub(super) audited: Option<Audited>,
}

impl Tally {
    pub(super) fn new(observer: Arc<dyn Observer>) -> Tally {
        Tally {
            observer,
            requests: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            state: Mutex::new(State::default()),
        }
    }

    pub(super) fn observe(&self, event: &Event<'_>) {
        self.observer.observe(event);
    }

    pub(super) fn count(&self, add: impl FnOnce(&mut Counts)) {
        add(&mut self.lock().counts);
    }

    /// Something that a person should know.
    pub(super) fn remark(&self, text: String) {
        self.observe(&Event::Remark { text: &text });
        self.lock().remarks.push(text);
    }

    /// Something is missing that the run set out to bring.
    pub(super) fn incomplete(&self, text: String) {
        self.lock().incomplete = true;
        self.remark(text);
    }

    /// A customer's events are missing.
    pub(super) fn failure(&self, failure: Failure) {
        let mut state = self.lock();
        state.incomplete = true;
        state.counts.event_walks_failed += 1;
        if state.failures.len() < FAILURES_NAMED {
            state.failures.push(failure);
        }
    }

    /// The audit has ended.
    pub(super) fn audited(&self, audited: Audited) {
        self.lock().audited = Some(audited);
    }

    /// A customer's list of events may be longer than what came of it.
    pub(super) fn unproven_end(&self, why: UnprovenEnd) {
        let mut state = self.lock();
        state.unproven_ends += 1;
        state.unproven.get_or_insert(why);
    }

    /// A customer's list of events ended where an earlier walk of it went on.
    pub(super) fn short_event_list(&self, customer_id: &str) {
        let mut state = self.lock();
        state.incomplete = true;
        state.short_event_lists += 1;
        state.first_short.get_or_insert_with(|| customer_id.to_owned());
    }

    /// Turns what was only counted so far into remarks.
    pub(super) fn sum_up(&self) {
        let (unproven, rejected, short, missing) = {
            let state = self.lock();
            let short = state.first_short.clone().map(|first| (state.short_event_lists, first));
            let unproven = state.unproven.clone().map(|why| (state.unproven_ends, why));
            (unproven, state.counts.rejected, short, state.counts.events_missing)
        };
        if let Some((lists, first)) = short {
            self.incomplete(format!(
                "the event lists of {lists} customers ended at the end of a page where an earlier walk went on: the way to \
                 their next page may have been lost. Nothing of them was deleted; every run reads them again. The first of \
                 them: customer {first}"
            ));
        }
        if missing > 0 {
            self.remark(format!(
                "{missing} events no longer stand in their customers' lists; each is kept, with missing_since, until a walk \
                 at least sync.deletion_wait after the first one lacks it as well"
            ));
        }
        if rejected > 0 {
            self.incomplete(format!(
                "{rejected} records could not be taken: the mirror's table `rejected` holds them with the reason"
            ));
        }
        if let Some((lists, why)) = unproven {
            let hint = why.hint(Stream::Events);
            self.incomplete(format!(
                "{lists} lists of customers' events may be longer than they look. In the first one, {why}. Nothing of \
                 them was deleted. {hint}"
            ));
        }
    }

    pub(super) fn so_far(&self) -> Tallied {
        let state = self.lock();
        let requests = self.requests.load(Ordering::Relaxed);
        let retries = self.retries.load(Ordering::Relaxed);
        Tallied {
            counts: Counts { requests, retries, ..state.counts.clone() },
            remarks: state.remarks.clone(),
            failures: state.failures.clone(),
            incomplete: state.incomplete || state.counts.rejected > 0,
            audited: state.audited.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client reports to the tally, which counts and passes on.
impl Observer for Tally {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::RequestFinished { .. } => drop(self.requests.fetch_add(1, Ordering::Relaxed)),
            Event::RetryScheduled { .. } => drop(self.retries.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        self.observer.observe(event);
    }
}
