//! The streams, each declared once: what a record of it holds, where the API lists it, and what tells that two records are
//! of the same thing. Tables, change log, diff, sync, exports, metrics and audits follow from these declarations.
//!
//! A further stream takes a variant, a declaration, and a migration with its tables.

use super::column::Personal::{Contact, DirectIdentifier, FreeText, None as Nothing};
use super::column::{Column, ColumnKind, Personal};
use std::fmt;

/// A kind of record that is mirrored and exported on its own. What is to be known of it stands in its declaration; nothing
/// else tells one stream from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// The account's customers.
    Customers,
    /// The events of all customers.
    Events,
}

impl Stream {
    /// All streams; a parent stands before its children.
    pub const ALL: [Stream; 2] = [Stream::Customers, Stream::Events];

    /// The stream that shows whose account the API answers for.
    pub const FIRST: Stream = Stream::ALL[0];

    /// The names of all, in the same order.
    pub const NAMES: &[&str] = &{
        let mut names = [""; Stream::ALL.len()];
        let mut at = 0;
        while at < names.len() {
            names[at] = Stream::ALL[at].name();
            at += 1;
        }
        names
    };

    const fn declaration(self) -> &'static Declaration {
        match self {
            Stream::Customers => &CUSTOMERS,
            Stream::Events => &EVENTS,
        }
    }

    /// The stream's name in tables, paths and messages.
    pub const fn name(self) -> &'static str {
        self.declaration().name
    }

    /// The last part of its list's path at the API.
    pub const fn path(self) -> &'static str {
        self.declaration().path
    }

    /// What one of its records is called in messages.
    pub const fn singular(self) -> &'static str {
        self.declaration().singular
    }

    /// Its place in [`Stream::ALL`], for what is kept for each stream.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The stream whose records this one's belong to.
    pub const fn parent(self) -> Option<Stream> {
        self.declaration().parent
    }

    /// The stream whose records belong to this one's.
    pub fn child(self) -> Option<Stream> {
        Stream::ALL.into_iter().find(|stream| stream.parent() == Some(self))
    }

    /// The streams that have one list each.
    pub fn parents() -> impl Iterator<Item = Stream> {
        Stream::ALL.into_iter().filter(|stream| stream.parent().is_none())
    }

    /// The columns of a row, in the order of tables and exports.
    pub const fn columns(self) -> &'static [Column] {
        self.declaration().columns
    }

    /// The columns that name a record, the first ones of [`Stream::columns`]: its identifier, and of a child also its
    /// parent's. They are all that is left of it once it is deleted.
    pub const fn keys(self) -> &'static [Column] {
        self.columns().split_at(if self.parent().is_some() { 2 } else { 1 }).0
    }

    /// The column with the parent's identifier; without a parent, the record's own.
    pub fn parent_key(self) -> &'static str {
        self.keys().last().map_or("id", |column| column.name)
    }

    /// Fields, each alone or several together, of which one stays the same when the others change.
    pub const fn identity(self) -> &'static [&'static [&'static str]] {
        self.declaration().identity
    }

    /// The stream of that name.
    pub fn from_name(name: &str) -> Option<Stream> {
        Stream::ALL.into_iter().find(|stream| stream.name() == name)
    }
}

/// As its name.
impl serde::Serialize for Stream {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the product has to know of a stream.
#[derive(Debug)]
struct Declaration {
    /// Its name: in tables, in paths of exports and in messages.
    name: &'static str,
    /// The last part of its list's path at the API.
    path: &'static str,
    /// What one record of it is called in messages, and in the names of columns.
    singular: &'static str,
    /// The stream whose records it belongs to. Its lists are read one for each of those, at `PARENTS/ID/PATH`; without a
    /// parent there is one list, at `PATH`.
    ///
    /// This also decides how a record is found to be deleted (`api-contract` point 9). One without a parent can be asked
    /// for alone, and the API's 404 proves it. One with a parent can't: two complete walks of its list have to lack it.
    parent: Option<Stream>,
    /// The columns of a row, in the order of tables and exports: the record's id, of a child the id of its parent, the
    /// documented fields, and `extra`, which takes the rest.
    columns: &'static [Column],
    /// Fields, each alone or several together, of which one stays the same when the others change.
    identity: &'static [&'static [&'static str]],
}

const CUSTOMERS: Declaration = Declaration {
    name: "customers",
    path: "customers",
    singular: "customer",
    parent: None,
    columns: &[
        text("id", DirectIdentifier, "The vendor's identifier of the customer, opaque."),
        text("email", Contact, "The e-mail address."),
        text("first_name", DirectIdentifier, "The first name."),
        text("last_name", DirectIdentifier, "The last name."),
        text(
            "phone_number",
            Contact,
            "The telephone number, in no documented form; it may begin with zeros.",
        ),
        time("created_at", CREATED_AT),
        time("updated_at", UPDATED_AT),
        json("extra", EXTRA),
    ],
    identity: &[&["email"], &["phone_number"], &["first_name", "last_name"]],
};

const EVENTS: Declaration = Declaration {
    name: "events",
    path: "events",
    singular: "event",
    parent: Some(Stream::Customers),
    columns: &[
        text("id", DirectIdentifier, "The vendor's identifier of the event, opaque."),
        text("customer_id", DirectIdentifier, "The customer in whose list the event stood."),
        text("type", Nothing, "What happened, such as ShopifyOrderFulfilled."),
        text("label", FreeText, "What happened, for people, such as 'Order #1000 fulfilled'."),
        text("link_back_url", FreeText, "A link to the page of the order or the parcel."),
        integer("timestamp", "When it happened, in Unix seconds."),
        json(
            "properties",
            "What the event is about, as the API gave it; JSON, every number with its digits.",
        ),
        time("created_at", CREATED_AT),
        time("updated_at", UPDATED_AT),
        json("extra", EXTRA),
    ],
    identity: &[],
};

const CREATED_AT: &str = "When the vendor created the record, as the API gave it.";
const UPDATED_AT: &str = "When the vendor last changed the record, as the API gave it.";
const EXTRA: &str =
    "The fields that the API's documentation doesn't name, as a JSON object; NULL where there are none.";

const fn text(name: &'static str, personal: Personal, about: &'static str) -> Column {
    Column { name, kind: ColumnKind::Text, personal, about }
}

const fn time(name: &'static str, about: &'static str) -> Column {
    Column { name, kind: ColumnKind::Time, personal: Nothing, about }
}

const fn integer(name: &'static str, about: &'static str) -> Column {
    Column { name, kind: ColumnKind::Integer, personal: Nothing, about }
}

const fn json(name: &'static str, about: &'static str) -> Column {
    Column { name, kind: ColumnKind::Json, personal: FreeText, about }
}
