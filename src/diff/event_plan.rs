//! Whose events are looked at in a run.

use super::looks::Signal;
use crate::record::RowSet;
use jiff::{SignedDuration, Timestamp};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Which customers' events a run looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventPlan {
    /// A full sync: everybody not looked at since the walk began.
    Everybody {
        /// When the walk of the customer list began; earlier than the run's start if the walk was resumed.
        walk_started_at: Timestamp,
        /// What calls for it.
        signal: Signal,
    },
    /// An incremental sync: customers that are new or changed, those whose turn it is, and those of whom new events are
    /// expected.
    Due {
        /// Every customer's turn comes at least this often (`sync.events_max_age`); zero: in every run.
        max_age: SignedDuration,
        /// The rows of customers that webhooks have hinted at.
        pushed: Arc<RowSet>,
        /// The rows of customers for whom a look is worth most (`sync.event_budget`).
        expected: Arc<RowSet>,
    },
}

impl EventPlan {
    /// An incremental sync that looks at nobody before their turn.
    pub fn of_turns(max_age: SignedDuration) -> EventPlan {
        EventPlan::Due { max_age, pushed: Arc::default(), expected: Arc::default() }
    }

    /// Whether everybody's events are looked at, as in a full sync.
    pub fn is_of_everybody(&self) -> bool {
        matches!(self, EventPlan::Everybody { .. })
    }

    /// Why the events of a customer are to be looked at now; `None` if they aren't. `checked_at` is when they were last read
    /// to their end, `None` if not since the customer was inserted or last changed.
    pub fn due(
        &self,
        row: i64,
        customer_id: &str,
        checked_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Signal> {
        if let EventPlan::Due { pushed, .. } = self
            && pushed.contains(row)
        {
            return Some(Signal::Pushed);
        }
        // A look that lies in the future was taken under a wrong clock.
        let Some(checked_at) = checked_at.filter(|at| *at <= now) else {
            return Some(match self {
                EventPlan::Everybody { signal, .. } if *signal != Signal::Full => *signal,
                _ => Signal::Pending,
            });
        };
        match self {
            EventPlan::Everybody { walk_started_at, signal } => {
                (checked_at < *walk_started_at).then_some(*signal)
            }
            EventPlan::Due { max_age, .. }
                if turn_has_come(phase(customer_id), *max_age, checked_at, now) =>
            {
                Some(Signal::Turn)
            }
            EventPlan::Due { expected, .. } => expected.contains(row).then_some(Signal::Expected),
        }
    }
}

/// Whether a customer's turn has come.
///
/// Time is divided into steps of half of `max_age`, shifted for each customer by its `phase`. A customer's turn is
/// the first of its steps that lies half of `max_age` or more after the last look. So the wait is between half and
/// the whole of `max_age` the first time, as long as `max_age` from then on (no look more than needed), and customers
/// that were all looked at together come up spread over the second half, not together again.
fn turn_has_come(phase: f64, max_age: SignedDuration, checked_at: Timestamp, now: Timestamp) -> bool {
    let step = max_age.as_millis() / 2;
    if step <= 0 {
        return true;
    }
    let shift = (phase * step as f64) as i128;
    let last_step = (i128::from(now.as_millisecond()) - shift).div_euclid(step);
    let earliest = i128::from(checked_at.as_millisecond()) + step - shift;
    last_step * step >= earliest
}

/// A customer's place in `[0, 1)`, the same in every run.
fn phase(customer_id: &str) -> f64 {
    let mut hasher = DefaultHasher::new();
    customer_id.hash(&mut hasher);
    (hasher.finish() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn who_is_due_and_why() {
        let mut expected = RowSet::default();
        expected.insert(7);
        let mut pushed = RowSet::default();
        pushed.insert(8);
        let (pushed, expected) = (Arc::new(pushed), Arc::new(expected));
        let incremental = EventPlan::Due { max_age: SignedDuration::from_secs(100), pushed, expected };
        let always = EventPlan::of_turns(SignedDuration::ZERO);
        let hinted = EventPlan::Everybody { walk_started_at: at(100), signal: Signal::Pushed };
        let full = EventPlan::Everybody { walk_started_at: at(100), signal: Signal::Full };
        for (plan, row, checked_at, now, due) in [
            (&incremental, 1, None, 0, Some(Signal::Pending)),
            (&incremental, 1, Some(1_000), 1_010, None),
            (&incremental, 7, Some(1_000), 1_010, Some(Signal::Expected)),
            (&incremental, 7, Some(1_000), 1_100, Some(Signal::Turn)),
            (&incremental, 8, Some(1_000), 1_010, Some(Signal::Pushed)),
            (&incremental, 8, None, 1_010, Some(Signal::Pushed)),
            // A look that lies in the future was taken under a wrong clock.
            (&incremental, 1, Some(1_000), 999, Some(Signal::Pending)),
            (&always, 1, Some(100), 100, Some(Signal::Turn)),
            (&full, 1, None, 0, Some(Signal::Pending)),
            (&hinted, 1, None, 0, Some(Signal::Pushed)),
            // However often a full sync is resumed, it looks once.
            (&full, 1, Some(99), 500, Some(Signal::Full)),
            (&full, 1, Some(100), 500, None),
            (&full, 1, Some(501), 500, Some(Signal::Pending)),
        ] {
            assert_eq!(
                plan.due(row, "c", checked_at.map(at), at(now)),
                due,
                "{plan:?} {row} {checked_at:?} {now}"
            );
        }
    }

    #[test]
    fn turns_are_spread() {
        let plan = EventPlan::of_turns(SignedDuration::from_hours(24));
        let mut due_by_hour = [0u32; 25];
        for customer in 0..2400 {
            let id = format!("customer-{customer}");
            let hour =
                (0..=24).find(|h| plan.due(1, &id, Some(at(1_000)), at(1_000 + h * 3600)).is_some()).unwrap();
            due_by_hour[hour as usize] += 1;
        }
        assert!(due_by_hour[..12].iter().all(|n| *n == 0), "{due_by_hour:?}");
        assert!(due_by_hour[13..].iter().all(|n| (100..320).contains(n)), "{due_by_hour:?}");
    }

    proptest! {
        #[test]
        fn waits_between_half_and_the_whole_age(
            phase in 0.0..1.0f64, age in 2i64..1_000_000, checked in 0i64..2_000_000_000, share in 0.0..1.0f64,
        ) {
            let max_age = SignedDuration::from_secs(age);
            let half = age / 2;
            let before = checked + (share * half as f64) as i64;
            prop_assume!(before < checked + half);
            prop_assert!(!turn_has_come(phase, max_age, at(checked), at(before)));
            prop_assert!(turn_has_come(phase, max_age, at(checked), at(checked + age)));
        }

        /// Looked at in its turn, a customer's next turn is a whole age later, not sooner.
        #[test]
        fn settles_into_one_look_per_age(phase in 0.0..1.0f64, age in 100i64..1_000_000) {
            let max_age = SignedDuration::from_secs(age);
            let due = |checked: Timestamp, now: Timestamp| turn_has_come(phase, max_age, checked, now);
            let start = at(1_700_000_000);
            let step = SignedDuration::from_millis((age * 10).max(1));
            let mut now = start;
            while !due(start, now) { now += step; }
            let first = now;
            while !due(first, now) { now += step; }
            let waited = now.duration_since(first);
            prop_assert!(waited <= max_age && waited >= max_age - step * 2, "{waited:?}");
        }
    }
}
