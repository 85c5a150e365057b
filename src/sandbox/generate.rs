//! What the seed says about the world at its start: identifiers, times and how many events there are.

use super::awkward::{self, CustomerOddity, EventOddity};
use super::draw::{Draw, Purpose};
use super::text::{push_padded, push_uuid};

/// 2019-01-01T00:00:00Z in milliseconds: nobody became a customer before.
const FIRST: i64 = 1_546_300_800_000;
/// 2025-01-01T00:00:00Z in milliseconds: where the world's clock begins.
pub(super) const CLOCK_START: i64 = 1_735_689_600_000;
/// The world's clock moves by this with each change, in milliseconds.
pub(super) const CLOCK_STEP: i64 = 1000;
/// The most events a customer has at the start.
const MOST_EVENTS: f64 = 100_000.0;

/// Where records come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    pub(super) seed: u64,
    pub(super) awkward: bool,
}

/// An event as it is kept: all else follows from the seed, its customer's number and this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EventRow {
    /// Counted per customer from 0, never used again.
    pub(super) ordinal: u32,
    /// How often it was revised.
    pub(super) revision: u32,
    /// Milliseconds since 1970.
    pub(super) created: i64,
    /// Milliseconds since 1970.
    pub(super) updated: i64,
}

impl Source {
    pub(super) fn customer_oddity(self, serial: u64) -> Option<CustomerOddity> {
        self.awkward.then(|| awkward::customer_oddity(serial)).flatten()
    }

    pub(super) fn event_oddity(self, serial: u64, ordinal: u32) -> Option<EventOddity> {
        self.awkward.then(|| awkward::event_oddity(serial, u64::from(ordinal))).flatten()
    }

    /// The id of a customer that the world made itself.
    pub(super) fn customer_id(self, serial: u64) -> String {
        let mut draw = Draw::new(self.seed, Purpose::CustomerId, serial, 0);
        let mut id = String::with_capacity(36);
        match self.customer_oddity(serial) {
            Some(CustomerOddity::Id(before, after)) => odd_id(&mut id, before, &mut draw, after),
            _ => push_uuid(&mut id, draw.next(), draw.next()),
        }
        id
    }

    /// The id of a customer that a client made: always a UUID.
    pub(super) fn new_customer_id(self, serial: u64) -> String {
        let mut draw = Draw::new(self.seed, Purpose::CustomerId, serial, 0);
        let mut id = String::with_capacity(36);
        push_uuid(&mut id, draw.next(), draw.next());
        id
    }

    pub(super) fn push_event_id(self, out: &mut String, serial: u64, ordinal: u32) {
        let mut draw = Draw::new(self.seed, Purpose::EventId, serial, u64::from(ordinal));
        match self.event_oddity(serial, ordinal) {
            Some(EventOddity::Id(before, after)) => odd_id(out, before, &mut draw, after),
            _ => push_uuid(out, draw.next(), draw.next()),
        }
    }

    /// When a customer of the start was created and last changed. Every sixteenth came together with the
    /// one before it, so that equal times occur.
    pub(super) fn customer_times(self, serial: u64) -> (i64, i64) {
        let of = if serial % 16 == 15 { serial - 1 } else { serial };
        let mut draw = Draw::new(self.seed, Purpose::CustomerTimes, of, 0);
        let created = FIRST + 1000 * draw.below(((CLOCK_START - FIRST) / 1000) as u64) as i64;
        let updated = later(&mut draw, created, 0.6);
        match self.customer_oddity(serial) {
            Some(CustomerOddity::Times(_)) => with_fraction(&mut draw, created, updated),
            _ => (created, updated),
        }
    }

    /// How many events a customer of the start has: logarithmically normal with the given mean. Half the
    /// customers have less than half the mean, a few have a hundred times as much.
    fn event_count(self, serial: u64, mean: f64) -> u64 {
        const SPREAD: f64 = 1.2;
        let mut draw = Draw::new(self.seed, Purpose::EventCount, serial, 0);
        let normal = (0..12).map(|_| draw.unit()).sum::<f64>() - 6.0;
        let count = mean * (SPREAD * normal - SPREAD * SPREAD / 2.0).exp();
        (count.min(MOST_EVENTS) + draw.unit()).floor() as u64
    }

    /// The events of a customer of the start, oldest first.
    pub(super) fn event_rows(self, serial: u64, customer_created: i64, mean: f64) -> Vec<EventRow> {
        let count = self.event_count(serial, mean);
        let mut draw = Draw::new(self.seed, Purpose::EventTimes, serial, 0);
        let span = ((CLOCK_START - customer_created) / 1000).max(1) as u64;
        let mut times: Vec<i64> =
            (0..count).map(|_| customer_created + 1000 * draw.below(span) as i64).collect();
        times.sort_unstable();
        let mut rows = Vec::with_capacity(times.len());
        for (created, ordinal) in times.into_iter().zip(0_u32..) {
            let updated = later(&mut draw, created, 0.2);
            let (created, updated) = match self.event_oddity(serial, ordinal) {
                Some(EventOddity::Times(_)) => with_fraction(&mut draw, created, updated),
                _ => (created, updated),
            };
            rows.push(EventRow { ordinal, revision: 0, created, updated });
        }
        rows
    }
}

/// An id that is no UUID, with a unique part in its middle.
fn odd_id(out: &mut String, before: &str, draw: &mut Draw, after: &str) {
    out.push_str(before);
    push_padded(out, draw.next(), 20);
    out.push_str(after);
}

/// An instant from `from` to the start of the clock with the given likelihood, else `from` itself.
fn later(draw: &mut Draw, from: i64, likelihood: f64) -> i64 {
    let seconds = draw.below(((CLOCK_START - from) / 1000).max(0) as u64) as i64;
    if draw.unit() < likelihood { from + 1000 * seconds } else { from }
}

/// Both times with a fraction of a second, the later one not earlier than before.
fn with_fraction(draw: &mut Draw, created: i64, updated: i64) -> (i64, i64) {
    let fraction = 1 + draw.below(998) as i64;
    (created + fraction, updated + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Source = Source { seed: 5, awkward: false };

    #[test]
    fn the_mean_is_met_with_a_heavy_tail() {
        let counts: Vec<u64> = (0..20_000).map(|serial| PLAIN.event_count(serial, 5.0)).collect();
        let mean = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
        assert!((4.5..5.5).contains(&mean), "{mean}");
        assert!(counts.iter().filter(|count| **count == 0).count() > 1000);
        assert!(counts.iter().any(|count| *count > 100));
        assert_eq!(PLAIN.event_count(1, 0.0), 0);
    }

    #[test]
    fn times_lie_before_the_clock_and_in_order() {
        for source in [PLAIN, Source { awkward: true, ..PLAIN }] {
            for serial in 0..500 {
                let (created, updated) = source.customer_times(serial);
                assert!(FIRST <= created && created <= updated && updated < CLOCK_START + CLOCK_STEP);
                for row in source.event_rows(serial, created, 5.0) {
                    assert!(created <= row.created && row.created <= row.updated);
                    assert!(row.updated < CLOCK_START + CLOCK_STEP);
                }
            }
        }
    }

    #[test]
    fn some_customers_share_their_times() {
        assert_eq!(PLAIN.customer_times(15), PLAIN.customer_times(14));
        assert_ne!(PLAIN.customer_times(16), PLAIN.customer_times(15));
    }
}
