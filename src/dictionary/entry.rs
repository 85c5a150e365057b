//! What the dictionary says of a table and of a column.

use crate::record::{self, ColumnKind, Personal, Stream};
use serde::Serialize;
use std::borrow::Cow;

/// A table or a view of the mirror.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Whether it is a table or a view.
    pub kind: TableKind,
    /// Whom it is for.
    pub audience: Audience,
    /// What it holds, in a sentence or two.
    pub about: Cow<'static, str>,
    /// In the order of the schema.
    pub columns: Vec<Column>,
}

/// Whether a table is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// A table.
    Table,
    /// A view.
    View,
}

impl TableKind {
    /// `table` or `view`, as `sqlite_schema` has it too.
    pub const fn name(self) -> &'static str {
        match self {
            TableKind::Table => "table",
            TableKind::View => "view",
        }
    }
}

/// Whom a table is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Whoever asks questions about customers, events or the mirror.
    Analysts,
    /// The program; analysts don't need it.
    Technical,
}

/// A column of a table, of a view or of export files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: Cow<'static, str>,
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// In what numbers are counted, or the form of a text; none where that goes without saying.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
    /// Whether it can be NULL.
    pub nullable: bool,
    /// Whether it names a row: alone, or together with the others of its table that do.
    pub key: bool,
    /// Whether no two rows have the same value, beside the key.
    pub unique: bool,
    /// Whose value it repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub references: Option<Reference>,
    /// The only values that it can have; empty: any.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub values: &'static [&'static str],
    /// Whether it holds personal data.
    pub personal: Personal,
    /// What it means, in one sentence.
    pub about: Cow<'static, str>,
}

/// The column whose value another one repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Reference {
    /// Its table.
    pub table: &'static str,
    /// Its name.
    pub column: &'static str,
    /// Whether that row is always there. Rows of runs go when they are old, and an event may be read before its
    /// customer.
    pub always_there: bool,
}

/// What a column holds, besides NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Text.
    Text,
    /// A time, as text.
    Time,
    /// JSON, as text.
    Json,
    /// A 64-bit integer.
    Integer,
    /// A floating-point number of 64 bits.
    Real,
    /// Bytes.
    Blob,
}

impl Kind {
    /// Its type in SQLite.
    pub const fn sqlite(self) -> &'static str {
        match self {
            Kind::Text | Kind::Time | Kind::Json => "TEXT",
            Kind::Integer => "INTEGER",
            Kind::Real => "REAL",
            Kind::Blob => "BLOB",
        }
    }
}

/// The unit of times that the mirror writes.
pub(super) const UTC: &str = "UTC, ISO 8601";

/// The unit of what is taken over from the API.
const AS_GIVEN: &str = "as the API gave it";

/// A table of the mirror.
pub(super) fn table(
    name: impl Into<Cow<'static, str>>,
    about: impl Into<Cow<'static, str>>,
    columns: Vec<Column>,
) -> Table {
    Table {
        name: name.into(),
        kind: TableKind::Table,
        audience: Audience::Analysts,
        about: about.into(),
        columns,
    }
}

/// A view of the mirror.
pub(super) fn view(
    name: impl Into<Cow<'static, str>>,
    about: impl Into<Cow<'static, str>>,
    columns: Vec<Column>,
) -> Table {
    Table { kind: TableKind::View, ..table(name, about, columns) }
}

impl Table {
    /// Not for analysts.
    pub(super) fn technical(self) -> Table {
        Table { audience: Audience::Technical, ..self }
    }

    /// Whether it is for analysts.
    pub fn is_for_analysts(&self) -> bool {
        self.audience == Audience::Analysts
    }

    /// The stream whose rows it holds as they are now.
    pub fn stream(&self) -> Option<Stream> {
        Stream::from_name(&self.name)
    }
}

fn column(name: &'static str, kind: Kind, unit: Option<&'static str>, about: &'static str) -> Column {
    Column {
        name: name.into(),
        kind,
        unit,
        nullable: true,
        key: false,
        unique: false,
        references: None,
        values: &[],
        personal: Personal::None,
        about: about.into(),
    }
}

/// Text.
pub(super) fn text(name: &'static str, about: &'static str) -> Column {
    column(name, Kind::Text, None, about)
}

/// A time that the mirror writes.
pub(super) fn utc(name: &'static str, about: &'static str) -> Column {
    column(name, Kind::Time, Some(UTC), about)
}

/// JSON.
pub(super) fn json(name: &'static str, about: &'static str) -> Column {
    column(name, Kind::Json, Some("JSON"), about)
}

/// An integer.
pub(super) fn integer(name: &'static str, about: &'static str) -> Column {
    column(name, Kind::Integer, None, about)
}

/// A count of something.
pub(super) fn count(name: &'static str, of: &'static str, about: &'static str) -> Column {
    column(name, Kind::Integer, Some(of), about).not_null()
}

/// A floating-point number.
pub(super) fn real(name: &'static str, unit: &'static str, about: &'static str) -> Column {
    column(name, Kind::Real, Some(unit), about)
}

/// Bytes.
pub(super) fn blob(name: &'static str, about: &'static str) -> Column {
    column(name, Kind::Blob, None, about)
}

/// A column of a stream's records.
impl From<&record::Column> for Column {
    fn from(declared: &record::Column) -> Column {
        let (kind, unit) = match declared.kind {
            ColumnKind::Text => (Kind::Text, None),
            ColumnKind::Time => (Kind::Time, Some(AS_GIVEN)),
            ColumnKind::Integer => (Kind::Integer, None),
            ColumnKind::Json => (Kind::Json, Some("JSON")),
        };
        Column { personal: declared.personal, ..column(declared.name, kind, unit, declared.about) }
    }
}

impl Column {
    pub(super) fn not_null(self) -> Column {
        Column { nullable: false, ..self }
    }

    /// It names a row, and so is never NULL.
    pub(super) fn key(self) -> Column {
        Column { key: true, nullable: false, ..self }
    }

    /// No two rows have the same value.
    pub(super) fn unique(self) -> Column {
        Column { unique: true, ..self }
    }

    pub(super) fn unit(self, unit: &'static str) -> Column {
        Column { unit: Some(unit), ..self }
    }

    /// It repeats the value of a row that is always there.
    pub(super) fn of(self, table: &'static str, column: &'static str) -> Column {
        Column { references: Some(Reference { table, column, always_there: true }), ..self }
    }

    /// It repeats the value of a row that may not be there yet, or no longer.
    pub(super) fn of_mostly(self, table: &'static str, column: &'static str) -> Column {
        Column { references: Some(Reference { table, column, always_there: false }), ..self }
    }

    pub(super) fn one_of(self, values: &'static [&'static str]) -> Column {
        Column { values, ..self }
    }

    pub(super) fn personal(self, personal: Personal) -> Column {
        Column { personal, ..self }
    }

    /// What is to be known of it beside its type: key, target, values, unit, personal data. Empty where there is
    /// nothing.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        remarks.extend(self.key.then(|| "key".to_owned()));
        remarks.extend(self.unique.then(|| "unique".to_owned()));
        remarks.extend(self.references.map(|target| format!("→ {}.{}", target.table, target.column)));
        remarks.extend(self.unit.map(str::to_owned));
        remarks.extend((!self.values.is_empty()).then(|| self.values.join(" | ")));
        if self.personal != Personal::None {
            remarks.push(format!("personal: {}", self.personal.name()));
        }
        remarks
    }
}
