//! The life of an order, from its creation to its last event: a plan of steps that follows from the seed.
//!
//! The types of events and the statuses of shipments are the vendor's (`api-contract`, "Around the Customer
//! resource").

use super::draw::{Draw, Purpose};

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;

/// The number of an order's parcel that goes back to the shop; those on their way to the customer have 0 and 1.
pub(super) const RETURN: u8 = 2;
/// In a hundred fulfilled orders, how many are never tracked: gift cards, downloads, things fetched from the shop.
const UNTRACKED: u64 = 53;

/// What an event tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    /// The vendor's name of the type.
    pub(super) name: &'static str,
    /// What a label says of the order.
    pub(super) label: &'static str,
    /// Whether a carrier scanned the parcel, so that the event says where.
    pub(super) is_scan: bool,
}

impl Kind {
    const ORDER_CREATED: Kind = Kind::new("ShopifyOrderCreated", "created");
    const ORDER_FULFILLED: Kind = Kind::new("ShopifyOrderFulfilled", "fulfilled");
    const FULFILLMENT_STALLED: Kind = Kind::new("FulfillmentStalled", "is not fulfilled yet");
    pub(super) const ORDER_ISSUE_CREATED: Kind = Kind::new("OrderIssueCreated", "has an issue");
    const SHIPMENT_CREATED: Kind = Kind::new("ShipmentCreated", "shipped");
    const SHIPMENT_UPDATE_RECEIVED: Kind = Kind::new("ShipmentUpdateReceived", "has a shipment update");
    const FIRST_IN_TRANSIT: Kind = Kind::scan("ShipmentFirstInTransit", "scanned for the first time");
    const IN_TRANSIT: Kind = Kind::scan("InTransit", "in transit");
    const SHIPMENT_STALLED: Kind = Kind::new("ShipmentStalled", "stalled on its way");
    const FIRST_OUT_FOR_DELIVERY: Kind =
        Kind::scan("ShipmentFirstOutForDelivery", "out for delivery for the first time");
    const OUT_FOR_DELIVERY: Kind = Kind::scan("OutForDelivery", "out for delivery");
    const DELIVERY_ATTEMPTED: Kind = Kind::new("ShipmentDeliveryAttempted", "could not be delivered");
    const RETURN_TO_SENDER: Kind = Kind::new("ShipmentReturnToSender", "goes back to the sender");
    const DELIVERED: Kind = Kind::scan("Delivered", "delivered");
    const RETURN_CREATED: Kind = Kind::new("ReturnShipmentCreated", "has a return");
    const RETURN_UPDATE_RECEIVED: Kind = Kind::new("ReturnShipmentUpdateReceived", "has a return update");

    const fn new(name: &'static str, label: &'static str) -> Kind {
        Kind { name, label, is_scan: false }
    }

    const fn scan(name: &'static str, label: &'static str) -> Kind {
        Kind { name, label, is_scan: true }
    }
}

/// The status of a shipment, by the vendor's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Status(pub(super) &'static str);

impl Status {
    const PRE_TRANSIT: Status = Status("pre_transit");
    const IN_TRANSIT: Status = Status("in_transit");
    const OUT_FOR_DELIVERY: Status = Status("out_for_delivery");
    const DELIVERED: Status = Status("delivered");
    const RETURN_TO_SENDER: Status = Status("return_to_sender");
    const CANCELLED: Status = Status("cancelled");
    const AVAILABLE_FOR_PICKUP: Status = Status("available_for_pickup");
    /// Statuses of a lost parcel.
    const LOST: [Status; 3] = [Status("failure"), Status("error"), Status("unknown")];
}

/// One event of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Seconds after the order's creation.
    pub(super) at: u32,
    pub(super) kind: Kind,
    /// The parcel that the event is about, and its status from then on.
    pub(super) parcel: Option<(u8, Status)>,
}

/// The steps of an order, in the order in which they happen.
#[derive(Debug)]
pub(super) struct Plan(Vec<Step>);

impl Plan {
    /// The plan of a customer's order of that number.
    pub(super) fn drawn(seed: u64, serial: u64, order: u32) -> Plan {
        let draw = Draw::new(seed, Purpose::OrderPlan, serial, u64::from(order));
        let mut author = Author { draw, at: 0, steps: Vec::with_capacity(16) };
        author.order_and_its_parcels();
        // Two parcels travel at the same time.
        author.steps.sort_by_key(|step| step.at);
        Plan(author.steps)
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Seconds from a step to the one after it; `None` behind the last one.
    pub(super) fn wait_after(&self, step: usize) -> Option<u32> {
        Some(self.0.get(step + 1)?.at - self.0[step].at)
    }

    /// Seconds from a step to the last one of its parcel; `None` where it is about no parcel, or the last one.
    pub(super) fn parcel_ends_after(&self, step: usize) -> Option<u32> {
        let (parcel, _) = self.0[step].parcel?;
        let is_of_parcel = |step: &Step| step.parcel.is_some_and(|(other, _)| other == parcel);
        let last = self.0.iter().rposition(is_of_parcel)?;
        (last > step).then(|| self.0[last].at - self.0[step].at)
    }
}

/// Writes a plan, drawing how it goes on.
struct Author {
    draw: Draw,
    at: u32,
    steps: Vec<Step>,
}

impl Author {
    fn happens(&mut self, percent: u64) -> bool {
        self.draw.below(100) < percent
    }

    fn wait(&mut self, least: u32, most: u32) {
        self.at += least + self.draw.below(u64::from(most - least)) as u32;
    }

    fn tell(&mut self, kind: Kind) {
        self.steps.push(Step { at: self.at, kind, parcel: None });
    }

    fn tell_of(&mut self, parcel: u8, kind: Kind, status: Status) {
        self.steps.push(Step { at: self.at, kind, parcel: Some((parcel, status)) });
    }

    fn order_and_its_parcels(&mut self) {
        self.tell(Kind::ORDER_CREATED);
        if self.happens(4) {
            self.wait(3 * DAY, 6 * DAY);
            self.tell(Kind::FULFILLMENT_STALLED);
        }
        // Some orders are taken back before anybody packs them.
        if self.happens(3) {
            return;
        }
        self.wait(HOUR, 2 * DAY);
        self.tell(Kind::ORDER_FULFILLED);
        if self.happens(UNTRACKED) {
            return;
        }
        let (fulfilled, mut end, mut delivered) = (self.at, self.at, false);
        let parcels = if self.happens(12) { 2 } else { 1 };
        for parcel in 0..parcels {
            self.at = fulfilled;
            delivered |= self.sent(parcel);
            end = end.max(self.at);
        }
        self.at = end;
        if delivered {
            self.afterwards();
        }
    }

    /// A parcel on its way to the customer; whether it arrives.
    fn sent(&mut self, parcel: u8) -> bool {
        // Some carriers send an update with every new status beside the event that has a type of its own.
        let talkative = self.happens(30);
        self.wait(5 * MINUTE, HOUR);
        self.tell_of(parcel, Kind::SHIPMENT_CREATED, Status::PRE_TRANSIT);
        self.update_if(talkative, parcel, Status::PRE_TRANSIT);
        if self.happens(3) {
            self.wait(HOUR, DAY);
            self.update_if(true, parcel, Status::CANCELLED);
            return false;
        }
        self.wait(6 * HOUR, 36 * HOUR);
        self.tell_of(parcel, Kind::FIRST_IN_TRANSIT, Status::IN_TRANSIT);
        self.tell_of(parcel, Kind::IN_TRANSIT, Status::IN_TRANSIT);
        self.update_if(talkative, parcel, Status::IN_TRANSIT);
        for _ in 0..self.draw.below(4) {
            self.wait(4 * HOUR, 30 * HOUR);
            self.tell_of(parcel, Kind::IN_TRANSIT, Status::IN_TRANSIT);
        }
        if self.happens(5) && self.stalls_for_ever(parcel) {
            return false;
        }
        self.wait(8 * HOUR, 30 * HOUR);
        self.tell_of(parcel, Kind::FIRST_OUT_FOR_DELIVERY, Status::OUT_FOR_DELIVERY);
        self.tell_of(parcel, Kind::OUT_FOR_DELIVERY, Status::OUT_FOR_DELIVERY);
        self.update_if(talkative, parcel, Status::OUT_FOR_DELIVERY);
        if self.happens(7) && self.nobody_at_home(parcel) {
            return false;
        }
        self.wait(HOUR, 9 * HOUR);
        self.tell_of(parcel, Kind::DELIVERED, Status::DELIVERED);
        self.update_if(talkative, parcel, Status::DELIVERED);
        true
    }

    fn update_if(&mut self, told: bool, parcel: u8, status: Status) {
        if told {
            self.tell_of(parcel, Kind::SHIPMENT_UPDATE_RECEIVED, status);
        }
    }

    /// No scan for days; true where the parcel is lost.
    fn stalls_for_ever(&mut self, parcel: u8) -> bool {
        self.wait(4 * DAY, 7 * DAY);
        self.tell_of(parcel, Kind::SHIPMENT_STALLED, Status::IN_TRANSIT);
        self.wait(HOUR, 4 * DAY);
        let is_lost = self.happens(40);
        if is_lost {
            let status = self.draw.pick(&Status::LOST);
            self.update_if(true, parcel, status);
            self.wait(HOUR, 2 * DAY);
            self.tell(Kind::ORDER_ISSUE_CREATED);
        } else {
            self.tell_of(parcel, Kind::IN_TRANSIT, Status::IN_TRANSIT);
        }
        is_lost
    }

    /// The first attempt fails; true where the parcel goes back to the shop.
    fn nobody_at_home(&mut self, parcel: u8) -> bool {
        self.wait(2 * HOUR, 8 * HOUR);
        self.tell_of(parcel, Kind::DELIVERY_ATTEMPTED, Status::OUT_FOR_DELIVERY);
        self.wait(16 * HOUR, 26 * HOUR);
        match self.draw.below(4) {
            0 => {
                self.tell_of(parcel, Kind::RETURN_TO_SENDER, Status::RETURN_TO_SENDER);
                self.update_if(true, parcel, Status::RETURN_TO_SENDER);
                return true;
            }
            1 => self.update_if(true, parcel, Status::AVAILABLE_FOR_PICKUP),
            _ => self.tell_of(parcel, Kind::OUT_FOR_DELIVERY, Status::OUT_FOR_DELIVERY),
        }
        false
    }

    /// What may follow once something was delivered.
    fn afterwards(&mut self) {
        if self.happens(4) {
            self.wait(2 * HOUR, 4 * DAY);
            self.tell(Kind::ORDER_ISSUE_CREATED);
        }
        if self.happens(7) {
            self.wait(DAY, 12 * DAY);
            self.tell_of(RETURN, Kind::RETURN_CREATED, Status::PRE_TRANSIT);
            for status in [Status::IN_TRANSIT, Status::DELIVERED] {
                self.wait(DAY, 4 * DAY);
                self.tell_of(RETURN, Kind::RETURN_UPDATE_RECEIVED, status);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn plans() -> impl Iterator<Item = Plan> {
        (0..20_000).map(|serial| Plan::drawn(3, serial, (serial % 5) as u32))
    }

    #[test]
    fn every_type_and_every_status_of_an_update_occurs() {
        let steps: Vec<Step> = plans().flat_map(|plan| plan.0).collect();
        let kinds: HashSet<&str> = steps.iter().map(|step| step.kind.name).collect();
        assert_eq!(kinds.len(), 16, "{kinds:?}");
        let updates = steps.iter().filter(|step| step.kind == Kind::SHIPMENT_UPDATE_RECEIVED);
        let statuses: HashSet<&str> =
            updates.filter_map(|step| step.parcel).map(|(_, status)| status.0).collect();
        assert_eq!(statuses.len(), 10, "{statuses:?}");
    }

    #[test]
    fn waits_lead_from_step_to_step() {
        for plan in plans().take(1000) {
            let mut at = 0;
            for (number, step) in plan.steps().iter().enumerate() {
                assert_eq!(step.at, at);
                at += plan.wait_after(number).unwrap_or_default();
            }
            assert_eq!(plan.wait_after(plan.steps().len() - 1), None);
        }
    }

    #[test]
    fn an_order_has_up_to_two_parcels_and_is_over_within_two_months() {
        let mut found = HashSet::new();
        for plan in plans() {
            let sent = |step: &&Step| step.kind == Kind::SHIPMENT_CREATED;
            found.insert(plan.steps().iter().filter(sent).count());
            assert!(plan.steps().last().unwrap().at < 60 * DAY);
        }
        assert_eq!(found, HashSet::from([0, 1, 2]));
    }
}
