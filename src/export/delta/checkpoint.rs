//! A log's state as one Parquet file, so that a reader needn't go through every commit: one action a row, each kind in
//! a column of its own.
//!
//! Actions have one form in memory and in commits, JSON; a checkpoint is made of that and read into it.

use super::actions::Action;
use arrow_array::builder::{BooleanBuilder, Int32Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, ListArray, MapArray, RecordBatch, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;
use std::error::Error;
use std::sync::Arc;

/// Actions that are encoded at once.
const BATCH: usize = 4 * 1024;

/// The columns of a checkpoint, as the protocol has them.
fn columns() -> Fields {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let long = |name: &str| Field::new(name, DataType::Int64, true);
    let int = |name: &str| Field::new(name, DataType::Int32, true);
    let flag = |name: &str| Field::new(name, DataType::Boolean, true);
    let group = |name: &str, fields: Vec<Field>| Field::new(name, DataType::Struct(fields.into()), true);
    let map = |name: &str| {
        let entry = vec![Field::new("key", DataType::Utf8, false), text("value")];
        let entry = Field::new("key_value", DataType::Struct(entry.into()), false);
        Field::new(name, DataType::Map(Arc::new(entry), false), true)
    };
    let list = |name: &str| Field::new(name, DataType::List(Arc::new(text("element"))), true);
    Fields::from(vec![
        group("txn", vec![text("appId"), long("version"), long("lastUpdated")]),
        group(
            "add",
            vec![
                text("path"),
                map("partitionValues"),
                long("size"),
                long("modificationTime"),
                flag("dataChange"),
                text("stats"),
                map("tags"),
            ],
        ),
        group(
            "remove",
            vec![
                text("path"),
                long("deletionTimestamp"),
                flag("dataChange"),
                flag("extendedFileMetadata"),
                map("partitionValues"),
                long("size"),
            ],
        ),
        group(
            "metaData",
            vec![
                text("id"),
                text("name"),
                group("format", vec![text("provider"), map("options")]),
                text("schemaString"),
                list("partitionColumns"),
                map("configuration"),
                long("createdTime"),
            ],
        ),
        group("protocol", vec![int("minReaderVersion"), int("minWriterVersion")]),
    ])
}

/// A checkpoint's bytes.
///
/// # Errors
/// When an action doesn't fit the protocol's columns, which none of ours does.
pub(super) fn to_parquet(actions: &[Action]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let schema = Arc::new(Schema::new(columns()));
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
    // Without Arrow's own schema readers take it for what the protocol says.
    let options =
        ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema.clone(), options)?;
    for batch in actions.chunks(BATCH) {
        let rows = batch.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
        let rows: Vec<Option<&Value>> = rows.iter().map(Some).collect();
        let columns = members(schema.fields(), &rows)?;
        writer.write(&RecordBatch::try_new(schema.clone(), columns)?)?;
    }
    Ok(writer.into_inner()?)
}

/// The actions of a checkpoint.
///
/// # Errors
/// When it is none that can be read.
pub(super) fn of_parquet(bytes: Vec<u8>) -> Result<Vec<Action>, Box<dyn Error + Send + Sync>> {
    let reader = SerializedFileReader::new(Bytes::from(bytes))?;
    let rows = reader.get_row_iter(None)?;
    rows.map(|row| Ok(serde_json::from_value(row?.to_json_value())?)).collect()
}

/// JSON values as a column of that type; whatever is of another type is NULL.
fn column(kind: &DataType, values: &[Option<&Value>]) -> Result<ArrayRef, ArrowError> {
    let is_there = |value: &Option<&Value>| value.is_some_and(|value| !value.is_null());
    let nulls = || NullBuffer::from_iter(values.iter().map(is_there));
    Ok(match kind {
        DataType::Utf8 => {
            let mut builder = StringBuilder::new();
            values.iter().for_each(|value| builder.append_option(value.and_then(Value::as_str)));
            Arc::new(builder.finish())
        }
        DataType::Int64 => {
            let mut builder = Int64Builder::new();
            values.iter().for_each(|value| builder.append_option(value.and_then(Value::as_i64)));
            Arc::new(builder.finish())
        }
        DataType::Int32 => {
            let number =
                |value: &Option<&Value>| value.and_then(Value::as_i64).and_then(|n| n.try_into().ok());
            let mut builder = Int32Builder::new();
            values.iter().for_each(|value| builder.append_option(number(value)));
            Arc::new(builder.finish())
        }
        DataType::Boolean => {
            let mut builder = BooleanBuilder::new();
            values.iter().for_each(|value| builder.append_option(value.and_then(Value::as_bool)));
            Arc::new(builder.finish())
        }
        DataType::Struct(fields) => {
            Arc::new(StructArray::try_new(fields.clone(), members(fields, values)?, Some(nulls()))?)
        }
        DataType::List(element) => {
            let lists = values.iter().map(|value| value.and_then(Value::as_array));
            let lengths = lists.clone().map(|list| list.map_or(0, Vec::len));
            let elements: Vec<Option<&Value>> = lists.clone().flatten().flatten().map(Some).collect();
            let elements = column(element.data_type(), &elements)?;
            let offsets = OffsetBuffer::from_lengths(lengths);
            Arc::new(ListArray::try_new(element.clone(), offsets, elements, Some(nulls()))?)
        }
        DataType::Map(entry, _) => {
            let DataType::Struct(fields) = entry.data_type() else {
                return Err(ArrowError::SchemaError("a map without entries".to_owned()));
            };
            let maps = values.iter().map(|value| value.and_then(Value::as_object));
            let lengths = maps.clone().map(|map| map.map_or(0, serde_json::Map::len));
            let mut keys = StringBuilder::new();
            let entries = maps.clone().flatten().flatten();
            entries.clone().for_each(|(key, _)| keys.append_value(key));
            let of_entries: Vec<Option<&Value>> = entries.map(|(_, value)| Some(value)).collect();
            let pairs = vec![Arc::new(keys.finish()) as ArrayRef, column(&DataType::Utf8, &of_entries)?];
            let pairs = StructArray::try_new(fields.clone(), pairs, None)?;
            let offsets = OffsetBuffer::from_lengths(lengths);
            Arc::new(MapArray::try_new(entry.clone(), offsets, pairs, Some(nulls()), false)?)
        }
        other => return Err(ArrowError::SchemaError(format!("no column of a checkpoint: {other}"))),
    })
}

/// A column for each field, of that member of the objects.
fn members(fields: &Fields, objects: &[Option<&Value>]) -> Result<Vec<ArrayRef>, ArrowError> {
    let member = |field: &Arc<Field>| {
        let values: Vec<Option<&Value>> =
            objects.iter().map(|object| object.and_then(|object| object.get(field.name()))).collect();
        column(field.data_type(), &values)
    };
    fields.iter().map(member).collect()
}
