//! For documentation. `docs/mirror.md` has the whole of it.

use super::selection::Selection;
use crate::dictionary::{Column, Table};
use std::fmt::Write;

pub(super) fn print(selection: &Selection) -> String {
    let mut parts = Vec::new();
    let tables = || selection.tables.iter().chain(&selection.any_event_view);
    if tables().count() > 1 {
        parts.push(overview("For analysts:", tables()));
    }
    if !selection.others.is_empty() {
        parts.push(overview(
            "The program's own, which `malomo-mirror describe NAME` describes:",
            &selection.others,
        ));
    }
    parts.extend(tables().map(details));
    parts.join("\n")
}

fn overview<'t>(head: &str, tables: impl IntoIterator<Item = &'t Table>) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_for_analysts_holds_it() {
        let page = include_str!("../../../docs/mirror.md");
        let printed = print(&Selection::for_analysts(None));
        let expected = format!("<!-- begin describe -->\n{printed}<!-- end describe -->\n");
        assert!(page.contains(&expected), "the dictionary has changed: run packaging/refresh");
    }
}
