//! The streams, each declared once: what a record of it holds, where the API lists it, and what tells that two records are
//! of the same thing. Tables, change log, diff, sync, exports, metrics and audits follow from these declarations.
//!
//! A further stream takes a variant of [`Stream`](super::Stream), a declaration here, and a migration with its tables.

use super::stream::{Column, ColumnKind, Stream};

/// What the product has to know of a stream.
#[derive(Debug)]
pub(super) struct Declaration {
    /// Its name: in tables, in paths of exports, in messages, and as the last part of its list's path.
    pub(super) name: &'static str,
    /// What one record of it is called in messages.
    pub(super) singular: &'static str,
    /// The stream whose records it belongs to. Its lists are read one for each of those, at `PARENTS/ID/NAME`; without a
    /// parent there is one list, at `NAME`.
    ///
    /// This also decides how a record is found to be deleted (`api-contract` point 9). One without a parent can be asked
    /// for alone, and the API's 404 proves it. One with a parent can't: two complete walks of its list have to lack it.
    pub(super) parent: Option<Stream>,
    /// The columns of a row, in the order of tables and exports: the record's id, of a child the id of its parent, the
    /// documented fields, and `extra`, which takes the rest.
    pub(super) columns: &'static [Column],
    /// Fields, each alone or several together, of which one stays the same when the others change.
    pub(super) identity: &'static [&'static [&'static str]],
}

pub(super) const CUSTOMERS: Declaration = Declaration {
    name: "customers",
    singular: "customer",
    parent: None,
    columns: &[
        text("id"),
        text("email"),
        text("first_name"),
        text("last_name"),
        text("phone_number"),
        time("created_at"),
        time("updated_at"),
        json("extra"),
    ],
    identity: &[&["email"], &["phone_number"], &["first_name", "last_name"]],
};

pub(super) const EVENTS: Declaration = Declaration {
    name: "events",
    singular: "event",
    parent: Some(Stream::Customers),
    columns: &[
        text("id"),
        text("customer_id"),
        text("type"),
        text("label"),
        text("link_back_url"),
        integer("timestamp"),
        json("properties"),
        time("created_at"),
        time("updated_at"),
        json("extra"),
    ],
    identity: &[],
};

const fn text(name: &'static str) -> Column {
    Column { name, kind: ColumnKind::Text }
}

const fn time(name: &'static str) -> Column {
    Column { name, kind: ColumnKind::Time }
}

const fn integer(name: &'static str) -> Column {
    Column { name, kind: ColumnKind::Integer }
}

const fn json(name: &'static str) -> Column {
    Column { name, kind: ColumnKind::Json }
}
