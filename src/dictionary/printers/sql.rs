//! What the printers for databases share: how names, texts and columns stand in their SQL.

use super::selection::Selection;
use crate::dictionary::streams::all_of;
use crate::dictionary::{Column, Kind, exported};
use crate::record::Stream;

/// How an engine writes what all of them have.
pub(super) struct Engine {
    /// What names stand in.
    pub(super) quote: char,
    /// The type of a column's values.
    pub(super) kind: fn(&Column) -> &'static str,
    /// Whether a type says itself that NULL is possible.
    pub(super) wraps_nullable: bool,
    /// How a comment follows a column: what stands before its text, and behind it; none where there is a
    /// statement for it.
    pub(super) comment: Option<(&'static str, &'static str)>,
    /// How quotes in texts are written.
    pub(super) escaped_quote: &'static str,
}

/// What a template for a stream's files is filled with.
pub(super) struct Filling {
    /// The columns with their types, one a line.
    pub(super) definitions: String,
    /// The columns of the files.
    pub(super) columns: String,
    /// The columns of a record, and the number and the time of its newest change.
    pub(super) record: String,
}

/// The part of each stream of the selection, behind a head.
pub(super) fn script(head: &str, selection: &Selection, part: impl Fn(Stream) -> String) -> String {
    let parts: Vec<String> = selection.streams.iter().map(|stream| part(*stream)).collect();
    format!("{head}\n{}", parts.join("\n"))
}

impl Engine {
    pub(super) fn filling(&self, stream: Stream) -> Filling {
        let columns = exported(stream);
        let definitions: Vec<String> = columns.iter().map(|column| self.definition(column)).collect();
        let names = |columns: &mut dyn Iterator<Item = &Column>| {
            columns.map(|column| self.name(&column.name)).collect::<Vec<_>>().join(", ")
        };
        Filling {
            definitions: definitions.join(",\n    "),
            columns: names(&mut columns.iter()),
            record: names(&mut columns[3..].iter().chain(columns.iter().filter(|c| is_of_change(c)))),
        }
    }

    /// The columns of a stream's files, each with its type.
    pub(super) fn typed(&self, stream: Stream) -> String {
        let columns = exported(stream);
        let typed =
            columns.iter().map(|column| format!("{} {}", self.name(&column.name), (self.kind)(column)));
        typed.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn name(&self, name: &str) -> String {
        format!("{0}{name}{0}", self.quote)
    }

    fn definition(&self, column: &Column) -> String {
        let kind = (self.kind)(column);
        let not_null = if column.nullable || self.wraps_nullable { "" } else { " NOT NULL" };
        let comment = match self.comment {
            Some((before, after)) => format!(" {before}'{}'{after}", self.text(&column.about)),
            None => String::new(),
        };
        format!("{} {kind}{not_null}{comment}", self.name(&column.name))
    }

    fn text(&self, text: &str) -> String {
        text.replace('\'', self.escaped_quote)
    }

    /// `COMMENT ON` for a stream's view and its columns.
    pub(super) fn comments(&self, stream: Stream) -> String {
        let table = self.name(&format!("{stream}_changes"));
        let columns = exported(stream);
        let of_column = |column: &Column| {
            let (name, about) = (self.name(&column.name), self.text(&column.about));
            format!("COMMENT ON COLUMN {table}.{name} IS '{about}';\n")
        };
        columns.iter().map(of_column).collect()
    }
}

/// What a stream's view of records as they are now is.
pub(super) fn about(stream: Stream) -> String {
    format!("{} as the API holds them now.", all_of(stream).replace('\'', "''"))
}

/// Whether a column belongs to a change and is of use beside the record too.
fn is_of_change(column: &Column) -> bool {
    column.name == "_seq" || column.name == "_observed_at"
}

/// Whether a column holds JSON.
pub(super) fn is_json(column: &Column) -> bool {
    column.kind == Kind::Json
}

/// Whether a column holds a time that the mirror wrote; those of the API stand in no certain form.
pub(super) fn is_own_time(column: &Column) -> bool {
    column.name == "_observed_at"
}
