//! Exports, replayed by a reader that knows no more than the interface: manifest, files, change log.

use super::csv;
use super::json::{CUSTOMER, Cell, EVENT, Kind, Row, cell_of_json, members};
use super::place::Place;
use super::state::State;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

/// The manifest's lines; none where there is no manifest.
pub fn manifest(place: &Place) -> Vec<Value> {
    let Ok(text) = std::fs::read_to_string(place.exports().join("manifest.ndjson")) else {
        return Vec::new();
    };
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The formats that the manifest names.
pub fn formats(place: &Place) -> BTreeSet<String> {
    manifest(place).iter().map(|line| text(line, "format").to_owned()).collect()
}

/// Replays every file of one format in the manifest's order. Asserts on the way that each file is what its line says,
/// that the ranges tile, and that each row is the newest change of its record in its file's range. A file that was
/// repaired may lack changes, as many as its line says, of records that have newer ones.
pub fn replay(place: &Place, format: &str) -> State {
    let log = ChangeLog::read(place);
    let mut state = State::default();
    let mut ends: BTreeMap<String, i64> = BTreeMap::new();
    for line in manifest(place).iter().filter(|line| line["format"] == format) {
        let (stream, first, last) = range(line);
        let end = ends.insert(stream.to_owned(), last).unwrap_or(0);
        assert_eq!(first, end + 1, "the range starts where the one before it ended: {line}");
        assert!(last >= first, "{line}");
        let changes = read(place, line);
        log.check(line, &changes);
        for change in changes {
            let rows = state.stream_mut(stream);
            match change.op.as_str() {
                "delete" | "erase" => drop(rows.remove(&change.id)),
                _ => drop(rows.insert(change.id, change.row)),
            }
        }
    }
    state
}

/// Asserts that nothing lies beside what the manifest names.
pub fn assert_no_strays(place: &Place) {
    let named: BTreeSet<String> = manifest(place).iter().map(|line| text(line, "path").to_owned()).collect();
    let mut found = BTreeSet::new();
    for stream in ["customers", "events"] {
        let Ok(entries) = std::fs::read_dir(place.exports().join(stream)) else { continue };
        // The folders in it are those of tables.
        let files = entries.map(Result::unwrap).filter(|entry| entry.path().is_file());
        found.extend(files.map(|entry| format!("{stream}/{}", entry.file_name().to_str().unwrap())));
    }
    assert_eq!(found, named);
}

/// A row of an export.
struct Exported {
    seq: i64,
    op: String,
    id: String,
    row: Row,
}

fn text<'a>(line: &'a Value, name: &str) -> &'a str {
    line[name].as_str().unwrap_or_else(|| panic!("{name} in {line}"))
}

fn number(line: &Value, name: &str) -> i64 {
    line[name].as_i64().unwrap_or_else(|| panic!("{name} in {line}"))
}

fn range(line: &Value) -> (&str, i64, i64) {
    (text(line, "stream"), number(line, "first_seq"), number(line, "last_seq"))
}

fn columns(stream: &str) -> BTreeMap<String, Kind> {
    let columns: &[(&str, Kind)] = if stream == "customers" { &CUSTOMER } else { &EVENT };
    columns.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect()
}

/// Reads a file and checks it against its line.
fn read(place: &Place, line: &Value) -> Vec<Exported> {
    let (stream, format, path) = (text(line, "stream"), text(line, "format"), text(line, "path"));
    let (first, last) = (number(line, "first_seq"), number(line, "last_seq"));
    let named = format!("{stream}/{stream}-{first:012}-{last:012}.{format}");
    assert!(["", ".gz", ".zst"].iter().any(|ending| path == format!("{named}{ending}")), "{line}");
    let bytes = std::fs::read(place.exports().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(bytes.len() as i64, number(line, "bytes"), "{line}");
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, text(line, "sha256"), "{line}");
    let names: Vec<&str> =
        line["columns"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let rows = match format {
        "csv" => of_csv(stream, &unpacked(path, &bytes), &names, line),
        "ndjson" => of_ndjson(stream, &unpacked(path, &bytes), &names),
        #[cfg(feature = "lake")]
        "parquet" => of_parquet(bytes, &names),
        other => panic!("no format {other}"),
    };
    assert_eq!(rows.len() as i64, number(line, "rows"), "{line}");
    assert!(!rows.is_empty() || line["left_out"].is_u64(), "a file without a change: {line}");
    rows
}

fn unpacked(path: &str, bytes: &[u8]) -> String {
    let mut content = String::new();
    if path.ends_with(".gz") {
        flate2::read::MultiGzDecoder::new(bytes).read_to_string(&mut content).unwrap();
    } else if path.ends_with(".zst") {
        content = String::from_utf8(zstd::decode_all(bytes).unwrap()).unwrap();
    } else {
        content = String::from_utf8(bytes.to_vec()).unwrap();
    }
    content
}

/// The columns that follow from others are left out here.
#[cfg(feature = "lake")]
fn of_parquet(bytes: Vec<u8>, names: &[&str]) -> Vec<Exported> {
    let read = |mut row: Row| {
        assert_eq!(row.keys().map(String::as_str).collect::<BTreeSet<_>>(), names.iter().copied().collect());
        row.retain(|name, _| !name.ends_with("_utc") && name != "occurred_at");
        row.remove("_observed_at");
        let (seq, op) = (row.remove("_seq").unwrap().integer(), row.remove("_op").unwrap().text().to_owned());
        Exported { seq, op, id: row["id"].text().to_owned(), row }
    };
    super::parquet::rows(bytes).into_iter().map(read).collect()
}

fn of_csv(stream: &str, content: &str, names: &[&str], line: &Value) -> Vec<Exported> {
    let kinds = columns(stream);
    // Whether a leading `'` of what the API gave is to be taken away.
    let guarded = line["csv_formula_guard"] == true;
    let content = match line["csv_bom"] == true {
        true => content.strip_prefix('\u{feff}').unwrap(),
        false => content,
    };
    assert!(content.starts_with(&format!("\"{}\"\r\n", names.join("\",\""))), "the header is quoted");
    let mut records = csv::records(content).into_iter();
    let header: Vec<String> = records.next().unwrap().into_iter().map(Option::unwrap).collect();
    assert_eq!(header, names);
    let read = |record: Vec<Option<String>>| {
        assert_eq!(record.len(), names.len(), "{record:?}");
        let cell = |(name, field): (&&str, Option<String>)| {
            let field = field.map(|text| match text.strip_prefix('\'') {
                Some(plain) if guarded => plain.to_owned(),
                _ => {
                    assert!(
                        !guarded
                            || *name == "timestamp"
                            || !text.starts_with(['=', '+', '-', '@', '\t', '\r'])
                    );
                    text
                }
            });
            let cell = match (kinds.get(*name), field) {
                (_, None) => Cell::Null,
                (Some(Kind::Integer), Some(text)) => Cell::Integer(text.parse().unwrap()),
                (Some(kind @ (Kind::Json | Kind::Rest)), Some(text)) => cell_of_json(*kind, &text),
                (_, Some(text)) => Cell::Text(text),
            };
            ((*name).to_owned(), cell)
        };
        exported(&kinds, names.iter().zip(record).map(cell).collect())
    };
    records.map(read).collect()
}

fn of_ndjson(stream: &str, content: &str, names: &[&str]) -> Vec<Exported> {
    let kinds = columns(stream);
    assert!(content.is_empty() || content.ends_with('\n'));
    let read = |line: &str| {
        let members = members(line);
        let found: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(found, names, "{line}");
        let cell = |(name, value): (String, String)| {
            let kind = if name == "_seq" { Kind::Integer } else { *kinds.get(&name).unwrap_or(&Kind::Text) };
            let cell = cell_of_json(kind, &value);
            (name, cell)
        };
        exported(&kinds, members.into_iter().map(cell).collect())
    };
    content.lines().map(read).collect()
}

fn exported(kinds: &BTreeMap<String, Kind>, mut row: Row) -> Exported {
    let mut take = |name: &str| row.remove(name).unwrap_or_else(|| panic!("no {name}"));
    let seq = match take("_seq") {
        Cell::Integer(seq) => seq,
        Cell::Text(seq) => seq.parse().unwrap(),
        Cell::Null => panic!("no number"),
    };
    let (op, observed_at) = (take("_op").text().to_owned(), take("_observed_at"));
    assert!(observed_at.text().ends_with('Z') && observed_at.text().contains('T'), "{observed_at:?}");
    let id = row["id"].text().to_owned();
    row.retain(|name, _| kinds.contains_key(name));
    Exported { seq, op, id, row }
}

/// The mirror's `changes`: stream, op, id and, of a deleted event, `customer_id` by number.
struct ChangeLog(BTreeMap<i64, (String, String, String, Cell)>);

impl ChangeLog {
    fn read(place: &Place) -> ChangeLog {
        let rows = place.query("SELECT seq, stream, op, id, customer_id FROM changes");
        let change = |row: &Row| {
            let text = |name: &str| row[name].text().to_owned();
            (row["seq"].integer(), (text("stream"), text("op"), text("id"), row["customer_id"].clone()))
        };
        ChangeLog(rows.iter().map(change).collect())
    }

    /// Asserts that a file holds, in order and once each, real changes of its range, and of each record the newest,
    /// but for as many as its line says, of records that have newer ones.
    fn check(&self, line: &Value, rows: &[Exported]) {
        let (stream, first, last) = range(line);
        let left_out = line["left_out"].as_u64().unwrap_or(0);
        // In a file of readable values there is no NUL.
        let given =
            |text: &str| if line["rewritten"].is_u64() { text.replace('\0', "") } else { text.to_owned() };
        let mut newest = BTreeMap::new();
        for (seq, (found, _, id, _)) in self.0.range(first..=last) {
            if found == stream {
                newest.insert(id, *seq);
            }
        }
        let mut before = first - 1;
        let mut seen = BTreeSet::new();
        for row in rows {
            assert!(
                row.seq > before && row.seq <= last,
                "{stream}: change {} after {before}, to {last}",
                row.seq
            );
            before = row.seq;
            let (of, op, id, customer_id) =
                self.0.get(&row.seq).unwrap_or_else(|| panic!("no change {}", row.seq));
            assert_eq!((of.as_str(), op, &given(id)), (stream, &row.op, &row.id), "change {}", row.seq);
            let is_end = matches!(op.as_str(), "delete" | "erase");
            assert_eq!(*customer_id != Cell::Null, of == "events" && is_end, "change {}", row.seq);
            if is_end {
                let mut keys = row.row.clone();
                keys.retain(|_, cell| *cell != Cell::Null);
                let mut expected = Row::from([("id".to_owned(), Cell::Text(given(id)))]);
                if let Cell::Text(customer_id) = customer_id {
                    expected.insert("customer_id".to_owned(), Cell::Text(given(customer_id)));
                }
                assert_eq!(keys, expected, "change {}: an end has its keys and nothing else", row.seq);
            }
            seen.insert(row.seq);
        }
        let mut missing = 0;
        for (id, seq) in newest {
            let has_newer =
                || self.0.range(last + 1..).any(|(_, (of, _, found, _))| of == stream && found == id);
            if !seen.contains(&seq) {
                missing += 1;
                assert!(
                    left_out > 0 && has_newer(),
                    "{stream} {first} to {last}: change {seq} of {id:?} is missing"
                );
            }
        }
        assert_eq!(missing, left_out, "{stream} {first} to {last}");
    }
}
