//! For documentation. `docs/mirror.md` has the whole of it.

use super::Selection;
use crate::dictionary::{Column, Table};
use std::fmt::Write;

pub(super) fn print(selection: &Selection) -> String {
    let mut parts = Vec::new();
    if selection.tables.len() > 1 {
        parts.push(overview("For analysts:", &selection.tables));
    }
    if !selection.others.is_empty() {
        parts.push(overview(
            "The program's own, which `malomo-mirror describe NAME` describes:",
            &selection.others,
        ));
    }
    parts.extend(selection.tables.iter().map(details));
    parts.join("\n")
}

fn overview(head: &str, tables: &[Table]) -> String {
    let mut text = format!("{head}\n\n| name | | holds |\n|---|---|---|\n");
    for table in tables {
        let _ = writeln!(text, "| `{}` | {} | {} |", table.name, table.kind.name(), cell(&table.about));
    }
    text
}

fn details(table: &Table) -> String {
    let mut text = format!("### `{}`\n\n{}\n\n", table.name, table.about);
    text += "| column | type | NULL | meaning | |\n|---|---|---|---|---|\n";
    table.columns.iter().for_each(|column| text += &line(column));
    text
}

fn line(column: &Column) -> String {
    let (kind, null) = (column.kind.sqlite(), if column.nullable { "yes" } else { "" });
    let remarks = cell(&column.remarks().join("; "));
    format!("| `{}` | {kind} | {null} | {} | {remarks} |\n", column.name, cell(&column.about))
}

/// Text that neither ends its cell nor begins an element.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}
