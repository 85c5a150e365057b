//! How often events come, learned from every look.

use super::DAY;
use super::cells::{Cell, Cells, age_of, ages_between};
use super::hazard::Hazards;
use super::sightings::{EventKind, NewestEvent, Sightings};
use super::unseen::UnseenTime;
use std::collections::BTreeMap;

/// Kinds of events that are told apart. Further ones are counted together.
const KINDS_AT_MOST: usize = 300;

/// A customer's last look before this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastLook {
    /// When it was, in seconds since 1970.
    pub at: i64,
    /// The newest event that it found.
    pub newest: NewestEvent,
}

/// How often events come, by the state of a customer.
#[derive(Debug, Default, Clone)]
pub struct EventRates {
    kinds: BTreeMap<EventKind, Cells>,
}

impl EventRates {
    /// Takes back what [`EventRates::changed`] gave; `cell` as [`Cell::new`] makes it.
    pub fn restore(&mut self, kind: &str, age: usize, cell: Cell) {
        if let Some(place) = self.kinds.entry(EventKind::named(kind)).or_default().get_mut(age) {
            *place = cell;
        }
    }

    /// What changed since this was last asked: the kind, the place in [`AGES`](super::AGES), and the cell.
    pub fn changed(&mut self) -> Vec<(EventKind, usize, Cell)> {
        let mut changed = Vec::new();
        for (kind, cells) in &mut self.kinds {
            for (age, cell) in cells.iter_mut().enumerate().filter(|(_, cell)| cell.is_changed) {
                cell.is_changed = false;
                changed.push((kind.clone(), age, *cell));
            }
        }
        changed
    }

    /// Learns from a look at `now` that read the whole list. A first look learns from all that came since the first event,
    /// or, where there was none, since the customer `began`; a later one from what came since the last look. Returns the
    /// newest event, which the next look begins from, and counts in `unseen` how long events had been there that the last
    /// look didn't see; returns also how many these are.
    pub fn learn(
        &mut self,
        before: Option<&LastLook>,
        (sightings, began): (Sightings, i64),
        now: i64,
        unseen: &mut UnseenTime,
    ) -> (NewestEvent, u64) {
        let events = sightings.by_time();
        let newest = events.last().or(before.map(|look| &look.newest)).cloned();
        let newest = newest.unwrap_or_else(|| NewestEvent { kind: EventKind::none(), at: began.min(now) });
        let found = self.learn_from(before, (&events, &newest), now, unseen);
        (newest, found)
    }

    fn learn_from(
        &mut self,
        before: Option<&LastLook>,
        (events, newest): (&[NewestEvent], &NewestEvent),
        now: i64,
        unseen: &mut UnseenTime,
    ) -> u64 {
        let (mut last, mut since, new) = match (before, events) {
            (Some(look), _) => {
                let new = events.partition_point(|event| event.at <= look.at);
                let known = new.checked_sub(1).and_then(|last| events.get(last));
                (known.unwrap_or(&look.newest), look.at, events.get(new..).unwrap_or_default())
            }
            (None, [first, rest @ ..]) => (first, first.at, rest),
            (None, []) => (newest, newest.at, events),
        };
        let mut found = 0;
        for event in new {
            let at = event.at.min(now);
            self.pass(last, since, at);
            self.change_cell(last, at, |cell| cell.add(1.0, 0.0));
            if before.is_some() {
                unseen.add(now.saturating_sub(at).max(0) as f64, 1.0);
                found += 1;
            }
            (last, since) = (event, at);
        }
        self.pass(last, since, now);
        if let Some(look) = before {
            self.change_cell(&look.newest, now, |cell| {
                cell.looks += 1;
                cell.hits += u64::from(found > 0);
                cell.is_changed = true;
            });
        }
        found
    }

    /// A customer whose newest event was `last` had no further one from `from` to `to`.
    fn pass(&mut self, last: &NewestEvent, from: i64, to: i64) {
        let (from, to) = (from.saturating_sub(last.at).max(0), to.saturating_sub(last.at));
        self.change(&last.kind, |cells| {
            for (age, begins, ends) in ages_between(from, to) {
                cells[age].add(0.0, (ends - begins) as f64 / DAY);
            }
        });
    }

    fn change_cell(&mut self, last: &NewestEvent, at: i64, change: impl FnOnce(&mut Cell)) {
        self.change(&last.kind, |cells| change(&mut cells[age_of(at.saturating_sub(last.at))]));
    }

    fn change(&mut self, kind: &EventKind, change: impl FnOnce(&mut Cells)) {
        if let Some(cells) = self.kinds.get_mut(kind) {
            return change(cells);
        }
        let is_full = self.kinds.len() >= KINDS_AT_MOST;
        let kind = if is_full { EventKind::named("other") } else { kind.clone() };
        change(self.kinds.entry(kind).or_default());
    }

    /// What this means for customers.
    pub fn hazards(&self) -> Hazards {
        Hazards::of(&self.kinds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(kind: &str, at: i64) -> NewestEvent {
        NewestEvent { kind: EventKind::named(kind), at }
    }

    fn learn(rates: &mut EventRates, before: Option<&LastLook>, events: &[NewestEvent], now: i64) -> u64 {
        let list = (Sightings::from_events(events.to_vec()), now);
        rates.learn(before, list, now, &mut UnseenTime::default()).1
    }

    #[test]
    fn a_first_look_learns_from_all_that_came_and_a_later_one_from_what_is_new() {
        let (mut rates, hour) = (EventRates::default(), 3_600);
        let events = [event("a", 0), event("b", 2 * hour), event("c", 20 * hour)];
        assert_eq!(learn(&mut rates, None, &events[..2], 4 * hour), 0);
        let cell = |rates: &EventRates, kind: &str, age: usize| rates.kinds[&EventKind::named(kind)][age];
        let close = |one: f64, other: f64| (one - other).abs() < 1e-9;
        let b_young = cell(&rates, "b", 1);
        assert!(close(cell(&rates, "a", 2).events, 1.0) && close(cell(&rates, "a", 2).days, 1.0 / 24.0));
        assert!(close(b_young.days, 50.0 / 1440.0) && close(b_young.events, 0.0));
        // The second look: 16 hours more of b, then c.
        let before = LastLook { at: 4 * hour, newest: event("b", 2 * hour) };
        let mut unseen = UnseenTime::default();
        let (newest, found) =
            rates.learn(Some(&before), (Sightings::from_events(events.to_vec()), 0), 22 * hour, &mut unseen);
        assert_eq!((newest, found), (event("c", 20 * hour), 1));
        assert!(close(unseen.mean().unwrap(), 2.0 * 3600.0));
        let b = cell(&rates, "b", 5);
        assert!(close(b.events, 1.0) && close(b.days, 6.0 / 24.0));
        assert_eq!((b.looks, b.hits), (1, 1));
        // What was changed is told once.
        assert!(rates.changed().iter().any(|(kind, age, _)| (kind.name(), *age) == ("b", 5)));
        assert!(rates.changed().is_empty());
    }

    #[test]
    fn customers_without_events_are_a_kind_of_their_own() {
        let mut rates = EventRates::default();
        let since_the_beginning = rates.hazards().per_day("none")[7];
        let first = rates.learn(None, (Sightings::default(), -300_000), 100, &mut UnseenTime::default());
        assert_eq!(first, (NewestEvent { kind: EventKind::none(), at: -300_000 }, 0));
        assert!(rates.hazards().per_day("none")[7] < since_the_beginning);
        // One that began later than now, by another clock, begins now.
        let (newest, _) = rates.learn(None, (Sightings::default(), 900), 100, &mut UnseenTime::default());
        assert_eq!(newest.at, 100);
        let before = LastLook { at: 100, newest };
        assert_eq!(learn(&mut rates, Some(&before), &[event("a", 86_500)], 86_500), 1);
        assert!(rates.hazards().per_day("none")[6] > EventRates::default().hazards().per_day("none")[6]);
    }

    #[test]
    fn what_no_longer_brings_events_is_forgotten() {
        let (mut rates, day) = (EventRates::default(), 86_400);
        let look = |rates: &mut EventRates, events: &[NewestEvent]| {
            let before = LastLook { at: 0, newest: event("a", 0) };
            learn(rates, Some(&before), events, day / 2);
        };
        for _ in 0..2_000 {
            look(&mut rates, &[event("a", day / 3)]);
        }
        let busy = rates.hazards().per_day("a")[4];
        for _ in 0..4_000 {
            look(&mut rates, &[]);
        }
        let quiet = rates.hazards().per_day("a")[4];
        assert!(busy > 2.0 && quiet < busy / 5.0, "{busy} {quiet}");
    }

    #[test]
    fn kinds_are_bounded() {
        let mut rates = EventRates::default();
        for kind in 0..2 * KINDS_AT_MOST {
            learn(&mut rates, None, &[event(&kind.to_string(), 0), event("a", 5)], 10);
        }
        assert!(rates.kinds.len() <= KINDS_AT_MOST + 1);
    }

    proptest! {
        /// Whatever times lists and clocks tell, nothing breaks, and no time counts for less than nothing.
        #[test]
        fn any_times(
            times in prop::collection::vec(any::<i64>(), 0..20), looked_at in any::<i64>(), now in any::<i64>(),
        ) {
            let mut rates = EventRates::default();
            let events: Vec<NewestEvent> = times.iter().map(|at| event("a", *at)).collect();
            let before = LastLook { at: looked_at, newest: event("b", looked_at) };
            learn(&mut rates, None, &events, now);
            learn(&mut rates, Some(&before), &events, now);
            for (_, _, cell) in rates.changed() {
                prop_assert!(cell.days >= 0.0 && cell.events >= 0.0);
            }
            prop_assert!(rates.hazards().per_day("a").iter().all(|rate| rate.is_finite() && *rate >= 0.0));
        }
    }
}
