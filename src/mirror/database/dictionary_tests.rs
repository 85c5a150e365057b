//! The schema and the dictionary say the same.

use crate::dictionary::{Reference, Table, tables};
use crate::mirror::Mirror;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};

/// A column as SQLite sees it: its name, its type, and whether it can be NULL.
type Seen = (String, String, bool);

fn new_mirror() -> (tempfile::TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mirror.db");
    drop(Mirror::open(&path).unwrap());
    (folder, Connection::open(&path).unwrap())
}

/// Every table and view, with its kind.
fn names(connection: &Connection) -> BTreeMap<String, String> {
    let sql = "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let mut select = connection.prepare(sql).unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn columns(connection: &Connection, table: &str) -> Vec<Seen> {
    // The key of a table that SQLite numbers its rows by is never NULL, and is not declared so.
    let sql =
        "SELECT name, type, \"notnull\" = 0 AND NOT (pk > 0 AND type = 'INTEGER') FROM pragma_table_info(?1)";
    let mut select = connection.prepare(sql).unwrap();
    let rows =
        select.query_map([table], |row| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?))).unwrap();
    // What a view casts to an integer is called so.
    let seen = rows.map(|row| {
        row.map(|(name, kind, null)| (name, if kind == "INT" { "INTEGER".to_owned() } else { kind }, null))
    });
    seen.map(Result::unwrap).collect()
}

/// The sets of columns that no two rows have alike.
fn unique_sets(connection: &Connection, table: &str) -> BTreeSet<BTreeSet<String>> {
    let key = "SELECT 'key', name FROM pragma_table_info(?1) WHERE pk > 0 UNION ALL \
               SELECT list.name, info.name FROM pragma_index_list(?1) AS list, pragma_index_info(list.name) AS info \
               WHERE list.\"unique\" = 1 AND list.partial = 0";
    let mut sets: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut select = connection.prepare(key).unwrap();
    let mut rows = select.query([table]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        sets.entry(row.get(0).unwrap()).or_default().insert(row.get(1).unwrap());
    }
    sets.into_values().collect()
}

fn of_dictionary(table: &Table) -> Vec<Seen> {
    let columns = table.columns.iter();
    columns.map(|c| (c.name.clone().into_owned(), c.kind.sqlite().to_owned(), c.nullable)).collect()
}

#[test]
fn every_table_view_and_column_has_its_entry_and_every_entry_its_column() {
    let (_folder, connection) = new_mirror();
    let entries = tables();
    let named: BTreeMap<String, String> =
        entries.iter().map(|table| (table.name.clone().into_owned(), table.kind.name().to_owned())).collect();
    assert_eq!(entries.len(), named.len(), "no name stands twice");
    assert_eq!(names(&connection), named);
    for table in &entries {
        let (mut seen, mut told) = (columns(&connection, &table.name), of_dictionary(table));
        if table.kind.name() == "view" {
            // What a view computes has no type, and its columns are not known to hold something.
            let types: Vec<String> = seen.iter().map(|(_, kind, _)| kind.clone()).collect();
            for ((column, kind), declared) in seen.iter_mut().zip(told.iter_mut()).zip(types) {
                column.2 = kind.2;
                if declared.is_empty() {
                    column.1.clone_from(&kind.1);
                }
            }
        }
        assert_eq!(seen, told, "{}", table.name);
    }
}

#[test]
fn keys_are_keys() {
    let (_folder, connection) = new_mirror();
    for table in tables().iter().filter(|table| table.kind.name() == "table") {
        let unique = unique_sets(&connection, &table.name);
        let key: BTreeSet<String> =
            table.columns.iter().filter(|column| column.key).map(|column| column.name.to_string()).collect();
        assert!(unique.contains(&key), "{}: {key:?} of {unique:?}", table.name);
        for column in table.columns.iter().filter(|column| column.unique) {
            assert!(
                unique.contains(&BTreeSet::from([column.name.to_string()])),
                "{}.{}",
                table.name,
                column.name
            );
        }
    }
}

#[test]
fn what_columns_refer_to_is_there() {
    let tables = tables();
    let has = |table: &str, column: &str| {
        tables
            .iter()
            .any(|t| t.name == table && t.columns.iter().any(|c| c.name == column && (c.key || c.unique)))
    };
    for table in &tables {
        for column in &table.columns {
            assert!(column.about.ends_with('.'), "{}.{} has a sentence", table.name, column.name);
            if let Some(Reference { table: other, column: target, .. }) = column.references {
                assert!(has(other, target), "{}.{} refers to {other}.{target}", table.name, column.name);
            }
        }
    }
}
