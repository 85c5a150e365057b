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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    OrderCreated,
    OrderFulfilled,
    FulfillmentStalled,
    OrderIssueCreated,
    ShipmentCreated,
    ShipmentUpdateReceived,
    FirstInTransit,
    InTransit,
    ShipmentStalled,
    FirstOutForDelivery,
    OutForDelivery,
    DeliveryAttempted,
    ReturnToSender,
    Delivered,
    ReturnCreated,
    ReturnUpdateReceived,
}

impl Kind {
    /// The vendor's name of the type, and what it says of the order in a label.
    pub(super) fn names(self) -> (&'static str, &'static str) {
        match self {
            Kind::OrderCreated => ("ShopifyOrderCreated", "created"),
            Kind::OrderFulfilled => ("ShopifyOrderFulfilled", "fulfilled"),
            Kind::FulfillmentStalled => ("FulfillmentStalled", "is not fulfilled yet"),
            Kind::OrderIssueCreated => ("OrderIssueCreated", "has an issue"),
            Kind::ShipmentCreated => ("ShipmentCreated", "shipped"),
            Kind::ShipmentUpdateReceived => ("ShipmentUpdateReceived", "has a shipment update"),
            Kind::FirstInTransit => ("ShipmentFirstInTransit", "scanned for the first time"),
            Kind::InTransit => ("InTransit", "in transit"),
            Kind::ShipmentStalled => ("ShipmentStalled", "stalled on its way"),
            Kind::FirstOutForDelivery => {
                ("ShipmentFirstOutForDelivery", "out for delivery for the first time")
            }
            Kind::OutForDelivery => ("OutForDelivery", "out for delivery"),
            Kind::DeliveryAttempted => ("ShipmentDeliveryAttempted", "could not be delivered"),
            Kind::ReturnToSender => ("ShipmentReturnToSender", "goes back to the sender"),
            Kind::Delivered => ("Delivered", "delivered"),
            Kind::ReturnCreated => ("ReturnShipmentCreated", "has a return"),
            Kind::ReturnUpdateReceived => ("ReturnShipmentUpdateReceived", "has a return update"),
        }
    }

    /// Whether a carrier scanned the parcel, so that the event says where.
    pub(super) fn is_scan(self) -> bool {
        matches!(
            self,
            Kind::FirstInTransit
                | Kind::InTransit
                | Kind::FirstOutForDelivery
                | Kind::OutForDelivery
                | Kind::Delivered
        )
    }
}

/// The status of a shipment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Status {
    PreTransit,
    InTransit,
    OutForDelivery,
    Delivered,
    ReturnToSender,
    Cancelled,
    AvailableForPickup,
    Failure,
    Error,
    Unknown,
}

impl Status {
    /// The vendor's name of it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Status::PreTransit => "pre_transit",
            Status::InTransit => "in_transit",
            Status::OutForDelivery => "out_for_delivery",
            Status::Delivered => "delivered",
            Status::ReturnToSender => "return_to_sender",
            Status::Cancelled => "cancelled",
            Status::AvailableForPickup => "available_for_pickup",
            Status::Failure => "failure",
            Status::Error => "error",
            Status::Unknown => "unknown",
        }
    }
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
        self.tell(Kind::OrderCreated);
        if self.happens(4) {
            self.wait(3 * DAY, 6 * DAY);
            self.tell(Kind::FulfillmentStalled);
        }
        // Some orders are taken back before anybody packs them.
        if self.happens(3) {
            return;
        }
        self.wait(HOUR, 2 * DAY);
        self.tell(Kind::OrderFulfilled);
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
        self.tell_of(parcel, Kind::ShipmentCreated, Status::PreTransit);
        self.update_if(talkative, parcel, Status::PreTransit);
        if self.happens(3) {
            self.wait(HOUR, DAY);
            self.update_if(true, parcel, Status::Cancelled);
            return false;
        }
        self.wait(6 * HOUR, 36 * HOUR);
        self.tell_of(parcel, Kind::FirstInTransit, Status::InTransit);
        self.tell_of(parcel, Kind::InTransit, Status::InTransit);
        self.update_if(talkative, parcel, Status::InTransit);
        for _ in 0..self.draw.below(4) {
            self.wait(4 * HOUR, 30 * HOUR);
            self.tell_of(parcel, Kind::InTransit, Status::InTransit);
        }
        if self.happens(5) && self.stalls_for_ever(parcel) {
            return false;
        }
        self.wait(8 * HOUR, 30 * HOUR);
        self.tell_of(parcel, Kind::FirstOutForDelivery, Status::OutForDelivery);
        self.tell_of(parcel, Kind::OutForDelivery, Status::OutForDelivery);
        self.update_if(talkative, parcel, Status::OutForDelivery);
        if self.happens(7) && self.nobody_at_home(parcel) {
            return false;
        }
        self.wait(HOUR, 9 * HOUR);
        self.tell_of(parcel, Kind::Delivered, Status::Delivered);
        self.update_if(talkative, parcel, Status::Delivered);
        true
    }

    fn update_if(&mut self, told: bool, parcel: u8, status: Status) {
        if told {
            self.tell_of(parcel, Kind::ShipmentUpdateReceived, status);
        }
    }

    /// No scan for days; true where the parcel is lost.
    fn stalls_for_ever(&mut self, parcel: u8) -> bool {
        self.wait(4 * DAY, 7 * DAY);
        self.tell_of(parcel, Kind::ShipmentStalled, Status::InTransit);
        self.wait(HOUR, 4 * DAY);
        let is_lost = self.happens(40);
        if is_lost {
            let status = self.draw.pick(&[Status::Failure, Status::Error, Status::Unknown]);
            self.update_if(true, parcel, status);
            self.wait(HOUR, 2 * DAY);
            self.tell(Kind::OrderIssueCreated);
        } else {
            self.tell_of(parcel, Kind::InTransit, Status::InTransit);
        }
        is_lost
    }

    /// The first attempt fails; true where the parcel goes back to the shop.
    fn nobody_at_home(&mut self, parcel: u8) -> bool {
        self.wait(2 * HOUR, 8 * HOUR);
        self.tell_of(parcel, Kind::DeliveryAttempted, Status::OutForDelivery);
        self.wait(16 * HOUR, 26 * HOUR);
        match self.draw.below(4) {
            0 => {
                self.tell_of(parcel, Kind::ReturnToSender, Status::ReturnToSender);
                self.update_if(true, parcel, Status::ReturnToSender);
                return true;
            }
            1 => self.update_if(true, parcel, Status::AvailableForPickup),
            _ => self.tell_of(parcel, Kind::OutForDelivery, Status::OutForDelivery),
        }
        false
    }

    /// What may follow once something was delivered.
    fn afterwards(&mut self) {
        if self.happens(4) {
            self.wait(2 * HOUR, 4 * DAY);
            self.tell(Kind::OrderIssueCreated);
        }
        if self.happens(7) {
            self.wait(DAY, 12 * DAY);
            self.tell_of(RETURN, Kind::ReturnCreated, Status::PreTransit);
            for status in [Status::InTransit, Status::Delivered] {
                self.wait(DAY, 4 * DAY);
                self.tell_of(RETURN, Kind::ReturnUpdateReceived, status);
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
        let kinds: HashSet<&str> = steps.iter().map(|step| step.kind.names().0).collect();
        assert_eq!(kinds.len(), 16, "{kinds:?}");
        let updates = steps.iter().filter(|step| step.kind == Kind::ShipmentUpdateReceived);
        let statuses: HashSet<&str> =
            updates.filter_map(|step| step.parcel).map(|(_, status)| status.name()).collect();
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
            let sent = |step: &&Step| step.kind == Kind::ShipmentCreated;
            found.insert(plan.steps().iter().filter(sent).count());
            assert!(plan.steps().last().unwrap().at < 60 * DAY);
        }
        assert_eq!(found, HashSet::from([0, 1, 2]));
    }
}
