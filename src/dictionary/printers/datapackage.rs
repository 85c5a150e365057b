//! A Frictionless Data Package: `datapackage.json` in the export folder.
//!
//! A package's resources name their files. The files of an export folder become more for years, and a list of
//! them would be written anew with each export: the manifest is that list, which grows at its end. So the
//! manifest is the one resource, and beside it `streams` has a table schema for each stream, and a dialect for
//! each format, for the files that the manifest names.

use super::json::pretty;
use super::selection::Selection;
use crate::dictionary::{Column, Kind, exported, exported_as_parquet};
use crate::record::Stream;
use serde_json::{Map, Value, json};

pub(super) fn print(selection: &Selection) -> String {
    let streams: Vec<Value> = selection.streams.iter().map(|one| stream(*one)).collect();
    pretty(&json!({
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": "malomo-mirror-exports",
        "title": "Changes of a Malomo account's customers and events",
        "description": "manifest.ndjson names every file, oldest first, with its stream, format, compression and digest. \
                        Replayed in their order, the files of a stream give its records: for each id the row with the \
                        greatest _seq counts, unless its _op is delete or erase.",
        "resources": [{
            "name": "manifest",
            "path": "manifest.ndjson",
            "format": "ndjson",
            "mediatype": "application/x-ndjson",
            "encoding": "utf-8",
            "schema": {"fields": manifest(), "fieldsMatch": "subset"},
        }],
        "streams": streams,
    }))
}

fn stream(stream: Stream) -> Value {
    let columns = exported(stream);
    let added: Vec<Value> = exported_as_parquet(stream)
        .iter()
        .filter(|column| !columns.iter().any(|other| other.name == column.name))
        .map(field)
        .collect();
    let key: Vec<&str> =
        columns.iter().filter(|column| column.key).map(|column| column.name.as_ref()).collect();
    json!({
        "name": stream,
        "files": format!("the lines of manifest.ndjson whose stream is {stream}"),
        "schema": {
            "fields": columns.iter().map(field).collect::<Vec<_>>(),
            "primaryKey": key,
        },
        "formats": {
            "csv": {
                "encoding": "utf-8",
                "dialect": {
                    "delimiter": ",", "lineTerminator": "\r\n", "quoteChar": "\"", "doubleQuote": true, "header": true,
                },
                "null": "an empty field without quotes; \"\" is the empty string",
            },
            "ndjson": {"encoding": "utf-8"},
            "parquet": {"added": added},
        },
    })
}

fn field(column: &Column) -> Value {
    let kind = match column.kind {
        Kind::Integer => "integer",
        Kind::Json => "any",
        Kind::Time if super::sql::is_own_time(column) => "datetime",
        _ => "string",
    };
    let mut field = Map::from_iter([
        ("name".to_owned(), Value::from(column.name.as_ref())),
        ("type".to_owned(), kind.into()),
        ("description".to_owned(), column.about.as_ref().into()),
        ("personal".to_owned(), json!(column.personal)),
    ]);
    let mut constraints = Map::new();
    if !column.nullable {
        constraints.insert("required".to_owned(), true.into());
    }
    if column.key {
        constraints.insert("unique".to_owned(), true.into());
    }
    if !column.values.is_empty() {
        constraints.insert("enum".to_owned(), json!(column.values));
    }
    if !constraints.is_empty() {
        field.insert("constraints".to_owned(), Value::Object(constraints));
    }
    Value::Object(field)
}

/// What a reader of the manifest needs most; `docs/exports.md` has all of it.
fn manifest() -> Value {
    let field =
        |name: &str, kind: &str, about: &str| json!({"name": name, "type": kind, "description": about});
    json!([
        field("stream", "string", "The stream."),
        field("format", "string", "csv, ndjson or parquet."),
        field("compression", "string", "none, gzip or zstd."),
        field("path", "string", "Where the file lies, below this folder."),
        field("first_seq", "integer", "The first change that the file covers."),
        field("last_seq", "integer", "The last change that it covers."),
        field("rows", "integer", "Its rows, without a header line."),
        field("bytes", "integer", "Its size."),
        field("sha256", "string", "Its digest as it lies there, in hex."),
    ])
}
