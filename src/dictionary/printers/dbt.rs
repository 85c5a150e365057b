//! For dbt: the mirror's tables as sources.

use super::json::compact;
use super::selection::Selection;
use crate::dictionary::{Column, Table};
use serde_json::{Map, Value, json};
use std::fmt::Write;

const HEAD: &str = r#"# For dbt 1.10.5 or newer: the mirror's tables as sources, such as models/malomo.yml. dbt-duckdb reads the mirror
# itself:
#     attach: [{path: mirror.db, type: sqlite, alias: malomo, read_only: true}]
# with the variable malomo_database: malomo. `dbt source freshness` tells when the mirror last looked at the API,
# not when something there last changed: a quiet shop isn't stale.
version: 2

sources:
  - name: malomo
    description: Customers and events of a Malomo account, as its mirror has them
    database: "{{ var('malomo_database', target.database) }}"
    schema: "{{ var('malomo_schema', 'main') }}"
    tables:
"#;

/// Of the view that knows when the mirror last looked: by the default schedule, four runs an hour.
const FRESHNESS: &str = r#"        config:
          loaded_at_field: cast(last_sync_ok_at as timestamp)
          freshness:
            warn_after: {count: 1, period: hour}
            error_after: {count: 24, period: hour}
"#;

pub(super) fn print(selection: &Selection) -> String {
    selection.tables.iter().fold(HEAD.to_owned(), |text, one| text + &table(one))
}

fn table(table: &Table) -> String {
    let mut text = format!("      - name: {}\n        description: {}\n", table.name, compact(&table.about));
    if table.name == "freshness" {
        text += FRESHNESS;
    }
    text += "        columns:\n";
    let keys = table.columns.iter().filter(|column| column.key).count();
    for column in &table.columns {
        let _ = writeln!(
            text,
            "          - name: {}\n            description: {}",
            column.name,
            compact(&column.about)
        );
        let tests = tests(column, keys == 1);
        if !tests.is_empty() {
            let _ = writeln!(text, "            data_tests: {}", compact(&tests));
        }
        let _ = writeln!(text, "            meta: {}", compact(&json!({"personal": column.personal})));
    }
    text
}

/// What is true of a column. A target that may not be there yet, or no longer, is worth a warning only.
fn tests(column: &Column, key_is_alone: bool) -> Vec<Value> {
    let mut tests = Vec::new();
    if column.unique || (column.key && key_is_alone) {
        tests.push(json!("unique"));
    }
    if !column.nullable {
        tests.push(json!("not_null"));
    }
    if !column.values.is_empty() {
        tests.push(json!({"accepted_values": {"arguments": {"values": column.values}}}));
    }
    if let Some(target) = column.references {
        let to = format!("source('malomo', '{}')", target.table);
        let mut test = Map::from_iter([("arguments".to_owned(), json!({"to": to, "field": target.column}))]);
        if !target.always_there {
            test.insert("config".to_owned(), json!({"severity": "warn"}));
        }
        tests.push(json!({"relationships": test}));
    }
    tests
}
