//! Parquet files, read record by record.

use super::json::{Cell, Row};
use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

/// The rows of a file. Timestamps are microseconds.
pub fn rows(bytes: Vec<u8>) -> Vec<Row> {
    let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| row.unwrap().into_columns().into_iter().map(|(name, field)| (name, cell(field))).collect())
        .collect()
}

/// The rows of any Parquet file, as text.
pub fn text(bytes: Vec<u8>) -> String {
    let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
    reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string() + "\n").collect()
}

fn cell(field: Field) -> Cell {
    match field {
        Field::Null => Cell::Null,
        Field::Long(number) | Field::TimestampMicros(number) => Cell::Integer(number),
        Field::Str(text) => Cell::Text(text),
        Field::Bytes(bytes) => Cell::Text(String::from_utf8(bytes.data().to_vec()).unwrap()),
        other => panic!("{other:?}"),
    }
}
