//! What a run learns from its looks at customers' events, and how many further looks it may take.

use crate::api::{Client, Learned};
use crate::diff::looks::{EventRates, Hazards, LastLook, Sightings, Signal, UnseenTime};
use crate::mirror::{LookResults, Now, SignalCount};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Of the requests that the API allows between two runs, one in so many goes to looks that are expected to pay.
const SHARE: f64 = 10.0;

/// What is expected of the API while it has refused nothing: so many requests a second for each that may be in flight.
const REQUESTS_A_SECOND: f64 = 1.0;

/// What a run may take in any case.
const AT_LEAST: usize = 100;

/// How many event lists a run reads of customers whose turn it isn't (`sync.event_budget`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventBudget {
    /// What fits between two runs at a tenth of the rate that the API allows, and at least 100.
    Auto {
        /// The time between two scheduled runs.
        interval: Duration,
    },
    /// So many.
    Lists(usize),
}

impl EventBudget {
    /// The number of lists. `learned` is what the API has shown of its limits.
    pub(super) fn lists(self, concurrency: usize, learned: Option<Learned>) -> usize {
        let interval = match self {
            EventBudget::Auto { interval } => interval.as_secs_f64(),
            EventBudget::Lists(lists) => return lists,
        };
        let in_flight = learned.map_or(concurrency, |learned| learned.concurrency.min(concurrency));
        let unrefused = in_flight as f64 * REQUESTS_A_SECOND;
        let rate = learned.and_then(|learned| learned.rate).unwrap_or(unrefused);
        ((rate * interval / SHARE) as usize).max(AT_LEAST)
    }
}

/// What the run's looks have taught so far.
#[derive(Default)]
pub(super) struct Looks(Mutex<State>);

#[derive(Default)]
struct State {
    rates: EventRates,
    signals: [SignalCount; Signal::ALL.len()],
    unseen: UnseenTime,
}

impl Looks {
    pub(super) fn new(rates: EventRates) -> Looks {
        Looks(Mutex::new(State { rates, ..State::default() }))
    }

    /// Learns from a look at `now`, in seconds since 1970 by the server's clock, at a customer that there has been since it
    /// `began`; returns what the next one begins from, and how many events the one before hadn't seen.
    pub(super) fn learn(
        &self,
        before: Option<&LastLook>,
        (mut sightings, began): (Sightings, i64),
        now: i64,
    ) -> (LastLook, u64) {
        let mut state = self.lock();
        let State { rates, unseen, .. } = &mut *state;
        sightings.forget_after(now.saturating_add(CLOCKS_DIFFER));
        let (newest, found) = rates.learn(before, (sightings, began), now, unseen);
        // The list may have been read a moment after the look began.
        (LastLook { at: now.max(newest.at), newest }, found)
    }

    /// Counts a look, and how many events it found that the one before hadn't.
    pub(super) fn count(&self, signal: Signal, events: u64) {
        if let Some(count) = self.lock().signals.get_mut(signal.index()) {
            count.looks += 1;
            count.hits += u64::from(events > 0);
            count.events += events;
        }
    }

    /// What is known by now of how often events come.
    pub(super) fn hazards(&self) -> Hazards {
        self.lock().rates.hazards()
    }

    /// What is to be kept in the mirror; asked for once, at the run's end.
    pub(super) fn results(&self) -> LookResults {
        let mut state = self.lock();
        let hazards = state.rates.hazards();
        let rates = state.rates.changed().into_iter().map(|(kind, age, cell)| {
            let per_day = hazards.per_day(kind.name())[age];
            (kind, age, cell, per_day)
        });
        LookResults { rates: rates.collect(), signals: state.signals, unseen: state.unseen.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Events that are so many seconds ahead of the server's clock tell nothing.
const CLOCKS_DIFFER: i64 = 86_400;

/// Seconds since 1970 by the server's clock, as far as its answers have told the difference.
pub(super) fn server_seconds(client: &Client, at: Timestamp) -> i64 {
    let ahead = client.server_ahead().unwrap_or(SignedDuration::ZERO);
    at.as_second().saturating_add(ahead.as_secs())
}

/// The present time.
pub(super) fn now(client: &Client) -> Now {
    let ours = Timestamp::now();
    Now { ours, servers: server_seconds(client, ours) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets() {
        let auto = |seconds| EventBudget::Auto { interval: Duration::from_secs(seconds) };
        let learned = |concurrency, rate| Some(Learned { concurrency, rate });
        for (budget, concurrency, learned, lists) in [
            (EventBudget::Lists(0), 16, None, 0),
            (EventBudget::Lists(7), 16, learned(1, Some(1.0)), 7),
            (auto(900), 16, None, 1_440),
            (auto(900), 16, learned(4, None), 360),
            (auto(900), 16, learned(16, Some(50.0)), 4_500),
            // What a leaky bucket of 30 requests a minute leaves.
            (auto(900), 16, learned(1, Some(0.5)), 100),
            (auto(60), 16, None, 100),
        ] {
            assert_eq!(budget.lists(concurrency, learned), lists, "{budget:?} {concurrency} {learned:?}");
        }
    }
}
