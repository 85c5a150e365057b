//! What the printers for databases share: how names, texts and columns stand in their SQL.

use super::selection::Selection;
use crate::dictionary::streams::all_of;
use crate::dictionary::{Column, Kind, exported};
use crate::record::Stream;

/// How an engine writes what all of them have.
pub(super) struct Engine {
    /// What stands before the streams: how the text is used.
    pub(super) head: &'static str,
    /// The text for one stream, with names in braces for what [`Engine::part`] fills in.
    pub(super) template: &'static str,
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

impl Engine {
    /// The text for the streams of a selection.
    pub(super) fn print(&self, selection: &Selection) -> String {
        let parts: Vec<String> = selection.streams.iter().map(|stream| self.part(*stream)).collect();
        format!("{}\n{}", self.head, parts.join("\n"))
    }

    /// The template, filled in for a stream.
    fn part(&self, stream: Stream) -> String {
        let columns = exported(stream);
        let each = |separator: &str, write: &dyn Fn(&Column) -> String| {
            columns.iter().map(write).collect::<Vec<_>>().join(separator)
        };
        let typed = each(", ", &|column| format!("{} {}", self.name(&column.name), (self.kind)(column)));
        let record = columns[3..].iter().chain(columns.iter().filter(|column| is_of_change(column)));
        let fillings = [
            ("stream", stream.to_string()),
            ("definitions", each(",\n    ", &|column| self.definition(column))),
            ("columns", each(", ", &|column| self.name(&column.name))),
            ("columns_of_change", each(", ", &|column| format!("\"change\".{}", self.name(&column.name)))),
            ("columns_of_new", each(", ", &|column| format!("\"new\".{}", self.name(&column.name)))),
            // Of a record, with the number and the time of its newest change.
            ("record", record.map(|column| self.name(&column.name)).collect::<Vec<_>>().join(", ")),
            ("typed_in_quotes", self.text(&typed)),
            ("typed", typed),
            ("kinds_by_name", each(", ", &|column| format!("'{}': '{}'", column.name, (self.kind)(column)))),
            ("about", self.text(&format!("{} as the API holds them now.", all_of(stream)))),
            ("comments", self.comments(stream)),
        ];
        let filled = fillings.into_iter().fold(self.template.to_owned(), |text, (name, filling)| {
            text.replace(&format!("{{{name}}}"), &filling)
        });
        filled.trim_end().to_owned() + "\n"
    }

    fn name(&self, name: &str) -> String {
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
    fn comments(&self, stream: Stream) -> String {
        let table = self.name(&format!("{stream}_changes"));
        let columns = exported(stream);
        let of_column = |column: &Column| {
            let (name, about) = (self.name(&column.name), self.text(&column.about));
            format!("COMMENT ON COLUMN {table}.{name} IS '{about}';\n")
        };
        columns.iter().map(of_column).collect()
    }
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
