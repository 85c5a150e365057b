//! What is derived from events: orders, parcels, customers with what their events add up to, and a view for each
//! type of events.

use super::entry::{Column, Kind, Table, count, integer, real, table, text, utc, view};
use super::streams::{OPS, missing_since, occurred_at, of_table, utc_times};
use crate::record::Personal::{DirectIdentifier, FreeText};
use crate::record::Stream;

pub(super) fn for_analysts() -> [Table; 6] {
    [orders(), shipments(), customer_summary(), event_types(), event_properties(), change_days()]
}

pub(super) fn technical() -> [Table; 3] {
    [customer_facts(), order_facts(), shipment_facts()].map(Table::technical)
}

fn customer_id() -> Column {
    text("customer_id", "Whose it is.").of_mostly("customers", "id").personal(DirectIdentifier)
}

fn order_id() -> Column {
    text("order_id", "The shop's identifier of the order; NULL: the events tell the number alone.")
        .personal(DirectIdentifier)
}

fn order_number() -> Column {
    text("order_number", "The order's number, without '#'.").personal(DirectIdentifier)
}

fn hours(name: &'static str, about: &'static str) -> Column {
    real(name, "hours", about)
}

fn yes_or_no(name: &'static str, about: &'static str) -> Column {
    integer(name, about).unit("0 or 1")
}

fn orders() -> Table {
    view(
        "orders",
        "One row for each order that events tell of. Each time is that of the first event that tells so, of whichever parcel.",
        vec![
            customer_id(),
            order_id(),
            order_number(),
            text(
                "status",
                "Of the newest event that has one: a shipment's, or 'created', 'fulfilled', 'cancelled'.",
            ),
            yes_or_no(
                "is_open",
                "1: it is not fulfilled yet, or a parcel is on its way; 0: nothing more is to come.",
            )
            .not_null(),
            utc("created_at", "When it was created."),
            utc("fulfilled_at", "When it was fulfilled."),
            utc("shipped_at", "When its first parcel was shipped."),
            utc("first_scan_at", "When a carrier first scanned a parcel of it."),
            utc("out_for_delivery_at", "When a parcel of it first was out for delivery."),
            utc("delivered_at", "When its first parcel was delivered."),
            utc("returned_at", "When a parcel of it was first returned."),
            utc("cancelled_at", "When it was cancelled."),
            utc("first_event_at", "When its first event was."),
            utc("last_event_at", "When its newest event was."),
            hours("hours_created_to_fulfilled", "From created_at to fulfilled_at."),
            hours("hours_fulfilled_to_shipped", "From fulfilled_at to shipped_at."),
            hours("hours_shipped_to_first_scan", "From shipped_at to first_scan_at."),
            hours("hours_first_scan_to_out_for_delivery", "From first_scan_at to out_for_delivery_at."),
            hours("hours_out_for_delivery_to_delivered", "From out_for_delivery_at to delivered_at."),
            hours("hours_fulfilled_to_delivered", "From fulfilled_at to delivered_at."),
            real("total_price", "currency", "What it costs, as the newest event that has it tells."),
            text("currency", "In which currency.").unit("ISO 4217"),
            count("event_count", "events", "Events of the order."),
            count("issue_count", "events", "Of these, that tell of a problem."),
            count("shipment_count", "parcels", "Parcels that its events tell apart."),
        ],
    )
}

fn shipments() -> Table {
    view(
        "shipments",
        "One row for each parcel that the events of an order tell apart, by its id or its tracking code.",
        vec![
            customer_id(),
            order_id(),
            order_number(),
            text("shipment_id", "The parcel's identifier.").personal(DirectIdentifier),
            text("carrier", "Who carries it."),
            text("tracking_code", "The carrier's number of it.").personal(DirectIdentifier),
            yes_or_no("is_return", "1: it goes from the customer back to the shop.").not_null(),
            text("status", "Of the newest event that has one."),
            utc("fulfilled_at", "When the order was fulfilled."),
            utc("shipped_at", "When it was shipped."),
            utc("first_scan_at", "When the carrier first scanned it."),
            utc("out_for_delivery_at", "When it first was out for delivery."),
            utc("delivered_at", "When it was delivered."),
            utc("returned_at", "When it was returned."),
            utc("cancelled_at", "When it was cancelled."),
            utc("last_event_at", "When its newest event was."),
            text("estimated_delivery_at", "As the newest event that has it tells; it may have no zone."),
            hours("hours_shipped_to_first_scan", "From shipped_at to first_scan_at."),
            hours("hours_first_scan_to_out_for_delivery", "From first_scan_at to out_for_delivery_at."),
            hours("hours_out_for_delivery_to_delivered", "From out_for_delivery_at to delivered_at."),
            hours("hours_fulfilled_to_delivered", "From fulfilled_at to delivered_at."),
            count("event_count", "events", "Events of the parcel."),
        ],
    )
}

fn customer_summary() -> Table {
    let mut columns = of_table(Stream::Customers, &["extra"]);
    columns.extend(utc_times());
    columns.extend([
        utc("first_event_at", "When the customer's first event was."),
        utc("last_event_at", "When the newest one was."),
        count("event_count", "events", "The customer's events."),
        count("order_count", "orders", "The customer's orders."),
        count("open_order_count", "orders", "Of these, that are open."),
        utc("last_order_at", "When the newest order was created; without that, when its first event was."),
        integer("days_since_last_order", "How long ago that is.").unit("days"),
        utc(
            "events_checked_at",
            "When the customer's events were last read to their end; NULL: the next run is to.",
        ),
        yes_or_no("is_behind", "1: the events may have changed since, and the next run is to read them.")
            .not_null(),
    ]);
    view("customer_summary", "One row for each customer, with what its events and orders add up to.", columns)
}

fn event_types() -> Table {
    table(
        "event_types",
        "The types of events. The first 200 have a view of their own.",
        vec![
            text("type", "The type, as in events.").key(),
            text("view_name", "The type's view; NULL: more types than have views.").unique(),
            count("row_count", "events", "Events of the type in the mirror."),
            utc("first_seen_at", "When the mirror first took one; not before schema version 15.").not_null(),
            utc("last_seen_at", "When it last took one that was new or changed.").not_null(),
        ],
    )
}

fn event_properties() -> Table {
    table(
        "event_properties",
        "What was seen in the properties of events, by type. Objects are flattened.",
        vec![
            text("type", "The events' type.").key(),
            text(
                "path",
                "Where the value stands, such as $.shopify_order.total_price; '$': properties is no object.",
            )
            .key(),
            text("column_name", "The column of the type's view; NULL: it has none."),
            text("column_type", "The type of that column.")
                .not_null()
                .one_of(&["integer", "real", "boolean", "text", "json"]),
            text("json_types", "All types that were ever seen there, with commas between.").not_null(),
            count("row_count", "events", "Events in the mirror that have it."),
            utc("first_seen_at", "When the mirror first took one; not before schema version 15.").not_null(),
            utc("last_seen_at", "When it last took one that was new or changed.").not_null(),
        ],
    )
}

fn change_days() -> Table {
    table(
        "change_days",
        "How many changes there were on each day, by stream and operation.",
        vec![
            text("day", "The day, in UTC.").key().unit("YYYY-MM-DD"),
            text("stream", "The stream.").key().one_of(Stream::NAMES),
            text("op", "What happened to the records.").key().one_of(OPS),
            count("changes", "changes", "How many."),
            integer("first_seq", "The first of these changes; others stand between it and the last.")
                .not_null()
                .of("changes", "seq"),
            integer("last_seq", "The last of them.").not_null().of("changes", "seq"),
        ],
    )
}

fn customer_facts() -> Table {
    let mut columns = vec![
        integer("id", "The customer; one without events has no row.")
            .key()
            .of_mostly("customers", "inserted_seq"),
    ];
    columns.extend(seconds(&["first_event", "last_event"]));
    columns.extend([
        count("event_count", "events", "As in customer_summary."),
        count("order_count", "orders", "As in customer_summary."),
        count("open_order_count", "orders", "As in customer_summary."),
    ]);
    columns.extend(seconds(&["last_order"]));
    table("customer_facts", "What the view customer_summary shows, with times in seconds.", columns)
}

fn order_facts() -> Table {
    let mut columns = vec![
        integer("id", "The row's number.").key(),
        integer("customer_row", "Whose it is.").not_null().of_mostly("customers", "inserted_seq"),
        order_id(),
        order_number(),
        text("status", "As in orders."),
        yes_or_no("is_open", "As in orders.").not_null(),
    ];
    columns.extend(seconds(&[
        "created",
        "fulfilled",
        "shipped",
        "first_scan",
        "out_for_delivery",
        "delivered",
        "returned",
        "cancelled",
        "first_event",
        "last_event",
    ]));
    columns.extend([
        real("total_price", "currency", "As in orders."),
        text("currency", "As in orders."),
        count("event_count", "events", "As in orders."),
        count("issue_count", "events", "As in orders."),
        count("shipment_count", "parcels", "As in orders."),
    ]);
    table("order_facts", "What the view orders shows, with times in seconds.", columns)
}

fn shipment_facts() -> Table {
    let mut columns = vec![
        integer("id", "The row's number.").key(),
        integer("order_row", "Its order.").not_null().of("order_facts", "id"),
        text("shipment_id", "As in shipments.").personal(DirectIdentifier),
        text("carrier", "As in shipments."),
        text("tracking_code", "As in shipments.").personal(DirectIdentifier),
        yes_or_no("is_return", "As in shipments.").not_null(),
        text("status", "As in shipments."),
    ];
    columns.extend(seconds(&[
        "shipped",
        "first_scan",
        "out_for_delivery",
        "delivered",
        "returned",
        "cancelled",
        "last_event",
    ]));
    columns.extend([
        text("estimated_delivery_at", "As in shipments."),
        count("event_count", "events", "As in shipments."),
    ]);
    table("shipment_facts", "What the view shipments shows, with times in seconds.", columns)
}

fn seconds(names: &[&'static str]) -> impl Iterator<Item = Column> {
    names.iter().map(|name| integer(name, "The time of that name in the view.").unit("Unix seconds"))
}

/// The view of a type of events, as a mirror has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventView {
    /// Its name.
    pub name: String,
    /// The type.
    pub event_type: String,
    /// The columns of its properties: name, path in the properties, and type.
    pub properties: Vec<(String, String, Kind)>,
}

impl EventView {
    /// What is known of every such view, whichever types a mirror has.
    pub fn any() -> EventView {
        let event_type = "a type of events, beside a column for each of its properties".to_owned();
        EventView { name: "event_<type>".to_owned(), event_type, properties: Vec::new() }
    }

    /// Its entry.
    pub fn table(&self) -> Table {
        let mut columns = of_table(
            Stream::Events,
            &["type", "timestamp", "properties", "created_at", "updated_at", "extra"],
        );
        columns.insert(2, occurred_at());
        columns.extend(self.properties.iter().map(|(name, path, kind)| {
            let column = Column { kind: *kind, ..text("", "") };
            let about = format!("The value at {path} of properties.").into();
            Column { name: name.clone().into(), about, ..column }.personal(FreeText)
        }));
        columns.extend(utc_times());
        let rest = ["id", "customer_id", "type", "label", "link_back_url", "properties"];
        columns.extend(of_table(Stream::Events, &rest));
        columns.push(missing_since());
        let about = format!("The events of the type {}.", self.event_type).into();
        Table { about, ..view(self.name.clone(), "", columns) }
    }
}
