//! How many events of a customer are likely to be unseen.

use super::DAY;
use super::cells::{AGES, Cell, Cells, age_of, ages_between};
use super::sightings::EventKind;
use super::unseen::UnseenTime;
use std::collections::{BTreeMap, HashMap};

/// Events a day that are expected while nothing was seen, for each of the [`AGES`]: somebody whose newest event is young
/// is likely to have a parcel on its way.
const PRIOR: [f64; AGES.len()] =
    [2.0, 2.0, 1.5, 1.5, 1.2, 1.0, 0.7, 0.4, 0.15, 0.05, 0.02, 0.01, 0.006, 0.004, 0.002];

/// The prior weighs as much as so many days under observation; so does, for each kind, what is known of all kinds together.
const PRIOR_DAYS: f64 = 1.0;

/// How often events come to customers whose newest event is of one kind, by its age.
#[derive(Debug, Clone)]
pub struct Hazard {
    per_day: [f64; AGES.len()],
    /// What is expected until each of the [`AGES`] begins.
    before: [Moments; AGES.len()],
}

/// Of the events that are expected within some time: their number, and the sums of their days after the newest event that
/// was seen and of these days' squares.
#[derive(Debug, Default, Clone, Copy)]
struct Moments {
    events: f64,
    days: f64,
    squares: f64,
}

impl Moments {
    /// Of events that come evenly between two days.
    fn between(begins: f64, ends: f64, per_day: f64) -> Moments {
        Moments {
            events: per_day * (ends - begins),
            days: per_day * (ends.powi(2) - begins.powi(2)) / 2.0,
            squares: per_day * (ends.powi(3) - begins.powi(3)) / 3.0,
        }
    }

    fn and(self, more: Moments) -> Moments {
        Moments {
            events: self.events + more.events,
            days: self.days + more.days,
            squares: self.squares + more.squares,
        }
    }

    /// The sum of the squares of the days from each event to `day`.
    fn squares_until(self, day: f64) -> f64 {
        day * day * self.events - 2.0 * day * self.days + self.squares
    }
}

impl Hazard {
    /// From the events a day for each of the [`AGES`].
    fn new(per_day: [f64; AGES.len()]) -> Hazard {
        let mut before = [Moments::default(); AGES.len()];
        for age in 1..AGES.len() {
            let spent = Moments::between(begin(age - 1), begin(age), per_day[age - 1]);
            before[age] = before[age - 1].and(spent);
        }
        Hazard { per_day, before }
    }

    /// What is expected until the newest event is so many seconds old.
    fn until(&self, seconds: i64) -> Moments {
        let age = age_of(seconds);
        self.before[age].and(Moments::between(begin(age), seconds as f64 / DAY, self.per_day[age]))
    }

    /// See [`Hazards::urgency`].
    fn urgency(&self, newest_at: i64, looked_at: i64, now: i64) -> f64 {
        let (from, to) = ages(newest_at, looked_at, now);
        let day = to as f64 / DAY;
        (self.until(to).squares_until(day) - self.until(from).squares_until(day)).max(0.0)
    }

    /// Adds to `unseen` what such a look is likely to find.
    fn foretell(&self, newest_at: i64, looked_at: i64, now: i64, unseen: &mut UnseenTime) {
        let (from, to) = ages(newest_at, looked_at, now);
        for (age, begins, ends) in ages_between(from, to) {
            let events = self.per_day[age] * (ends - begins) as f64 / DAY;
            unseen.add_spread((to - ends) as f64, (to - begins) as f64, events);
        }
    }
}

/// How old the newest event was at the last look, and is now.
fn ages(newest_at: i64, looked_at: i64, now: i64) -> (i64, i64) {
    let from = looked_at.saturating_sub(newest_at).max(0);
    (from, now.saturating_sub(newest_at).max(from))
}

/// The day on which an age begins.
fn begin(age: usize) -> f64 {
    AGES[age].0 as f64 / DAY
}

/// The hazards of all kinds.
#[derive(Debug, Clone)]
pub struct Hazards {
    kinds: HashMap<Box<str>, Hazard>,
    /// Of kinds that nothing is known of.
    any: Hazard,
}

impl Hazards {
    pub(super) fn of(kinds: &BTreeMap<EventKind, Cells>) -> Hazards {
        let mut all = Cells::default();
        for cells in kinds.values() {
            for (sum, cell) in all.iter_mut().zip(cells) {
                sum.events += cell.events;
                sum.days += cell.days;
            }
        }
        let any = rates(&all, PRIOR);
        let kinds =
            kinds.iter().map(|(kind, cells)| (kind.name().into(), Hazard::new(rates(cells, any)))).collect();
        Hazards { kinds, any: Hazard::new(any) }
    }

    /// How much a look at `now`, in seconds since 1970, is worth: the sum of the squares of the days for which events are
    /// likely to have been unseen. To look where this is largest keeps both the mean time and the longest times short: by the
    /// number of events alone, whoever gets few of them is left waiting (`cargo bench --bench freshness` compares).
    pub fn urgency(&self, last: LookedAt<'_>, now: i64) -> f64 {
        let (hazard, newest_at) = self.of_look(last);
        hazard.urgency(newest_at, last.at, now)
    }

    /// Adds to `unseen` what such a look is likely to find, and for how long that has been there.
    pub fn foretell(&self, last: LookedAt<'_>, now: i64, unseen: &mut UnseenTime) {
        let (hazard, newest_at) = self.of_look(last);
        hazard.foretell(newest_at, last.at, now, unseen);
    }

    /// Events a day that are expected of customers whose newest event is of this kind, for each of the [`AGES`].
    pub fn per_day(&self, kind: &str) -> [f64; AGES.len()] {
        self.kinds.get(kind).unwrap_or(&self.any).per_day
    }

    fn of_look(&self, last: LookedAt<'_>) -> (&Hazard, i64) {
        match last.newest {
            Some((kind, newest_at)) => (self.kinds.get(kind).unwrap_or(&self.any), newest_at),
            // It is taken to be as old as that look.
            None => (&self.any, last.at),
        }
    }
}

/// A customer's last look, as far as it tells what the next one is worth.
#[derive(Debug, Clone, Copy)]
pub struct LookedAt<'a> {
    /// When it was, in seconds since 1970.
    pub at: i64,
    /// The newest event's kind, and when it came; `None` where the look didn't note it.
    pub newest: Option<(&'a str, i64)>,
}

fn rates(cells: &[Cell], prior: [f64; AGES.len()]) -> [f64; AGES.len()] {
    let mut per_day = prior;
    for (rate, cell) in per_day.iter_mut().zip(cells) {
        *rate = (cell.events + *rate * PRIOR_DAYS) / (cell.days + PRIOR_DAYS);
    }
    per_day
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(per_day: [f64; AGES.len()]) -> Hazards {
        Hazards { kinds: HashMap::new(), any: Hazard::new(per_day) }
    }

    fn near(one: f64, other: f64) -> bool {
        (one - other).abs() <= 1e-6 * other.abs().max(1e-3)
    }

    #[test]
    fn events_at_one_rate() {
        let hazards = of([3.0; AGES.len()]);
        let last = LookedAt { at: 10 * 86_400, newest: Some(("any", 0)) };
        // Three times the integral of the square from 0 to 2 days.
        assert!(near(hazards.urgency(last, 12 * 86_400), 8.0));
        let mut unseen = UnseenTime::default();
        hazards.foretell(last, 12 * 86_400, &mut unseen);
        assert!(near(unseen.events(), 6.0) && near(unseen.mean().unwrap(), 86_400.0));
        // Under a clock that was put back, nothing is expected.
        for now in [10 * 86_400, 5 * 86_400] {
            assert_eq!(hazards.urgency(last, now), 0.0);
        }
    }

    proptest! {
        /// Looking twice finds as much as looking once, and urgency grows with time.
        #[test]
        fn what_is_foretold_adds_up(
            per_day in prop::array::uniform15(0.0..5.0f64), newest in 0i64..1_000_000,
            waits in prop::array::uniform3(0i64..40_000_000),
        ) {
            let hazards = of(per_day);
            let looked_at = |at| LookedAt { at, newest: Some(("any", newest)) };
            let events = |from, to| {
                let mut unseen = UnseenTime::default();
                hazards.foretell(looked_at(from), to, &mut unseen);
                unseen.events()
            };
            let [first, second, third] = [waits[0], waits[0] + waits[1], waits[0] + waits[1] + waits[2]];
            let (one, two, both) = (events(first, second), events(second, third), events(first, third));
            prop_assert!((one + two - both).abs() < 1e-6 * (1.0 + both));
            let [early, late] = [second, third].map(|now| hazards.urgency(looked_at(first), now));
            prop_assert!(late + 1e-6 * (1.0 + late) >= early);
        }
    }
}
