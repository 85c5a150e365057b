//! A shop's customers and what becomes of their orders, for some weeks: every event with the second in which it comes.

use malomo_mirror::diff::looks::{EventKind, NewestEvent};

/// Seconds of an hour and of a day.
pub const HOUR: i64 = 3_600;
pub const DAY: i64 = 24 * HOUR;

/// How long the world has been going on when the mirror first looks at it.
const PAST: i64 = 400 * DAY;

/// Events by customer, in the order of time. The mirror begins at second 0.
pub struct World {
    pub events: Vec<Vec<NewestEvent>>,
    pub ends: i64,
}

impl World {
    /// Orders, their parcels' scans and returns; most customers buy once, some again.
    pub fn of_parcels(customers: usize, ends: i64) -> World {
        World::new(customers, ends, a_customer)
    }

    /// Events that come at random, at the same rate to everybody.
    pub fn at_random(customers: usize, ends: i64) -> World {
        World::new(customers, ends, at_random)
    }

    fn new(customers: usize, ends: i64, live: fn(&mut fastrand::Rng, i64) -> Vec<NewestEvent>) -> World {
        let mut draw = fastrand::Rng::with_seed(7);
        World { events: (0..customers).map(|_| live(&mut draw, ends)).collect(), ends }
    }
}

fn exponential(draw: &mut fastrand::Rng, mean: f64) -> i64 {
    (-mean * (1.0 - draw.f64()).ln()) as i64
}

fn at_random(draw: &mut fastrand::Rng, ends: i64) -> Vec<NewestEvent> {
    let kinds = ["One", "Other"].map(EventKind::named);
    let (mut at, mut events) = (-PAST, Vec::new());
    loop {
        at += exponential(draw, 30.0 * DAY as f64);
        if at >= ends {
            return events;
        }
        events.push(NewestEvent { kind: kinds[draw.usize(..2)].clone(), at });
    }
}

/// Most customers buy once, some buy again now and then, a few often.
fn a_customer(draw: &mut fastrand::Rng, ends: i64) -> Vec<NewestEvent> {
    let days_between = match draw.u32(..100) {
        0..70 => 3_000.0,
        70..95 => 200.0,
        _ => 40.0,
    };
    let (mut at, mut events) = (-draw.i64(0..PAST), Vec::new());
    while at < ends {
        an_order(draw, at, &mut events);
        at += exponential(draw, days_between * DAY as f64);
    }
    events.sort_by_key(|event: &NewestEvent| event.at);
    events.retain(|event| event.at < ends);
    events
}

fn an_order(draw: &mut fastrand::Rng, mut at: i64, events: &mut Vec<NewestEvent>) {
    let mut tell = |at: i64, kind: &str| events.push(NewestEvent { kind: EventKind::named(kind), at });
    tell(at, "ShopifyOrderCreated");
    at += draw.i64(HOUR..40 * HOUR);
    tell(at, "ShopifyOrderFulfilled");
    if draw.u32(..100) < 25 {
        return;
    }
    at += draw.i64(60..HOUR);
    tell(at, "ShipmentCreated/pre_transit");
    at += draw.i64(6 * HOUR..36 * HOUR);
    tell(at, "ShipmentFirstInTransit/in_transit");
    for _ in 0..draw.u32(2..7) {
        at += draw.i64(5 * HOUR..20 * HOUR);
        tell(at, "InTransit/in_transit");
    }
    if draw.u32(..100) < 4 {
        at += draw.i64(3 * DAY..6 * DAY);
        tell(at, "ShipmentStalled/in_transit");
    }
    at += draw.i64(5 * HOUR..20 * HOUR);
    tell(at, "OutForDelivery/out_for_delivery");
    at += draw.i64(2 * HOUR..9 * HOUR);
    tell(at, "Delivered/delivered");
    if draw.u32(..100) < 7 {
        at += draw.i64(DAY..12 * DAY);
        tell(at, "ReturnShipmentCreated/pre_transit");
        for status in ["in_transit", "delivered"] {
            at += draw.i64(DAY..4 * DAY);
            tell(at, &format!("ReturnShipmentUpdateReceived/{status}"));
        }
    }
}
