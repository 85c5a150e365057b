//! For Datasette: what its pages say of the mirror's tables.

use super::json::pretty;
use super::selection::Selection;
use crate::dictionary::{Column, NamedQuery, Table};
use serde_json::{Map, Value, json};

/// Named queries whose parameters, left empty, mean the same as none: a page leaves them so at first.
const SHOWN_QUERIES: &[&str] =
    &["orders-by-month", "order-value", "delivery-times", "email-changes", "behind"];

/// Of some tables, the columns by whose values their rows are worth counting.
const FACETS: &[(&str, &[&str])] = &[
    ("events", &["type"]),
    ("changes", &["stream", "op"]),
    ("field_changes", &["stream", "column_name"]),
    ("sync_runs", &["mode", "outcome"]),
    ("rejected", &["stream", "outcome"]),
    ("orders", &["status", "is_open", "currency"]),
    ("shipments", &["carrier", "status", "is_return"]),
    ("event_properties", &["type", "column_type"]),
    ("audit_findings", &["stream", "kind", "standing"]),
];

/// Of some tables, the column that stands for a row where another table links to it.
const LABELS: &[(&str, &str)] = &[("customers", "email"), ("events", "label"), ("sync_runs", "mode")];

pub(super) fn print(selection: &Selection) -> String {
    let hidden = selection.others.iter().map(|one| (one.name.to_string(), table(one, true)));
    let shown = selection.tables.iter().map(|one| (one.name.to_string(), table(one, !one.is_for_analysts())));
    let mut tables: Map<String, Value> = shown.chain(hidden).collect();
    // SQLite's own, beside tables that number their rows.
    tables.insert("sqlite_sequence".to_owned(), json!({"hidden": true}));
    let mut database = Map::from_iter([("tables".to_owned(), Value::Object(tables))]);
    if !selection.others.is_empty() {
        let queries = SHOWN_QUERIES.iter().filter_map(|name| NamedQuery::of(name));
        let queries =
            queries.map(|query| (query.name.to_owned(), json!({"title": query.about(), "sql": query.sql()})));
        database.insert("queries".to_owned(), Value::Object(queries.collect()));
    }
    pretty(&json!({
        "title": "Malomo mirror",
        "description": "Customers and events of a Malomo account. Serve it with: datasette mirror.db --metadata FILE",
        "databases": {"mirror": database},
    }))
}

fn table(table: &Table, hidden: bool) -> Value {
    let described = |column: &Column| (column.name.to_string(), Value::from(description(column)));
    let columns: Map<String, Value> = table.columns.iter().map(described).collect();
    let mut metadata = Map::from_iter([
        ("description".to_owned(), Value::from(table.about.as_ref())),
        ("columns".to_owned(), Value::Object(columns)),
    ]);
    if hidden {
        metadata.insert("hidden".to_owned(), true.into());
    }
    if let Some((_, facets)) = FACETS.iter().find(|(name, _)| *name == table.name) {
        metadata.insert("facets".to_owned(), json!(facets));
    }
    if let Some((_, label)) = LABELS.iter().find(|(name, _)| *name == table.name) {
        metadata.insert("label_column".to_owned(), json!(label));
    }
    Value::Object(metadata)
}

fn description(column: &Column) -> String {
    match column.remarks() {
        none if none.is_empty() => column.about.to_string(),
        some => format!("{} ({})", column.about, some.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::tables;

    #[test]
    fn facets_and_labels_are_columns() {
        let tables = tables();
        let facets =
            FACETS.iter().flat_map(|(table, columns)| columns.iter().map(move |column| (*table, *column)));
        for (name, column) in facets.chain(LABELS.iter().copied()) {
            let table = tables.iter().find(|table| table.name == name).unwrap();
            assert!(table.columns.iter().any(|one| one.name == column), "{name}.{column}");
        }
    }
}
