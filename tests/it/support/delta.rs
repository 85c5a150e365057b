//! Delta tables, read by the published protocol from their commits alone.

use super::json::Row;
use super::parquet;
use super::place::Place;
use super::state::State;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A table as its commits make it.
pub struct Table {
    folder: PathBuf,
    /// The actions of each commit.
    pub commits: Vec<Vec<Value>>,
    /// The files that count, by path: their `add` actions.
    pub files: BTreeMap<String, Value>,
}

impl Table {
    /// Reads every commit from the first on.
    pub fn read(place: &Place, table: &str) -> Table {
        let folder = place.exports().join(table);
        let (mut commits, mut files) = (Vec::new(), BTreeMap::new());
        while let Ok(text) =
            std::fs::read_to_string(folder.join(format!("_delta_log/{:020}.json", commits.len())))
        {
            let actions: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            for action in &actions {
                if let Some(gone) = action.get("remove") {
                    let known = files.remove(gone["path"].as_str().unwrap());
                    assert!(known.is_some(), "{gone} was no file of the table");
                }
                if let Some(add) = action.get("add") {
                    let known = files.insert(add["path"].as_str().unwrap().to_owned(), add.clone());
                    assert_eq!(known, None, "a file is added twice");
                }
            }
            commits.push(actions);
        }
        Table { folder, commits, files }
    }

    /// The last change that the newest `txn` action names.
    pub fn position(&self) -> i64 {
        let mut all = self.commits.iter().flatten().filter_map(|action| action.get("txn"));
        all.next_back().map_or(0, |txn| txn["version"].as_i64().unwrap())
    }

    /// The rows of every file that counts, in the order of their changes.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (path, add) in &self.files {
            let bytes = std::fs::read(self.folder.join(path)).unwrap();
            assert_eq!(add["size"], bytes.len(), "{path}");
            let of_file = parquet::rows(bytes);
            let said: Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
            assert_eq!(said["numRecords"], of_file.len(), "{path}");
            rows.extend(of_file);
        }
        rows.sort_by_key(|row| row["_seq"].integer());
        assert!(rows.windows(2).all(|pair| pair[0]["_seq"] < pair[1]["_seq"]), "a change stands there twice");
        rows
    }
}

/// What the tables of both streams come to, replayed: those with the changes and those with the state alike.
pub fn replay(place: &Place, suffix: &str) -> State {
    let mut state = State::default();
    for stream in ["customers", "events"] {
        for mut row in Table::read(place, &format!("{stream}{suffix}")).rows() {
            let (op, id) = (row["_op"].text().to_owned(), row["id"].text().to_owned());
            row.retain(|name, _| !name.starts_with('_') && !name.ends_with("_utc") && name != "occurred_at");
            match op.as_str() {
                "delete" => drop(state.stream_mut(stream).remove(&id)),
                _ => drop(state.stream_mut(stream).insert(id, row)),
            }
        }
    }
    state
}
