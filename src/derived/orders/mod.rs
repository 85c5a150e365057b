//! Which orders and parcels a customer's events tell of, and how far they have come.
//!
//! | what | where it is looked for |
//! |---|---|
//! | the order | `shopify_order`, `order`, or any other member that ends in `_order`; else `order_id`, `order_number` and the like beside them |
//! | its number | `order_number`, `number` or `name` in the order; else the label, such as `Order #1000 fulfilled` |
//! | the parcel | `shipment`, `return_shipment`, or any other member that ends in `_shipment` |
//! | a step | the event's type; else the status of its parcel |

mod order;
mod step;
#[cfg(test)]
mod tests;
mod told;

pub use order::{Order, Shipment};
pub use step::Times;
pub use told::OrderEvent;

use std::borrow::Cow;
use std::collections::HashMap;
use step::{Step, earlier};
use told::Told;

/// The orders that a customer's events tell of. What one event costs doesn't grow with their number: all guests of a shop may
/// be one customer.
#[derive(Debug, Default)]
pub struct Orders {
    /// In the order in which the events first told of them. One without events turned out to be another one.
    orders: Vec<Order>,
    by_id: HashMap<String, usize>,
    /// The newest with that number.
    by_number: HashMap<String, usize>,
}

impl Orders {
    /// Takes the next event. They come by their time; what holds of two that don't is the one that happened later.
    pub fn add(&mut self, event: &OrderEvent<'_>) {
        if let Some(told) = Told::of(event) {
            let at = self.place_of(&told);
            if let Some(order) = self.orders.get_mut(at) {
                add(order, event, told);
            }
        }
    }

    /// In the order in which the events first told of them.
    pub fn finish(mut self) -> Vec<Order> {
        self.orders.retain(|order| order.event_count > 0);
        self.orders
    }

    /// Where the order is that an event is about, which may be a new one.
    fn place_of(&mut self, told: &Told<'_>) -> usize {
        let known = |places: &HashMap<String, usize>, name: &Option<Cow<'_, str>>| {
            name.as_deref().and_then(|name| places.get(name).copied())
        };
        let by_id = known(&self.by_id, &told.order_id);
        // One with this number that has no id yet, or any where the event tells none.
        let has_no_id = |at: &usize| self.orders.get(*at).is_some_and(|order| order.order_id.is_none());
        let by_number =
            known(&self.by_number, &told.number).filter(|at| told.order_id.is_none() || has_no_id(at));
        let at = match (by_id, by_number) {
            (Some(by_id), Some(by_number)) if by_id != by_number => self.unite(by_id, by_number),
            (Some(at), _) | (None, Some(at)) => at,
            (None, None) => {
                self.orders.push(Order::default());
                self.orders.len() - 1
            }
        };
        if let Some(order) = self.orders.get_mut(at) {
            newest(&mut order.order_id, told.order_id.clone(), false);
            newest(&mut order.order_number, told.number.clone(), !told.is_number_of_label);
            for (places, name) in
                [(&mut self.by_id, &order.order_id), (&mut self.by_number, &order.order_number)]
            {
                if let Some(name) = name.as_deref().filter(|name| places.get(*name) != Some(&at)) {
                    places.insert(name.to_owned(), at);
                }
            }
        }
        at
    }

    /// Makes one of two that nothing had told to be one until now; returns where it is.
    fn unite(&mut self, one: usize, other: usize) -> usize {
        let (kept, gone) = (one.min(other), one.max(other));
        let taken = self.orders.get_mut(gone).map(std::mem::take).unwrap_or_default();
        for (places, name) in [(&mut self.by_id, &taken.order_id), (&mut self.by_number, &taken.order_number)]
        {
            if let Some(at) = name.as_deref().and_then(|name| places.get_mut(name)) {
                *at = kept;
            }
        }
        if let Some(order) = self.orders.get_mut(kept) {
            absorb(order, taken);
        }
        kept
    }
}

/// Takes in what is known of the same order under another name.
fn absorb(order: &mut Order, other: Order) {
    let is_newer = other.last_event >= order.last_event;
    order.order_id = order.order_id.take().or(other.order_id);
    order.order_number = order.order_number.take().or(other.order_number);
    if is_newer && other.status.is_some() {
        order.status = other.status;
    }
    order.times.absorb(&other.times);
    order.first_event = earlier(order.first_event, other.first_event);
    order.last_event = order.last_event.max(other.last_event);
    order.total_price = order.total_price.or(other.total_price);
    order.currency = order.currency.take().or(other.currency);
    order.event_count += other.event_count;
    order.issue_count += other.issue_count;
    order.shipments.extend(other.shipments);
}

fn add(order: &mut Order, event: &OrderEvent<'_>, told: Told<'_>) {
    let (kind, at) = (event.kind.unwrap_or_default(), event.at);
    let is_return = told.is_return || kind.starts_with("ReturnShipment");
    let status = told.parcel.as_ref().and_then(|parcel| parcel.status.clone());
    let step = Step::of_type(kind).or_else(|| status.as_deref().and_then(Step::of_status));
    // Events without a time come first, whenever they happened.
    let is_newest = at >= order.last_event;
    order.event_count += 1;
    order.issue_count += i64::from(kind.ends_with("IssueCreated"));
    order.first_event = earlier(order.first_event, at);
    order.last_event = order.last_event.max(at);
    if told.total_price.is_some() && (is_newest || order.total_price.is_none()) {
        order.total_price = told.total_price;
        newest(&mut order.currency, told.currency, true);
    }
    let status = status.or_else(|| step.map(|step| step.status().into()));
    let (status, order_step) = match status {
        Some(status) if is_return => (Some(format!("return_{status}").into()), Some(Step::Returned)),
        None if is_return => (None, Some(Step::Returned)),
        status => (status, step),
    };
    newest(&mut order.status, status, is_newest);
    if let Some(step) = order_step {
        order.times.note(step, at);
    }
    let Some(parcel) = told.parcel.filter(|parcel| parcel.id.is_some() || parcel.tracking_code.is_some())
    else {
        return;
    };
    let is_same = |shipment: &Shipment| match (&shipment.shipment_id, &parcel.id) {
        (Some(one), Some(other)) => one == other,
        _ => {
            shipment.tracking_code.is_some()
                && shipment.tracking_code.as_deref() == parcel.tracking_code.as_deref()
        }
    };
    let known = order.shipments.iter().position(is_same);
    let at_place = known.unwrap_or(order.shipments.len());
    if known.is_none() {
        order.shipments.push(Shipment::default());
    }
    let Some(shipment) = order.shipments.get_mut(at_place) else { return };
    let is_newest = at >= shipment.last_event;
    shipment.event_count += 1;
    shipment.is_return |= is_return;
    shipment.last_event = shipment.last_event.max(at);
    if let Some(step) = step {
        shipment.times.note(step, at);
    }
    newest(&mut shipment.shipment_id, parcel.id, is_newest);
    newest(&mut shipment.carrier, parcel.carrier, is_newest);
    newest(&mut shipment.tracking_code, parcel.tracking_code, is_newest);
    newest(&mut shipment.status, parcel.status, is_newest);
    newest(&mut shipment.estimated_delivery_at, parcel.estimated_delivery_at, is_newest);
}

/// Takes what an event tells, unless it is older than what is held.
fn newest(held: &mut Option<String>, told: Option<Cow<'_, str>>, is_newest: bool) {
    let Some(told) = told.filter(|_| is_newest || held.is_none()) else { return };
    if held.as_deref() != Some(&*told) {
        *held = Some(told.into_owned());
    }
}
