//! An order, its parcels, and whether more is to come.

use super::step::{Step, Times};

/// An order.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Order {
    /// The shop's identifier; `None` where the events tell the number alone.
    pub order_id: Option<String>,
    /// What people call it, without `#`.
    pub order_number: Option<String>,
    /// Of the newest event that has one; a return's begins with `return_`.
    pub status: Option<String>,
    /// When each step first happened, of whichever parcel.
    pub times: Times,
    /// The times of its first and its last event.
    pub first_event: Option<i64>,
    /// See `first_event`.
    pub last_event: Option<i64>,
    /// As the newest event that has it tells; so is `currency`.
    pub total_price: Option<f64>,
    /// See `total_price`.
    pub currency: Option<String>,
    /// Events that are about it.
    pub event_count: i64,
    /// Of these, those that tell of an issue.
    pub issue_count: i64,
    /// Its parcels, in the order in which they were first told of.
    pub shipments: Vec<Shipment>,
}

/// A parcel.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Shipment {
    /// The vendor's identifier.
    pub shipment_id: Option<String>,
    /// Who carries it.
    pub carrier: Option<String>,
    /// The carrier's identifier.
    pub tracking_code: Option<String>,
    /// Whether it goes from the customer back to the shop.
    pub is_return: bool,
    /// Of the newest event that has one.
    pub status: Option<String>,
    /// When each step first happened. The first two are an order's.
    pub times: Times,
    /// The time of its last event.
    pub last_event: Option<i64>,
    /// As the newest event that has it tells; mostly without a zone.
    pub estimated_delivery_at: Option<String>,
    /// Events that are about it.
    pub event_count: i64,
}

impl Order {
    /// When it was created, or else when its first event happened.
    pub fn began(&self) -> Option<i64> {
        self.times.first(Step::Created).or(self.first_event)
    }

    /// Whether more is to come: it isn't fulfilled yet, or a parcel is on its way to the customer.
    pub fn is_open(&self) -> bool {
        let ends = [Step::Delivered, Step::Returned, Step::Cancelled];
        let has_ended = |times: &Times| ends.iter().any(|step| times.has(*step));
        let mut sent = self.shipments.iter().filter(|shipment| !shipment.is_return).peekable();
        if sent.peek().is_some() {
            return sent.any(|shipment| !has_ended(&shipment.times));
        }
        let is_under_way =
            [Step::Shipped, Step::FirstScan, Step::OutForDelivery].iter().any(|step| self.times.has(*step));
        let is_waiting = self.times.has(Step::Created) && !self.times.has(Step::Fulfilled);
        !has_ended(&self.times) && (is_under_way || is_waiting)
    }
}
