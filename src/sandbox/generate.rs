//! What the seed says about the world at its start: identifiers, times and how many events there are.

use super::awkward::{self, CustomerOddity, EventOddity};
use super::draw::{Draw, Purpose};
use super::life::Plan;
use super::rows::{CustomerRow, Due, EventRow, Ordinal};
use super::settings::Settings;
use std::sync::Arc;

/// 2019-01-01T00:00:00Z in milliseconds: nobody became a customer before.
const FIRST: i64 = 1_546_300_800_000;
/// 2025-01-01T00:00:00Z in milliseconds: where the world's clock begins.
pub(super) const CLOCK_START: i64 = 1_735_689_600_000;
/// The world's clock moves by this with each change, in milliseconds.
pub(super) const CLOCK_STEP: i64 = 1000;
/// The mean number of events of an order at the start, when some orders are under way; a test measures it.
const EVENTS_PER_ORDER: f64 = 6.36;
/// The most orders a customer has at the start.
const MOST_ORDERS: f64 = 10_000.0;
/// In a hundred customers, how many buy often.
const REGULARS: u64 = 5;
/// In a hundred customers who bought something, how many did so again within the last days.
const BUSY: u64 = 8;
/// How far back those last days reach, in seconds.
const LAST_DAYS: u64 = 8 * 86_400;

/// Where records come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    pub(super) seed: u64,
    pub(super) awkward: bool,
}

impl Source {
    pub(super) fn customer_oddity(self, serial: u64) -> Option<CustomerOddity> {
        self.awkward.then(|| awkward::customer_oddity(serial)).flatten()
    }

    pub(super) fn event_oddity(self, serial: u64, ordinal: Ordinal) -> Option<EventOddity> {
        self.awkward.then(|| awkward::event_oddity(serial, ordinal.number())).flatten()
    }

    /// The id of a customer. One that a client made is `plain`: its id is a UUID.
    pub(super) fn customer_id(self, serial: u64, plain: bool) -> String {
        let draw = Draw::new(self.seed, Purpose::CustomerId, serial, 0);
        match self.customer_oddity(serial) {
            Some(CustomerOddity::Id(before, after)) if !plain => odd_id(before, draw, after),
            _ => uuid(draw),
        }
    }

    /// The id of an event of the customer with that number.
    pub(super) fn event_id(self, serial: u64, ordinal: Ordinal) -> String {
        let draw = Draw::new(self.seed, Purpose::EventId, serial, ordinal.number());
        match self.event_oddity(serial, ordinal) {
            Some(EventOddity::Id(before, after)) => odd_id(before, draw, after),
            _ => uuid(draw),
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

    /// How many orders a customer of the start has, so that `mean` is the mean of their events: logarithmically
    /// normal, with few differences among most of them, and large ones among those who buy often.
    fn order_count(self, serial: u64, mean: f64) -> u32 {
        let mut draw = Draw::new(self.seed, Purpose::OrderCount, serial, 0);
        // The shares of both kinds make 1 together: 0.05 × 6 + 0.95 × 14 / 19.
        let (share, spread) = if draw.below(100) < REGULARS { (6.0, 1.2) } else { (14.0 / 19.0, 0.4) };
        let normal = (0..12).map(|_| draw.unit()).sum::<f64>() - 6.0;
        let count = mean / EVENTS_PER_ORDER * share * (spread * normal - spread * spread / 2.0).exp();
        (count.min(MOST_ORDERS) + draw.unit()).floor() as u32
    }

    /// When a customer's orders of the start were made, oldest first, in whole seconds: people become customers by
    /// their first one.
    fn order_times(self, serial: u64, customer_created: i64, count: u32) -> Vec<i64> {
        if count == 0 {
            return Vec::new();
        }
        let mut draw = Draw::new(self.seed, Purpose::OrderTimes, serial, 0);
        let first = (customer_created + 999).div_euclid(1000) * 1000;
        let seconds = ((CLOCK_START - first) / 1000).max(1) as u64;
        let mut times = vec![first];
        times.extend((1..count).map(|_| first + 1000 * draw.below(seconds) as i64));
        times.sort_unstable();
        if draw.below(100) < BUSY
            && let Some(newest) = times.last_mut()
        {
            *newest = (*newest).max(CLOCK_START - 1000 * (1 + draw.below(seconds.min(LAST_DAYS)) as i64));
        }
        times
    }

    /// How an order goes on.
    pub(super) fn plan(self, serial: u64, order: u32) -> Plan {
        Plan::drawn(self.seed, serial, order)
    }

    /// A customer of the start with the events up to then, and the next event of each order that is under way.
    pub(super) fn customer_of_start(self, slot: u32, settings: &Settings) -> (CustomerRow, Vec<Due>) {
        let serial = u64::from(slot);
        let (created, mut updated) = self.customer_times(serial);
        let orders = self.order_count(serial, settings.events_per_customer);
        let (mut events, mut under_way) = (Vec::new(), Vec::new());
        for (order, ordered) in (0..).zip(self.order_times(serial, created, orders)) {
            let plan = self.plan(serial, order);
            for (step, ordinal) in plan.steps().iter().zip((0..).map(|step| Ordinal { order, step })) {
                let at = ordered + 1000 * i64::from(step.at);
                if at >= CLOCK_START {
                    under_way.push(Due { at, slot, ordinal });
                    break;
                }
                events.push(EventRow { ordinal, revision: 0, created: at, updated: at });
            }
        }
        // Orders overlap: a customer may buy again while a parcel is on its way.
        events.sort_by_key(|event| event.created);
        let mut draw = Draw::new(self.seed, Purpose::EventTimes, serial, 0);
        for event in &mut events {
            event.updated = later(&mut draw, event.created, 0.2);
            if let Some(EventOddity::Times(_)) = self.event_oddity(serial, event.ordinal) {
                (event.created, event.updated) = with_fraction(&mut draw, event.created, event.updated);
            }
        }
        if let Some(newest) = events.last()
            && settings.events_touch_customer
        {
            updated = updated.max(newest.created);
        }
        let id = Arc::from(self.customer_id(serial, false));
        (CustomerRow { id, created, updated, written: None, plain: false, events, orders }, under_way)
    }
}

fn uuid(mut draw: Draw) -> String {
    draw.uuid().to_string()
}

/// An id that is no UUID, with a unique part in its middle.
fn odd_id(before: &str, mut draw: Draw, after: &str) -> String {
    format!("{before}{:020}{after}", draw.next())
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

    fn customers(seed: u64) -> Vec<(CustomerRow, Vec<Due>)> {
        let (source, settings) = (Source { seed, ..PLAIN }, Settings::default());
        (0..20_000).map(|slot| source.customer_of_start(slot, &settings)).collect()
    }

    #[test]
    fn the_mean_is_met_with_a_heavy_tail() {
        let counts: Vec<usize> = (1..5).flat_map(customers).map(|(row, _)| row.events.len()).collect();
        let mean = counts.iter().sum::<usize>() as f64 / counts.len() as f64;
        assert!((4.9..5.1).contains(&mean), "{mean}");
        assert!(counts.iter().any(|count| *count > 100));
        assert_eq!(PLAIN.order_count(1, 0.0), 0);
    }

    #[test]
    fn most_buyers_bought_once_or_a_few_times_and_some_often() {
        let orders = customers(6).into_iter().map(|(row, _)| row.orders);
        let orders: Vec<u32> = orders.filter(|orders| *orders > 0).collect();
        let share = |few: fn(&&u32) -> bool| orders.iter().filter(few).count() as f64 / orders.len() as f64;
        assert!(orders.len() > 10_000, "{}", orders.len());
        assert!(share(|orders| **orders <= 3) > 0.9);
        assert!(share(|orders| **orders > 10) > 0.005);
    }

    #[test]
    fn a_few_of_a_hundred_buyers_wait_for_something() {
        let customers = customers(7);
        let buyers = customers.iter().filter(|(row, _)| row.orders > 0).count() as f64;
        let waiting = customers.iter().filter(|(_, under_way)| !under_way.is_empty()).count() as f64;
        assert!((0.02..0.1).contains(&(waiting / buyers)), "{}", waiting / buyers);
    }

    #[test]
    fn times_lie_before_the_clock_and_in_order() {
        for source in [PLAIN, Source { awkward: true, ..PLAIN }] {
            for slot in 0..500 {
                let (row, under_way) = source.customer_of_start(slot, &Settings::default());
                let CustomerRow { created, updated, events, .. } = row;
                assert!(FIRST <= created && created <= updated && updated < CLOCK_START + CLOCK_STEP);
                for row in &events {
                    assert!(created <= row.created && row.created <= row.updated);
                    assert!(row.created < CLOCK_START && row.updated < CLOCK_START + CLOCK_STEP);
                }
                assert!(under_way.iter().all(|due| due.at >= CLOCK_START));
            }
        }
    }

    #[test]
    fn some_customers_share_their_times() {
        assert_eq!(PLAIN.customer_times(15), PLAIN.customer_times(14));
        assert_ne!(PLAIN.customer_times(16), PLAIN.customer_times(15));
    }
}
