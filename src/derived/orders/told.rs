//! What one event tells of an order and a parcel, read from its properties and its label.

use crate::record::{members, text};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The fields of an event that orders are read from.
#[derive(Debug, Clone, Copy, Default)]
pub struct OrderEvent<'a> {
    /// Its type.
    pub kind: Option<&'a str>,
    /// Its label.
    pub label: Option<&'a str>,
    /// When it happened, or else when the vendor took it: seconds since 1970.
    pub at: Option<i64>,
    /// Its properties, as JSON text.
    pub properties: Option<&'a str>,
}

/// What an event tells.
#[derive(Default)]
pub(super) struct Told<'a> {
    pub(super) order_id: Option<Cow<'a, str>>,
    pub(super) number: Option<Cow<'a, str>>,
    pub(super) is_number_of_label: bool,
    pub(super) total_price: Option<f64>,
    pub(super) currency: Option<Cow<'a, str>>,
    pub(super) is_return: bool,
    pub(super) parcel: Option<Parcel<'a>>,
    /// What stands beside the objects.
    beside: Beside<'a>,
}

#[derive(Default)]
struct Beside<'a> {
    order_id: Option<Cow<'a, str>>,
    number: Option<Cow<'a, str>>,
    parcel: Parcel<'a>,
}

#[derive(Default)]
pub(super) struct Parcel<'a> {
    pub(super) id: Option<Cow<'a, str>>,
    pub(super) carrier: Option<Cow<'a, str>>,
    pub(super) tracking_code: Option<Cow<'a, str>>,
    pub(super) status: Option<Cow<'a, str>>,
    pub(super) estimated_delivery_at: Option<Cow<'a, str>>,
}

impl<'a> Told<'a> {
    /// `None` where it tells of no order.
    pub(super) fn of(event: &OrderEvent<'a>) -> Option<Told<'a>> {
        let mut told = Told::default();
        if let Some(properties) = event.properties {
            each(properties, |name, value| told.member(name, value));
        }
        let beside = std::mem::take(&mut told.beside);
        told.order_id = told.order_id.or(beside.order_id);
        told.number = told.number.or(beside.number);
        told.parcel = told.parcel.or(Some(beside.parcel));
        if told.number.is_none() {
            told.number = event.label.and_then(number_in).map(Cow::Borrowed);
            told.is_number_of_label = true;
        }
        (told.order_id.is_some() || told.number.is_some()).then_some(told)
    }

    fn member(&mut self, name: &'a str, value: &'a RawValue) {
        let json = value.get();
        if !json.starts_with('{') {
            let beside = &mut self.beside;
            match name {
                "order_id" | "shopify_order_id" => beside.order_id = scalar(value),
                "order_number" | "order_name" => beside.number = scalar(value).map(without_hash),
                "shipment_id" => beside.parcel.id = scalar(value),
                "tracking_code" | "tracking_number" => beside.parcel.tracking_code = scalar(value),
                "carrier" => beside.parcel.carrier = scalar(value),
                _ => {}
            }
        } else if name == "order" || name.ends_with("_order") {
            each(json, |name, value| self.of_order(name, value));
        } else if name == "shipment" || name.ends_with("_shipment") {
            self.is_return |= name.starts_with("return");
            let mut parcel = Parcel::default();
            each(json, |name, value| {
                self.is_return |= name == "is_return" && value.get() == "true";
                parcel.member(name, value);
            });
            self.parcel = Some(parcel);
        }
    }

    fn of_order(&mut self, name: &str, value: &'a RawValue) {
        match name {
            "id" => self.order_id = scalar(value),
            "order_number" | "number" => self.number = scalar(value).map(without_hash),
            "name" if self.number.is_none() => self.number = scalar(value).map(without_hash),
            "total_price" | "total" => self.total_price = scalar(value).and_then(|price| price.parse().ok()),
            "currency" => self.currency = scalar(value),
            _ => {}
        }
    }
}

impl<'a> Parcel<'a> {
    fn member(&mut self, name: &str, value: &'a RawValue) {
        match name {
            "id" => self.id = scalar(value),
            "carrier" => self.carrier = scalar(value),
            "tracking_code" | "tracking_number" => self.tracking_code = scalar(value),
            "status" => self.status = scalar(value),
            "estimated_delivery_at" => self.estimated_delivery_at = scalar(value),
            _ => {}
        }
    }
}

/// Calls `member` for each member of a JSON object; for none where it is no object.
fn each<'a>(json: &'a str, mut member: impl FnMut(&'a str, &'a RawValue)) {
    let _ = members(serde_json::Deserializer::from_str(json), |name: &'a RawValue, value| {
        // No name with an escape is looked for.
        let name = name.get();
        member(name.get(1..name.len() - 1).unwrap_or_default(), value);
    });
}

/// The content of a text, or the digits of a number; `None` for anything else, and for an empty text.
fn scalar(value: &RawValue) -> Option<Cow<'_, str>> {
    let json = value.get();
    let found = match json.as_bytes().first()? {
        b'"' => text(value)?,
        b'-' | b'0'..=b'9' => Cow::Borrowed(json),
        _ => return None,
    };
    (!found.is_empty()).then_some(found)
}

fn without_hash(number: Cow<'_, str>) -> Cow<'_, str> {
    match number {
        Cow::Borrowed(number) => Cow::Borrowed(number.strip_prefix('#').unwrap_or(number)),
        Cow::Owned(number) => Cow::Owned(number.strip_prefix('#').map_or(number.clone(), str::to_owned)),
    }
}

/// The number in a label such as `Order #1000 fulfilled`.
fn number_in(label: &str) -> Option<&str> {
    let (before, behind) = label.split_once('#')?;
    let is_of_number = |c: char| c.is_alphanumeric() || c == '-';
    let number = behind.split(|c| !is_of_number(c)).next().unwrap_or_default();
    (before.trim_end().to_ascii_lowercase().ends_with("order") && !number.is_empty()).then_some(number)
}
