//! What the seed says about the world at its start: identifiers, times and how many events there are.

use super::awkward::{self, CustomerOddity, EventOddity};
use super::draw::{Draw, Purpose};
use super::life::{Plan, Step};
use super::text::{push_padded, push_uuid};

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

/// An event as it is kept: all else follows from the seed, its customer's number and this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EventRow {
    pub(super) ordinal: Ordinal,
    /// How often it was revised.
    pub(super) revision: u32,
    /// Milliseconds since 1970.
    pub(super) created: i64,
    /// Milliseconds since 1970.
    pub(super) updated: i64,
}

/// The next event of an order that is under way. Sorted by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    /// Milliseconds since 1970.
    pub(super) at: i64,
    /// The customer's number.
    pub(super) slot: u32,
    pub(super) ordinal: Ordinal,
}

/// Which of its customer's events it is: a step in the plan of one of the customer's orders, which are counted
/// from 0. Never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ordinal(u32);

impl Ordinal {
    /// Bits for the step; no plan is that long.
    const STEP: u32 = 6;

    pub(super) fn new(order: u32, step: usize) -> Ordinal {
        Ordinal((order << Self::STEP) | step as u32)
    }

    pub(super) fn order(self) -> u32 {
        self.0 >> Self::STEP
    }

    pub(super) fn step(self) -> usize {
        (self.0 & ((1 << Self::STEP) - 1)) as usize
    }

    /// The step after it.
    pub(super) fn next(self) -> Ordinal {
        Ordinal::new(self.order(), self.step() + 1)
    }

    pub(super) fn number(self) -> u64 {
        u64::from(self.0)
    }
}

/// A customer's life up to the start of the clock.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// Oldest first.
    pub(super) events: Vec<EventRow>,
    pub(super) orders: u32,
    /// For each order that is under way: when its next event falls due, in milliseconds since 1970, and which it is.
    pub(super) under_way: Vec<(i64, Ordinal)>,
}

impl Source {
    pub(super) fn customer_oddity(self, serial: u64) -> Option<CustomerOddity> {
        self.awkward.then(|| awkward::customer_oddity(serial)).flatten()
    }

    pub(super) fn event_oddity(self, serial: u64, ordinal: Ordinal) -> Option<EventOddity> {
        self.awkward.then(|| awkward::event_oddity(serial, ordinal.number())).flatten()
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

    pub(super) fn push_event_id(self, out: &mut String, serial: u64, ordinal: Ordinal) {
        let mut draw = Draw::new(self.seed, Purpose::EventId, serial, ordinal.number());
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

    /// The life of a customer of the start.
    pub(super) fn past(self, serial: u64, customer_created: i64, mean: f64) -> Past {
        let orders = self.order_count(serial, mean);
        let mut past = Past { orders, ..Past::default() };
        for (order, ordered) in (0..).zip(self.order_times(serial, customer_created, orders)) {
            let plan = self.plan(serial, order);
            let at = |step: &Step| ordered + 1000 * i64::from(step.at);
            let happened = plan.steps().partition_point(|step| at(step) < CLOCK_START);
            let ordinals = (0..).map(|step| Ordinal::new(order, step));
            past.events.extend(plan.steps()[..happened].iter().zip(ordinals).map(|(step, ordinal)| {
                EventRow { ordinal, revision: 0, created: at(step), updated: at(step) }
            }));
            past.under_way
                .extend(plan.steps().get(happened).map(|step| (at(step), Ordinal::new(order, happened))));
        }
        // Orders overlap: a customer may buy again while a parcel is on its way.
        past.events.sort_by_key(|event| event.created);
        let mut draw = Draw::new(self.seed, Purpose::EventTimes, serial, 0);
        for event in &mut past.events {
            event.updated = later(&mut draw, event.created, 0.2);
            if let Some(EventOddity::Times(_)) = self.event_oddity(serial, event.ordinal) {
                (event.created, event.updated) = with_fraction(&mut draw, event.created, event.updated);
            }
        }
        past
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

    fn pasts(seed: u64) -> Vec<Past> {
        let source = Source { seed, ..PLAIN };
        (0..20_000).map(|serial| source.past(serial, source.customer_times(serial).0, 5.0)).collect()
    }

    #[test]
    fn the_mean_is_met_with_a_heavy_tail() {
        let counts: Vec<usize> = (1..5).flat_map(pasts).map(|past| past.events.len()).collect();
        let mean = counts.iter().sum::<usize>() as f64 / counts.len() as f64;
        assert!((4.9..5.1).contains(&mean), "{mean}");
        assert!(counts.iter().any(|count| *count > 100));
        assert_eq!(PLAIN.order_count(1, 0.0), 0);
    }

    #[test]
    fn most_buyers_bought_once_or_a_few_times_and_some_often() {
        let orders: Vec<u32> = pasts(6).iter().map(|past| past.orders).filter(|orders| *orders > 0).collect();
        let share = |few: fn(&&u32) -> bool| orders.iter().filter(few).count() as f64 / orders.len() as f64;
        assert!(orders.len() > 10_000, "{}", orders.len());
        assert!(share(|orders| **orders <= 3) > 0.9);
        assert!(share(|orders| **orders > 10) > 0.005);
    }

    #[test]
    fn a_few_of_a_hundred_buyers_wait_for_something() {
        let pasts = pasts(7);
        let buyers = pasts.iter().filter(|past| past.orders > 0).count() as f64;
        let waiting = pasts.iter().filter(|past| !past.under_way.is_empty()).count() as f64;
        assert!((0.02..0.1).contains(&(waiting / buyers)), "{}", waiting / buyers);
    }

    #[test]
    fn times_lie_before_the_clock_and_in_order() {
        for source in [PLAIN, Source { awkward: true, ..PLAIN }] {
            for serial in 0..500 {
                let (created, updated) = source.customer_times(serial);
                assert!(FIRST <= created && created <= updated && updated < CLOCK_START + CLOCK_STEP);
                let past = source.past(serial, created, 5.0);
                for row in &past.events {
                    assert!(created <= row.created && row.created <= row.updated);
                    assert!(row.created < CLOCK_START && row.updated < CLOCK_START + CLOCK_STEP);
                }
                assert!(past.under_way.iter().all(|(at, _)| *at >= CLOCK_START));
            }
        }
    }

    #[test]
    fn some_customers_share_their_times() {
        assert_eq!(PLAIN.customer_times(15), PLAIN.customer_times(14));
        assert_ne!(PLAIN.customer_times(16), PLAIN.customer_times(15));
    }
}
