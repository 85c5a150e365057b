//! The streams and the shape of their rows, shared by all parts.

use super::streams::{CUSTOMERS, Declaration, EVENTS};
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

/// A column of a stream's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name in the API, in the mirror, in CSV headers and in NDJSON.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
}

/// What a column holds, besides NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text as the API gave it.
    Text,
    /// A time as the API gave it, as text.
    Time,
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
