//! Files of Parquet, written and read.

use super::columns;
use crate::export::formats::decoded_row::{Cell, Row, Unreadable};
use crate::export::formats::{Dialect, FileFacts, Format, RowWriter};
use crate::mirror::Change;
use crate::record::{Op, Stream, Value};
use arrow_array::{Int64Array, RecordBatch, StringArray};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, LogicalType};
use parquet::file::reader::{FileReader, SerializedFileReader};
use proptest::prelude::*;
use std::sync::Arc;

const AT: &str = "2024-05-01T12:00:00.120Z";
const EXACT: Dialect = Dialect { exact: true, ..Dialect::PLAIN };

/// A row of events.
type Values<'a> = [Value<'a>; 10];

fn file<'a>(
    rows: impl IntoIterator<Item = Values<'a>>,
    facts: &FileFacts<'_>,
    dialect: Dialect,
) -> (Vec<u8>, u64) {
    let mut writer = RowWriter::begin(Format::Parquet, facts, dialect, Vec::new()).unwrap();
    for (seq, values) in (1..).zip(rows) {
        let change = Change { seq, op: Op::Insert, observed_at: AT, id: "e", row: Some(&values) };
        writer.write(&change).unwrap();
    }
    writer.finish().unwrap()
}

fn read(bytes: &[u8]) -> Result<Vec<Row>, Unreadable> {
    Format::Parquet.rows(Box::new(bytes), Stream::Events, Dialect::PLAIN)?.collect()
}

fn opened(bytes: &[u8]) -> SerializedFileReader<Bytes> {
    SerializedFileReader::new(Bytes::copy_from_slice(bytes)).unwrap()
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn awkward() -> Values<'static> {
    [
        Value::Text("e\"1\0"),
        Value::Text(""),
        Value::Null,
        Value::Text("a\r\nb😀"),
        Value::Text(" "),
        Value::Integer(i64::MIN),
        Value::Text("{\"n\": 12345678901234567890,\r\n \"x\": 12.30, \"e\": 1e400, \"t\": \"\\ud83d\"}"),
        Value::Text("never"),
        Value::Text("9999-12-31T23:59:59.9999999+00:00"),
        Value::Null,
    ]
}

#[test]
fn values_come_back_to_the_byte() {
    let (bytes, rewritten) = file([awkward()], &FileFacts::of(Stream::Events), EXACT);
    let rows = read(&bytes).unwrap();
    assert_eq!((rows.len(), rewritten, rows[0].number, rows[0].seq, rows[0].op), (1, 0, 1, 1, Op::Insert));
    assert_eq!(rows[0].observed_at, AT);
    let expected: Vec<Cell> = awkward()
        .iter()
        .map(|value| match value {
            Value::Null => Cell::Null,
            Value::Integer(number) => Cell::Json(number.to_string()),
            Value::Text(given) => text(given),
        })
        .collect();
    assert_eq!(rows[0].cells, expected);

    let (bytes, rewritten) = file([awkward()], &FileFacts::of(Stream::Events), Dialect::PLAIN);
    let cells = &read(&bytes).unwrap()[0].cells;
    assert_eq!((rewritten, &cells[0]), (2, &text("e\"1")));
    let json = "{\"n\": 12345678901234567890,\r\n \"x\": 12.30, \"e\": \"1e400\", \"t\": \"\\ufffd\"}";
    assert_eq!(cells[6], text(json));
}

#[test]
fn a_delete_has_its_keys_and_an_empty_file_no_rows() {
    let mut keys = [Value::Null; 10];
    (keys[0], keys[1]) = (Value::Text("e"), Value::Text("c"));
    let mut writer =
        RowWriter::begin(Format::Parquet, &FileFacts::of(Stream::Events), EXACT, Vec::new()).unwrap();
    writer.write(&Change { seq: 3, op: Op::Delete, observed_at: AT, id: "e", row: Some(&keys) }).unwrap();
    let rows = read(&writer.finish().unwrap().0).unwrap();
    assert_eq!((rows[0].op, &rows[0].cells[..2]), (Op::Delete, &[text("e"), text("c")][..]));
    assert!(rows[0].cells[2..].iter().all(|cell| *cell == Cell::Null));
    assert_eq!(read(&file([], &FileFacts::of(Stream::Events), EXACT).0).unwrap(), []);
}

#[test]
fn a_time_that_would_come_back_otherwise_is_refused() {
    for at in ["2024-05-01T12:00:00Z", "2024-05-01T12:00:00.1201Z", "t"] {
        let facts = FileFacts::of(Stream::Events);
        let mut writer = RowWriter::begin(Format::Parquet, &facts, EXACT, Vec::new()).unwrap();
        let change = Change { seq: 3, op: Op::Delete, observed_at: at, id: "e", row: Some(&[]) };
        assert!(writer.write(&change).is_err(), "{at}");
    }
}

#[test]
fn a_file_says_what_it_is_and_the_same_rows_give_the_same_bytes() {
    let changes =
        FileFacts { mirror_id: "mirror", first_seq: 7, last_seq: 20, ..FileFacts::of(Stream::Events) };
    let snapshot = FileFacts { is_snapshot: true, ..changes };
    for (facts, said) in [
        (
            changes,
            vec![("mirror_id", "mirror"), ("stream", "events"), ("first_seq", "7"), ("last_seq", "20")],
        ),
        (snapshot, vec![("mirror_id", "mirror"), ("stream", "events"), ("head_seq", "20")]),
    ] {
        let (bytes, _) = file(vec![awkward(); 100], &facts, EXACT);
        assert!(bytes == file(vec![awkward(); 100], &facts, EXACT).0);
        let reader = opened(&bytes);
        let about = reader.metadata().file_metadata();
        assert_eq!(about.created_by(), Some("malomo-mirror version 1.0.0"));
        let pairs = about.key_value_metadata().unwrap().iter();
        let pairs: Vec<_> =
            pairs.map(|pair| (pair.key.clone(), pair.value.clone().unwrap_or_default())).collect();
        let said: Vec<_> =
            said.iter().map(|(key, value)| (format!("malomo_mirror.{key}"), (*value).to_owned())).collect();
        assert_eq!(pairs, said);
        let group = reader.metadata().row_group(0);
        assert_eq!(group.sorting_columns().map(|by| by[0].column_idx), (!facts.is_snapshot).then_some(0));
        for (chunk, column) in group.columns().iter().zip(columns::of(Stream::Events.columns())) {
            assert!(matches!(chunk.compression(), Compression::ZSTD(_)), "{}", column.name);
            let has_dictionary = chunk.encodings().any(|encoding| encoding == Encoding::RLE_DICTIONARY);
            assert_eq!(has_dictionary, column.repeats(), "{}", column.name);
            assert!(chunk.statistics().is_some(), "{}", column.name);
        }
        let properties = about.schema_descr().column(10);
        assert_eq!(
            (properties.name(), properties.logical_type_ref()),
            ("properties", Some(&LogicalType::Json))
        );
    }
}

/// Text that compresses badly, a mebibyte of it, so that groups end by their memory; and such that compresses well.
#[test]
fn row_groups_are_bounded_by_rows_by_text_and_by_memory() {
    let mut state = 1_u64;
    let mut noise = || {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b' ' + (state >> 33) as u8 % 90)
        };
        (0..1 << 20).map(|_| next()).collect::<String>()
    };
    let texts: Vec<String> = (0..40).map(|_| noise()).collect();
    let row = |text| {
        let mut values = [Value::Null; 10];
        (values[0], values[3]) = (Value::Text("e"), Value::Text(text));
        values
    };
    let facts = FileFacts::of(Stream::Events);
    let (bytes, _) = file(texts.iter().map(|text| row(text)), &facts, EXACT);
    let groups = opened(&bytes).metadata().row_groups().to_vec();
    assert!(groups.len() >= 3, "{}", groups.len());
    assert!(groups.iter().all(|group| group.compressed_size() < 15 << 20));
    assert_eq!(read(&bytes).unwrap().len(), texts.len());

    let plain = "x".repeat(1 << 20);
    let (bytes, _) = file((0..200).map(|_| row(&plain)), &facts, EXACT);
    let groups = opened(&bytes).metadata().row_groups().to_vec();
    assert_eq!(groups.iter().map(|group| group.num_rows()).max(), Some(64));
    assert_eq!(read(&bytes).unwrap().len(), 200);

    let (bytes, _) = file((0..300_000).map(|_| row("")), &facts, EXACT);
    let groups = opened(&bytes).metadata().row_groups().to_vec();
    assert_eq!(groups.iter().map(|group| group.num_rows()).collect::<Vec<_>>(), [262_144, 37_856]);
}

#[test]
fn what_is_no_such_file_is_refused() {
    let (good, _) = file([awkward()], &FileFacts::of(Stream::Events), EXACT);
    for bad in [&b""[..], b"PAR1", &good[..good.len() - 1], &[b'x'; 100]] {
        assert_eq!(read(bad).unwrap_err().row, 0);
    }
    assert!(read(&good[1..]).is_err());
    // Another stream's, and one of another program.
    let (customers, _) = file([], &FileFacts::of(Stream::Customers), EXACT);
    assert!(read(&customers).unwrap_err().what.contains("its columns are others"));
    let batch = RecordBatch::try_from_iter([("_seq", Arc::new(Int64Array::from(vec![1])) as _)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    assert!(read(&writer.into_inner().unwrap()).is_err());
}

/// Parquet of the right columns, but for what `change` makes of them.
fn doctored(change: impl Fn(&str, &mut arrow_array::ArrayRef)) -> Vec<u8> {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::arrow::arrow_writer::ArrowWriterOptions;
    let (good, _) = file([awkward()], &FileFacts::of(Stream::Events), EXACT);
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(good)).unwrap();
    let schema = reader.parquet_schema().clone();
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut arrays = batch.columns().to_vec();
    names.iter().zip(&mut arrays).for_each(|(name, array)| change(name, array));
    let batch = RecordBatch::try_new(batch.schema(), arrays).unwrap();
    let options = ArrowWriterOptions::new().with_parquet_schema(schema).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn a_row_that_this_program_does_not_write_is_named() {
    use arrow_array::TimestampMicrosecondArray;
    assert!(read(&doctored(|_, _| {})).is_ok());
    let instant = |at: i64| Arc::new(TimestampMicrosecondArray::from(vec![at]).with_timezone("UTC"));
    for (name, array) in [
        ("_op", Arc::new(StringArray::from(vec!["upsert"])) as arrow_array::ArrayRef),
        ("_observed_at", instant(1)),
        ("occurred_at", instant(0)),
        ("created_at_utc", instant(0)),
        ("updated_at_utc", instant(253_402_300_799_999_998)),
    ] {
        let error = read(&doctored(|of, given| {
            if of == name {
                *given = array.clone();
            }
        }));
        let error = error.unwrap_err();
        assert!(error.row == 1 && error.what.starts_with(name), "{error:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_comes_back(rows in prop::collection::vec((".{0,9}|[\0\r\n\"]{0,3}", prop::option::of(any::<i64>())), 0..40)) {
        let values = rows.iter().map(|(text, number)| {
            let mut values = [Value::Text(text.as_str()); 10];
            values[5] = number.map_or(Value::Null, Value::Integer);
            values
        });
        let (bytes, _) = file(values, &FileFacts::of(Stream::Events), EXACT);
        let found = read(&bytes).unwrap();
        prop_assert_eq!(found.len(), rows.len());
        for (row, (given, number)) in found.iter().zip(&rows) {
            for (n, cell) in row.cells.iter().enumerate() {
                let expected = match (n, number) {
                    (5, None) => Cell::Null,
                    (5, Some(number)) => Cell::Json(number.to_string()),
                    _ => text(given),
                };
                prop_assert_eq!(cell, &expected);
            }
        }
    }
}
