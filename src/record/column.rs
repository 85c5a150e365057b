//! The shape of a row: its columns, and what happens to it.

/// A column of a stream's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name in the API, in the mirror, in CSV headers and in NDJSON.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
    /// What it tells of whom.
    pub personal: Personal,
    /// What it means, in one sentence.
    pub about: &'static str,
}

#[cfg(test)]
impl Column {
    /// A column for tests.
    pub(crate) const fn of(name: &'static str, kind: ColumnKind) -> Column {
        Column { name, kind, personal: Personal::None, about: "" }
    }
}

/// Whether a column holds personal data, and of which kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Personal {
    /// Nothing about a person.
    None,
    /// What names one person: an identifier or a name.
    DirectIdentifier,
    /// What reaches a person: an address or a number.
    Contact,
    /// Text or JSON in which anything about a person may stand.
    FreeText,
}

impl Personal {
    /// Its name in what the program prints.
    pub const fn name(self) -> &'static str {
        match self {
            Personal::None => "none",
            Personal::DirectIdentifier => "direct identifier",
            Personal::Contact => "contact",
            Personal::FreeText => "free text",
        }
    }
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

impl<'a> Value<'a> {
    /// The text; `None` for anything else.
    pub fn as_text(self) -> Option<&'a str> {
        match self {
            Value::Text(text) => Some(text),
            Value::Null | Value::Integer(_) => None,
        }
    }
}

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// It is new to the mirror.
    Insert,
    /// Its content changed.
    Update,
    /// It was taken out, on evidence.
    Delete,
    /// It was of a person whom the shop had to forget: neither what it held nor whose it was is known any more.
    Erase,
}

impl Op {
    /// The name in the change log and in exports.
    pub const fn name(self) -> &'static str {
        match self {
            Op::Insert => "insert",
            Op::Update => "update",
            Op::Delete => "delete",
            Op::Erase => "erase",
        }
    }

    /// Whether the record is gone with it, so that only its keys are left.
    pub const fn ends_record(self) -> bool {
        matches!(self, Op::Delete | Op::Erase)
    }

    /// The operation of that name.
    pub fn from_name(name: &str) -> Option<Op> {
        [Op::Insert, Op::Update, Op::Delete, Op::Erase].into_iter().find(|op| op.name() == name)
    }
}
