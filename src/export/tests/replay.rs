//! Reads export folders back, for tests: what a consumer would do.

use crate::export::formats::Format;
use crate::export::formats::{Compression, decompress};
use crate::export::layout::{DATA_PACKAGE, MANIFEST};
use crate::export::manifest;
use crate::export::manifest::ManifestLine;
use crate::export::retention::{ACKNOWLEDGED, LOCK};
use crate::hex::hex;
use crate::mirror::{Change, Mirror, MirrorError};
use crate::record::{ColumnKind, Stream, Value};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A row's fields in the order of the stream's columns.
pub(super) type Fields = Vec<Option<String>>;
/// Rows by identifier.
pub(super) type Rows = BTreeMap<String, Fields>;

/// A row of a file.
pub(super) struct ReadRow {
    pub(super) seq: i64,
    pub(super) op: String,
    pub(super) id: String,
    pub(super) fields: Fields,
}

/// What the mirror holds. With `one_line`, raw line ends are taken out of JSON, as NDJSON has it.
pub(super) fn mirrored(mirror: &mut Mirror, stream: Stream, one_line: bool) -> Rows {
    let mut rows = Rows::new();
    let snapshot = mirror.snapshot().unwrap();
    snapshot
        .rows(stream, i64::MAX, |change: Change<'_>| {
            let fields =
                stream.columns().iter().zip(change.row.unwrap()).map(|(column, value)| match value {
                    Value::Null => None,
                    Value::Integer(number) => Some(number.to_string()),
                    Value::Text(text) if one_line && column.kind == ColumnKind::Json => {
                        Some(text.replace(['\r', '\n'], ""))
                    }
                    Value::Text(text) => Some((*text).to_owned()),
                });
            rows.insert(change.id.to_owned(), fields.collect());
            Ok::<(), MirrorError>(())
        })
        .unwrap();
    rows
}

/// What a folder's files give when they are replayed in the order of the manifest. Checks on the way that every
/// announced file has its size and digest, that ranges tile, that rows ascend in their range, and that no change
/// stands twice.
pub(super) fn replayed(dir: &Path, stream: Stream, format: Format) -> Rows {
    let mut rows = Rows::new();
    let (mut position, mut seen) = (0, BTreeSet::new());
    for line in manifest::all(dir).unwrap() {
        if (line.stream.as_str(), line.format.as_str()) != (stream.name(), format.name()) {
            continue;
        }
        assert_eq!(line.first_seq, position + 1, "{}", line.path);
        position = line.last_seq;
        let mut last = line.first_seq - 1;
        for row in read_file(dir, &line) {
            assert!(last < row.seq && row.seq <= line.last_seq, "{}", line.path);
            assert!(seen.insert(row.seq));
            last = row.seq;
            if row.op == "delete" {
                let others = &row.fields[stream.keys().len()..];
                assert!(others.iter().all(Option::is_none), "{}", line.path);
                rows.remove(&row.id);
            } else {
                rows.insert(row.id, row.fields);
            }
        }
    }
    rows
}

/// The rows of an announced file.
pub(super) fn read_file(dir: &Path, line: &ManifestLine) -> Vec<ReadRow> {
    let bytes = std::fs::read(dir.join(&line.path)).unwrap();
    assert_eq!(bytes.len() as u64, line.bytes);
    assert_eq!(hex(&Sha256::digest(&bytes)), line.sha256);
    let plain = decompress(Compression::from_name(&line.compression).unwrap(), &bytes);
    let text = |plain| String::from_utf8(plain).unwrap();
    let rows = match line.format.as_str() {
        #[cfg(feature = "lake")]
        "parquet" => read_parquet(plain, line),
        "csv" => read_csv(&text(plain), line),
        _ => text(plain).split_terminator('\n').map(|text| read_object(text, line)).collect(),
    };
    assert_eq!(rows.len() as u64, line.rows);
    rows
}

fn read_object(text: &str, line: &ManifestLine) -> ReadRow {
    let object: BTreeMap<String, &RawValue> = serde_json::from_str(text).unwrap();
    let text_of = |name: &str| serde_json::from_str::<String>(object[name].get()).unwrap();
    let stream = Stream::from_name(&line.stream).unwrap();
    if line.layout > 1 {
        assert_eq!(object.len(), line.columns.len(), "{text}");
    }
    let fields = stream.columns().iter().map(|column| match object.get(column.name) {
        None => None,
        Some(value) if value.get() == "null" => None,
        Some(_) if matches!(column.kind, ColumnKind::Text | ColumnKind::Time) => Some(text_of(column.name)),
        Some(value) => Some(value.get().to_owned()),
    });
    ReadRow {
        seq: object["_seq"].get().parse().unwrap(),
        op: text_of("_op"),
        id: text_of("id"),
        fields: fields.collect(),
    }
}

/// By the crate's records, not by its batches.
#[cfg(feature = "lake")]
fn read_parquet(bytes: Vec<u8>, line: &ManifestLine) -> Vec<ReadRow> {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::{Field, Row};
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
    let stream = Stream::from_name(&line.stream).unwrap();
    let read = |row: Row| {
        let names: Vec<&String> = row.get_column_iter().map(|(name, _)| name).collect();
        assert!(names.into_iter().eq(&line.columns));
        let field = |name: &str| row.get_column_iter().find(|(column, _)| *column == name).unwrap().1.clone();
        let text = |name: &str| match field(name) {
            Field::Null => None,
            Field::Str(text) => Some(text),
            Field::Bytes(bytes) => Some(String::from_utf8(bytes.data().to_vec()).unwrap()),
            Field::Long(number) => Some(number.to_string()),
            other => panic!("{name} is {other:?}"),
        };
        ReadRow {
            seq: text("_seq").unwrap().parse().unwrap(),
            op: text("_op").unwrap(),
            id: text("id").unwrap(),
            fields: stream.columns().iter().map(|column| text(column.name)).collect(),
        }
    };
    reader.get_row_iter(None).unwrap().map(|row| read(row.unwrap())).collect()
}

/// The crate's reader doesn't tell `""` from nothing; so the split is checked against it, and the quotes decide.
fn read_csv(text: &str, line: &ManifestLine) -> Vec<ReadRow> {
    let text = if line.csv_bom { text.strip_prefix('\u{feff}').unwrap() } else { text };
    let raw = raw_csv(text);
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), line.columns);
    let records: Vec<::csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len() + 1, raw.len());
    let rows = records.iter().zip(&raw[1..]).map(|(record, raw)| {
        let unquoted: Vec<&str> = raw.iter().map(|field| field.as_deref().unwrap_or("")).collect();
        assert_eq!(record.iter().collect::<Vec<_>>(), unquoted);
        let unguard = |field: &Option<String>| {
            field.as_deref().map(|text| match line.csv_formula_guard {
                true => text.strip_prefix('\'').unwrap_or(text).to_owned(),
                false => text.to_owned(),
            })
        };
        let fields: Fields = raw[3..].iter().map(unguard).collect();
        ReadRow {
            seq: record[0].parse().unwrap(),
            op: record[1].to_owned(),
            id: fields[0].clone().unwrap(),
            fields,
        }
    });
    rows.collect()
}

/// RFC 4180 with NULL as an empty field without quotes.
fn raw_csv(text: &str) -> Vec<Fields> {
    let (mut records, mut record, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                quoted = true;
                while let Some(inner) = characters.next() {
                    if inner != '"' || characters.next_if_eq(&'"').is_some() {
                        field.push(inner);
                    } else {
                        break;
                    }
                }
            }
            ',' | '\r' => {
                let text = std::mem::take(&mut field);
                record.push((quoted || !text.is_empty()).then_some(text));
                quoted = false;
                if character == '\r' {
                    assert_eq!(characters.next(), Some('\n'));
                    records.push(std::mem::take(&mut record));
                }
            }
            other => field.push(other),
        }
    }
    assert!(record.is_empty() && field.is_empty(), "the last line has an end");
    records
}

/// Every file below `dir`, relative to it, sorted; but not the data packages, of which `data_package` is.
pub(super) fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with(DATA_PACKAGE) {
                found.push(path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Checks that the folder holds its manifest and exactly the files that it names.
pub(super) fn assert_announced(dir: &Path) {
    let mut announced: Vec<String> = manifest::all(dir).unwrap().into_iter().map(|line| line.path).collect();
    announced.push(MANIFEST.to_owned());
    announced.sort();
    let of_consumers = [ACKNOWLEDGED, LOCK];
    let found: Vec<String> =
        files(dir).into_iter().filter(|name| !of_consumers.contains(&name.as_str())).collect();
    assert_eq!(found, announced);
}
