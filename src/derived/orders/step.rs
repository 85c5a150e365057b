//! What happens to orders and parcels, and when.

/// What happens to an order or a parcel, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Created,
    Fulfilled,
    Shipped,
    FirstScan,
    OutForDelivery,
    Delivered,
    /// On its way back: turned back by the carrier, or sent by the customer.
    Returned,
    Cancelled,
}

impl Step {
    /// What an event of that type tells. The vendor's own types are taken by their names, a shop system's by their endings.
    pub(super) fn of_type(kind: &str) -> Option<Step> {
        Some(match kind {
            "ShipmentCreated" => Step::Shipped,
            "ShipmentFirstInTransit" | "InTransit" => Step::FirstScan,
            "ShipmentFirstOutForDelivery" | "OutForDelivery" => Step::OutForDelivery,
            "Delivered" | "ShipmentDelivered" => Step::Delivered,
            "ReturnToSender" | "ShipmentReturnToSender" => Step::Returned,
            "Cancelled" | "ShipmentCancelled" => Step::Cancelled,
            _ if kind.ends_with("OrderCreated") => Step::Created,
            _ if kind.ends_with("OrderFulfilled") => Step::Fulfilled,
            _ if kind.ends_with("OrderCancelled") => Step::Cancelled,
            _ => return None,
        })
    }

    pub(super) fn of_status(status: &str) -> Option<Step> {
        Some(match status {
            "pre_transit" => Step::Shipped,
            "in_transit" => Step::FirstScan,
            "out_for_delivery" => Step::OutForDelivery,
            "delivered" => Step::Delivered,
            "return_to_sender" => Step::Returned,
            "cancelled" => Step::Cancelled,
            _ => return None,
        })
    }

    /// The status that an event has which tells of this step and no status.
    pub(super) fn status(self) -> &'static str {
        match self {
            Step::Created => "created",
            Step::Fulfilled => "fulfilled",
            Step::Shipped => "pre_transit",
            Step::FirstScan => "in_transit",
            Step::OutForDelivery => "out_for_delivery",
            Step::Delivered => "delivered",
            Step::Returned => "return_to_sender",
            Step::Cancelled => "cancelled",
        }
    }
}

/// When each step first happened: seconds since 1970. A step that happened at an unknown time isn't there.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Times {
    at: [Option<i64>; 8],
}

impl Times {
    /// The times as the mirror has them: created, fulfilled, shipped, first scan, out for delivery, delivered, returned, cancelled.
    pub fn new(at: [Option<i64>; 8]) -> Times {
        Times { at }
    }

    /// The same as [`Times::new`] takes.
    pub fn all(&self) -> [Option<i64>; 8] {
        self.at
    }

    pub(super) fn first(&self, step: Step) -> Option<i64> {
        self.at[step as usize]
    }

    pub(super) fn has(&self, step: Step) -> bool {
        self.first(step).is_some()
    }

    pub(super) fn note(&mut self, step: Step, at: Option<i64>) {
        let first = &mut self.at[step as usize];
        *first = earlier(*first, at);
    }

    pub(super) fn absorb(&mut self, other: &Times) {
        for (first, at) in self.at.iter_mut().zip(other.at) {
            *first = earlier(*first, at);
        }
    }
}

pub(super) fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}
