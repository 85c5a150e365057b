//! The counters and remarks of a run, shared by its parts.

use super::report::{Audited, Failure};
use crate::api::{UnprovenEnd, shown};
use crate::diff::DeletionRefused;
use crate::mirror::{Applied, Aside, AsideInRun, Counts, SetAside};
use crate::observe::{Event, Observer};
use crate::record::{IdSet, Stream};
use std::collections::{BTreeMap, VecDeque};
use std::mem::take;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many failures are listed one by one; further ones are only counted.
const FAILURES_NAMED: usize = 100;

/// If there are more than twice as many remarks, this many of the first and of the last are kept: the last ones are
/// summaries.
const REMARKS_KEPT: usize = 50;

/// The counts, remarks and failures of a run.
pub(super) struct RunCounters {
    observer: Arc<dyn Observer>,
    requests: AtomicU64,
    retries: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    counts: Counts,
    remarks: Vec<String>,
    last_remarks: VecDeque<String>,
    remarks_left_out: u64,
    failures: Vec<Failure>,
    incomplete: bool,
    deletions_refused: Option<String>,
    unproven_ends: u64,
    /// What the first of them holds, and why it may be longer.
    first_unproven: Option<(Stream, UnprovenEnd)>,
    /// Records whose `updated_at` can't be read as a time.
    unreadable_times: BTreeMap<Stream, Counted>,
    /// Records that were taken although the times didn't tell whether they were newer than the mirror's version.
    undated: BTreeMap<Stream, Counted>,
    short_event_lists: u64,
    /// The customer of the first one.
    first_short: Option<String>,
    audited: Option<Audited>,
}

/// Records that one remark covers: eight bytes for each, and the id of the first.
#[derive(Default)]
struct Counted {
    met: IdSet,
    first: String,
}

/// What a run has counted so far.
pub(super) struct RunTotals {
    pub(super) counts: Counts,
    pub(super) remarks: Vec<String>,
    pub(super) failures: Vec<Failure>,
    pub(super) incomplete: bool,
    pub(super) deletions_refused: Option<String>,
    pub(super) audited: Option<Audited>,
}

impl RunCounters {
    pub(super) fn new(observer: Arc<dyn Observer>) -> RunCounters {
        RunCounters {
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

    /// Adds a remark for the operator.
    pub(super) fn remark(&self, text: String) {
        let text = shown(&text);
        self.observe(&Event::Remark { text: &text });
        let mut state = self.lock();
        if state.remarks.len() < REMARKS_KEPT {
            state.remarks.push(text);
            return;
        }
        if state.last_remarks.len() == REMARKS_KEPT {
            state.last_remarks.pop_front();
            state.remarks_left_out += 1;
        }
        state.last_remarks.push_back(text);
    }

    /// Adds a remark and marks the run as incomplete.
    pub(super) fn incomplete(&self, text: String) {
        self.lock().incomplete = true;
        self.remark(text);
    }

    /// Nothing, or no event, was deleted, because too much is missing.
    pub(super) fn deletions_refused(&self, refused: DeletionRefused) {
        self.lock().deletions_refused.get_or_insert_with(|| refused.to_string());
        self.incomplete(refused.to_string());
    }

    /// Adds a customer whose events could not be read.
    pub(super) fn failure(&self, failure: Failure) {
        let mut state = self.lock();
        state.incomplete = true;
        state.counts.event_walks_failed += 1;
        if state.failures.len() < FAILURES_NAMED {
            state.failures.push(Failure { customer_id: shown(&failure.customer_id), ..failure });
        }
    }

    /// The audit has ended.
    pub(super) fn audited(&self, mut audited: Audited) {
        let findings = audited.findings.iter_mut().flat_map(|found| [&mut found.id, &mut found.customer_id]);
        for id in findings.chain(audited.unread.iter_mut().map(|unread| &mut unread.customer_id)) {
            *id = shown(id);
        }
        self.lock().audited = Some(audited);
    }

    /// Counts an event list that may be longer than what was read of it.
    pub(super) fn unproven_end(&self, stream: Stream, why: UnprovenEnd) {
        let mut state = self.lock();
        state.unproven_ends += 1;
        state.first_unproven.get_or_insert((stream, why));
    }

    /// Counts an event list that ended where an earlier walk of it went on.
    pub(super) fn short_event_list(&self, customer_id: &str) {
        let mut state = self.lock();
        state.incomplete = true;
        state.short_event_lists += 1;
        state.first_short.get_or_insert_with(|| customer_id.to_owned());
    }

    /// Counts a record whose `updated_at` is not a time.
    pub(super) fn unreadable_time(&self, stream: Stream, id: &str) {
        self.lock().unreadable_times.entry(stream).or_default().add(id);
    }

    /// Counts what was written, and of that the records whose times don't show whether they are newer than the mirror's
    /// version.
    pub(super) fn applied(&self, stream: Stream, applied: &Applied) {
        let mut state = self.lock();
        state.counts[stream].inserted += applied.inserted;
        state.counts[stream].updated += applied.updated;
        if !applied.undated.is_empty() {
            let undated = state.undated.entry(stream).or_default();
            applied.undated.iter().for_each(|id| undated.add(id));
        }
    }

    /// Adds the records that were set aside. Rejected ones that no run has reported yet make this run incomplete; those that
    /// were reported before are only counted.
    pub(super) fn set_aside(&self, outcome: Aside, aside: &AsideInRun) {
        let AsideInRun { met, known, new, first_known, first_new } = aside;
        let name = |first: &Option<SetAside>| first.as_ref().map(SetAside::to_string).unwrap_or_default();
        let first = name(first_new);
        match outcome {
            Aside::Rejected => self.lock().counts.rejected = *met,
            Aside::Taken => self.lock().counts.repaired = *met,
        }
        match outcome {
            _ if *new == 0 => {}
            Aside::Rejected => self.incomplete(format!(
                "{new} records could not be taken: the mirror's table `rejected` holds them with the reason. The first of \
                 them: {first}. This is told once: as long as they stay as they are, later runs count as complete"
            )),
            Aside::Taken => self.remark(format!(
                "{new} records were taken with a repair: the mirror's table `rejected` holds them as the API gave them. The \
                 first of them: {first}"
            )),
        }
        if outcome == Aside::Rejected && *known > 0 {
            self.remark(format!(
                "{known} records that an earlier run could not take came again as they were: see the mirror's table \
                 `rejected`. The first of them: {}",
                name(first_known)
            ));
        }
    }

    /// Turns what was only counted so far into remarks.
    pub(super) fn sum_up(&self) {
        let (unproven, short, missing, unreadable, undated) = {
            let mut state = self.lock();
            let short = state.first_short.clone().map(|first| (state.short_event_lists, first));
            let unproven = state.first_unproven.clone().map(|first| (state.unproven_ends, first));
            let missing = Stream::ALL.map(|stream| (stream, state.counts[stream].missing));
            (unproven, short, missing, take(&mut state.unreadable_times), take(&mut state.undated))
        };
        if let Some((lists, first)) = short {
            self.incomplete(format!(
                "the event lists of {lists} customers ended at the end of a page where an earlier walk went on: the way to \
                 their next page may have been lost. Nothing of them was deleted; every run reads them again. The first of \
                 them: customer {first}"
            ));
        }
        for (stream, missing) in missing {
            if let Some(parents) = stream.parent().filter(|_| missing > 0) {
                self.remark(format!(
                    "{missing} {stream} no longer stand in their {parents}' lists; each is kept, with missing_since, until a \
                     walk at least sync.deletion_wait after the first one lacks it as well"
                ));
            }
        }
        for (stream, Counted { met, first }) in unreadable {
            self.remark(format!(
                "the updated_at of {} {stream} can't be read as a time, so that nothing tells which of two versions is \
                 newer; the first of them: {first}",
                met.len()
            ));
        }
        for (stream, Counted { met, first }) in undated {
            self.remark(format!(
                "{} {stream} were listed with other content than the mirror's, and their times don't tell which one is \
                 newer: what was listed was taken. A full sync asks for such customers one by one. The first of them: {first}",
                met.len()
            ));
        }
        if let Some((lists, (stream, why))) = unproven {
            let (parents, hint) = (stream.parent().unwrap_or(stream), why.hint(stream));
            self.incomplete(format!(
                "{lists} lists of {parents}' {stream} may be longer than they look. In the first one, {why}. Nothing of \
                 them was deleted. {hint}"
            ));
        }
    }

    pub(super) fn totals(&self) -> RunTotals {
        let state = self.lock();
        let requests = self.requests.load(Ordering::Relaxed);
        let retries = self.retries.load(Ordering::Relaxed);
        let mut counts = state.counts.clone();
        (counts.requests, counts.retries) = (requests, retries);
        RunTotals {
            counts,
            remarks: state.remarks(),
            failures: state.failures.clone(),
            incomplete: state.incomplete,
            deletions_refused: state.deletions_refused.clone(),
            audited: state.audited.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remarks(&self) -> Vec<String> {
        let more = format!("and {} further remarks, which the log alone has", self.remarks_left_out);
        let more = (self.remarks_left_out > 0).then_some(more);
        self.remarks.iter().cloned().chain(more).chain(self.last_remarks.iter().cloned()).collect()
    }
}

impl Counted {
    fn add(&mut self, id: &str) {
        if self.met.is_empty() {
            id.clone_into(&mut self.first);
        }
        self.met.insert(id);
    }
}

/// The client reports to the counters, which pass its events on.
impl Observer for RunCounters {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::RequestFinished { .. } => drop(self.requests.fetch_add(1, Ordering::Relaxed)),
            Event::RetryScheduled { .. } => drop(self.retries.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        self.observer.observe(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Unobserved;

    fn counters() -> RunCounters {
        RunCounters::new(Arc::new(Unobserved))
    }

    #[test]
    fn remarks_are_bounded() {
        let counters = counters();
        for n in 0..100_000 {
            counters.remark(format!("remark {n}"));
        }
        let remarks = counters.totals().remarks;
        assert_eq!((remarks.len(), remarks[49].as_str()), (101, "remark 49"));
        assert_eq!(remarks[50], "and 99900 further remarks, which the log alone has");
        assert_eq!((remarks[51].as_str(), remarks[100].as_str()), ("remark 99950", "remark 99999"));
    }

    #[test]
    fn a_record_that_is_met_twice_counts_once() {
        let counters = counters();
        for id in ["a", "b", "a"] {
            counters.unreadable_time(Stream::Events, id);
        }
        counters.applied(Stream::Customers, &Applied { undated: vec!["a".to_owned()], ..Applied::default() });
        counters.sum_up();
        let RunTotals { remarks, incomplete, .. } = counters.totals();
        assert!(!incomplete);
        assert_eq!(remarks.len(), 2);
        assert!(
            remarks[0].contains("of 2 events can't") && remarks[0].ends_with("the first of them: a"),
            "{remarks:?}"
        );
        assert!(remarks[1].starts_with("1 customers were listed"), "{remarks:?}");
    }

    #[test]
    fn only_what_was_not_told_keeps_a_run_from_being_complete() {
        let first = SetAside {
            stream: Stream::Events,
            customer_id: Some("c".to_owned()),
            record_id: None,
            reason: "why".to_owned(),
            first_seen_at: String::new(),
        };
        let of = |new: u64, known: u64| AsideInRun {
            met: new + known,
            known,
            new,
            first_known: (known > 0).then(|| first.clone()),
            first_new: (new > 0).then(|| first.clone()),
        };
        for (outcome, new, known, incomplete, remarks) in [
            (Aside::Rejected, 0, 0, false, 0),
            (Aside::Rejected, 0, 2, false, 1),
            (Aside::Rejected, 1, 0, true, 1),
            (Aside::Rejected, 1, 2, true, 2),
            (Aside::Taken, 0, 2, false, 0),
            (Aside::Taken, 2, 2, false, 1),
        ] {
            let counters = counters();
            counters.set_aside(outcome, &of(new, known));
            let totals = counters.totals();
            assert_eq!(
                (totals.incomplete, totals.remarks.len()),
                (incomplete, remarks),
                "{outcome:?} {new} {known}"
            );
            let named = "event without a usable id of customer c: why";
            assert!(totals.remarks.iter().all(|remark| remark.contains(named)));
        }
    }
}
