//! For people, in a terminal.

use super::selection::Selection;
use crate::dictionary::{Column, Table, exported};
use std::fmt::Write;

pub(super) fn print(selection: &Selection) -> String {
    let mut parts: Vec<String> =
        selection.tables.iter().chain(&selection.any_event_view).map(table).collect();
    parts.extend(selection.streams.iter().map(|stream| {
        let head =
            format!("files of the stream {stream} (exports), _seq, _op and _observed_at, then the row\n");
        head + &columns(&exported(*stream))
    }));
    if !selection.others.is_empty() {
        let mut others = "tables of the program's own\n".to_owned();
        let width = selection.others.iter().map(|table| table.name.len()).max().unwrap_or(0);
        for Table { name, about, .. } in &selection.others {
            let _ = writeln!(others, "  {name:<width$}  {about}");
        }
        parts.push(others);
    }
    parts.join("\n")
}

fn table(table: &Table) -> String {
    format!("{} ({})\n  {}\n{}", table.name, table.kind.name(), table.about, columns(&table.columns))
}

fn columns(columns: &[Column]) -> String {
    let width = columns.iter().map(|column| column.name.len()).max().unwrap_or(0);
    let mut lines = String::new();
    for column in columns {
        let kind = format!("{}{}", column.kind.sqlite(), if column.nullable { "" } else { " NOT NULL" });
        let remarks = match column.remarks() {
            none if none.is_empty() => String::new(),
            some => format!(" [{}]", some.join("; ")),
        };
        let _ = writeln!(lines, "  {:<width$}  {kind:<16}  {}{remarks}", column.name, column.about);
    }
    lines
}
