//! The two streams and the shape of their rows, shared by mirror and exports.

use std::fmt;

/// A kind of record that is mirrored and exported on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// The account's customers.
    Customers,
    /// The events of all customers.
    Events,
}

impl Stream {
    /// Both streams; a parent stands before its children.
    pub const ALL: [Stream; 2] = [Stream::Customers, Stream::Events];

    /// The stream's name in tables, paths and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Stream::Customers => "customers",
            Stream::Events => "events",
        }
    }

    /// The columns of a row, in the order of tables and exports.
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Stream::Customers => CUSTOMER_COLUMNS,
            Stream::Events => EVENT_COLUMNS,
        }
    }

    /// The columns that name a record, the first ones of [`Stream::columns`]: its identifier, and of an event also whose it
    /// is. They are all that is left of it once it is deleted.
    pub const fn keys(self) -> &'static [Column] {
        self.columns()
            .split_at(match self {
                Stream::Customers => 1,
                Stream::Events => 2,
            })
            .0
    }

    /// The stream of that name.
    pub fn from_name(name: &str) -> Option<Stream> {
        Stream::ALL.into_iter().find(|stream| stream.name() == name)
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A column of a stream's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name in the mirror, in CSV headers and in NDJSON.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
}

/// What a column holds, besides NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text as the API gave it.
    Text,
    /// A 64-bit integer.
    Integer,
    /// JSON text as the API gave it: numbers keep their digits, objects their order.
    Json,
}

/// One value of a row, borrowed from the mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// The API gave null or left the field out.
    Null,
    /// Text; JSON text in a [`ColumnKind::Json`] column.
    Text(&'a str),
    /// An integer.
    Integer(i64),
}

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// It is new to the mirror.
    Insert,
    /// Its content changed.
    Update,
    /// It was taken out, on evidence.
    Delete,
}

impl Op {
    /// The name in the change log and in exports.
    pub const fn name(self) -> &'static str {
        match self {
            Op::Insert => "insert",
            Op::Update => "update",
            Op::Delete => "delete",
        }
    }

    /// The operation of that name.
    pub fn from_name(name: &str) -> Option<Op> {
        [Op::Insert, Op::Update, Op::Delete].into_iter().find(|op| op.name() == name)
    }
}

const fn column(name: &'static str, kind: ColumnKind) -> Column {
    Column { name, kind }
}

const CUSTOMER_COLUMNS: &[Column] = &[
    column("id", ColumnKind::Text),
    column("email", ColumnKind::Text),
    column("first_name", ColumnKind::Text),
    column("last_name", ColumnKind::Text),
    column("phone_number", ColumnKind::Text),
    column("created_at", ColumnKind::Text),
    column("updated_at", ColumnKind::Text),
    column("extra", ColumnKind::Json),
];

const EVENT_COLUMNS: &[Column] = &[
    column("id", ColumnKind::Text),
    column("customer_id", ColumnKind::Text),
    column("type", ColumnKind::Text),
    column("label", ColumnKind::Text),
    column("link_back_url", ColumnKind::Text),
    column("timestamp", ColumnKind::Integer),
    column("properties", ColumnKind::Json),
    column("created_at", ColumnKind::Text),
    column("updated_at", ColumnKind::Text),
    column("extra", ColumnKind::Json),
];
