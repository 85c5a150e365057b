//! The tables, views and export files that have the columns of a stream. They follow from its declaration.

use super::entry::{Column, Table, integer, table, text, utc, view};
use crate::record::Personal::{DirectIdentifier, FreeText};
use crate::record::{self, Op, Stream};

/// Every operation.
pub(super) const OPS: &[&str] = &[Op::Insert.name(), Op::Update.name(), Op::Delete.name(), Op::Erase.name()];

/// The columns of a stream's export files, in order.
pub fn exported(stream: Stream) -> Vec<Column> {
    let mut columns = vec![
        integer(
            "_seq",
            "The change's number; no two rows of the mirror's exports of a stream have the same.",
        )
        .key(),
        text("_op", "What happened; insert and update give the whole row, delete its keys alone.")
            .not_null()
            .one_of(OPS),
        utc("_observed_at", "When the mirror took the change.").not_null(),
    ];
    columns.extend(stream.columns().iter().map(|declared| {
        let column = of_record(stream, declared);
        // Events that were deleted before the mirror noted their customer have an `id` alone.
        Column { key: false, nullable: declared.name != ID, ..column }
    }));
    columns
}

/// The columns of a stream's Parquet files, in order: those of its other export files, and behind each time the instant that
/// it names.
pub fn exported_as_parquet(stream: Stream) -> Vec<Column> {
    let of_texts = utc_times();
    let mut columns = Vec::new();
    for column in exported(stream) {
        let name = column.name.clone();
        columns.push(column);
        if name == "timestamp" {
            columns.push(occurred_at());
        }
        columns.extend(of_texts.iter().find(|utc| utc.name == format!("{name}_utc")).cloned());
    }
    columns
}

/// What names a record.
const ID: &str = "id";

/// A column of a stream's table.
fn of_record(stream: Stream, declared: &record::Column) -> Column {
    let column = Column::from(declared);
    match stream.parent() {
        _ if declared.name == ID => column.key(),
        Some(parent) if declared.name == stream.parent_key() => {
            column.not_null().of_mostly(parent.name(), ID)
        }
        _ => column,
    }
}

/// The columns of a stream's table that its records have, without some of them.
pub(super) fn of_table(stream: Stream, without: &[&str]) -> Vec<Column> {
    let kept = stream.columns().iter().filter(|column| !without.contains(&column.name));
    kept.map(|column| of_record(stream, column)).collect()
}

/// The times of a record in a form that can be compared.
pub(super) fn utc_times() -> [Column; 2] {
    [
        utc("created_at_utc", "created_at in UTC; NULL where its form is unknown."),
        utc("updated_at_utc", "updated_at in UTC; NULL where its form is unknown."),
    ]
}

pub(super) fn occurred_at() -> Column {
    utc("occurred_at", "When it happened: timestamp in UTC.")
}

/// The times of a stream's records in a form that can be compared.
fn comparable_times(stream: Stream) -> impl Iterator<Item = Column> {
    let of_events = stream.columns().iter().any(|column| column.name == "timestamp").then(occurred_at);
    of_events.into_iter().chain(utc_times())
}

/// The columns of a stream as a version of a record has them: several rows may have the same `id`.
fn of_version(stream: Stream) -> impl Iterator<Item = Column> {
    stream.columns().iter().map(move |declared| Column { key: false, ..of_record(stream, declared) })
}

/// The stream's table, and the views and the technical table beside it.
pub(super) fn tables(stream: Stream) -> [Table; 4] {
    [current(stream), history(stream), deleted(stream), superseded(stream)]
}

fn current(stream: Stream) -> Table {
    let mut columns: Vec<_> = stream.columns().iter().map(|column| of_record(stream, column)).collect();
    columns.extend([
        integer("inserted_seq", "The change that inserted the row.").not_null().unique().of("changes", "seq"),
        utc("inserted_at", "When the mirror took that change.").not_null(),
        integer("inserted_run", "The run that did; its row goes when it is old.")
            .not_null()
            .of_mostly("sync_runs", "id"),
        integer("change_seq", "The row's newest change.").not_null().of("changes", "seq"),
    ]);
    match stream.parent() {
        None => columns.extend(looks()),
        Some(_) => columns.extend(missing()),
    }
    let about = format!("{}, exactly as the API holds them now.", all_of(stream));
    table(stream.name(), about, columns)
}

/// What a stream's table holds.
pub(super) fn all_of(stream: Stream) -> String {
    match stream.parent() {
        None => format!("The account's {stream}"),
        Some(parents) => format!("The {stream} of all {parents}"),
    }
}

/// What is known of looks at a customer's events.
fn looks() -> [Column; 4] {
    [
        utc(
            "events_checked_at",
            "When the customer's events were last read to their end; NULL: the next run is to.",
        ),
        integer(
            "events_looked_at",
            "When the last look at the customer's events was, by the server's clock.",
        )
        .unit("Unix seconds"),
        text(
            "newest_event",
            "The kind of the customer's newest event, as in event_rates; 'none': there is none.",
        ),
        integer("newest_event_at", "When that event came; without any, when the customer was created.")
            .unit("Unix seconds"),
    ]
}

/// What is known of events that their lists lack.
fn missing() -> [Column; 2] {
    [
        missing_since(),
        integer("missing_run", "The newest run whose complete walk lacked it.").of_mostly("sync_runs", "id"),
    ]
}

pub(super) fn missing_since() -> Column {
    utc(
        "missing_since",
        "Since when complete walks of the customer's events lack it; NULL: the newest listed it.",
    )
}

fn history(stream: Stream) -> Table {
    let about = format!(
        "Every known version of every {}. As of change S: seq <= S AND (end_seq IS NULL OR end_seq > S).",
        stream.singular()
    );
    let mut columns: Vec<_> = of_version(stream).collect();
    columns.extend([
        integer("seq", "The change that began the version.").key().of("changes", "seq"),
        text("op", "What that change was.").not_null().one_of(&["insert", "update"]),
        utc("valid_from", "When the mirror took that change.").not_null(),
        integer("end_seq", "The change that ended the version; NULL: it is current.").of("changes", "seq"),
        utc("valid_to", "When the mirror took that change; NULL: the version is current."),
        text("end_op", "What that change was; NULL: the version is current.").one_of(&["update", "delete"]),
    ]);
    columns.extend(comparable_times(stream));
    view(format!("{stream}_history"), about, columns)
}

fn deleted(stream: Stream) -> Table {
    let about = format!(
        "The {stream} that were deleted and didn't come back, as they last stood. All but id may be NULL where the last \
         version isn't known."
    );
    let columns = stream.columns().iter().map(|declared| match of_record(stream, declared) {
        id if id.key => Column { key: false, unique: true, ..id },
        other => Column { nullable: true, references: None, ..other },
    });
    let mut columns: Vec<_> = columns.collect();
    columns.extend([
        integer("deleted_seq", "The change that deleted the record.").key().of("changes", "seq"),
        utc("deleted_at", "When the mirror took that change.").not_null(),
        integer("run_id", "The run that did; its row goes when it is old.")
            .not_null()
            .of_mostly("sync_runs", "id"),
        text("evidence", "What proved that the record was gone."),
    ]);
    columns.extend(comparable_times(stream));
    view(format!("{stream}_deleted"), about, columns)
}

fn superseded(stream: Stream) -> Table {
    let about = format!("Versions of {stream} that a change has ended; {stream}_history has them too.");
    let mut columns = vec![
        integer("end_seq", "The change that ended the version.").key().of("changes", "seq"),
        integer("seq", "The change that began it.").not_null().of("changes", "seq"),
        integer("inserted_seq", "The change that inserted the row.").not_null().of("changes", "seq"),
        utc("valid_from", "When the mirror took the change that began it.").not_null(),
    ];
    columns.extend(of_version(stream));
    table(format!("{stream}_superseded"), about, columns).technical()
}

/// The change log.
pub(super) fn changes() -> Table {
    view(
        "changes",
        "Every insert, update and delete that reached the mirror. Ask for a range of seq, and sort by it, where you can.",
        log_lines(),
    )
}

/// The lines of the change log that no row is itself.
pub(super) fn change_log() -> Table {
    table(
        "change_log",
        "The lines of the change log, but for the inserts of rows that are there: those rows are their lines.",
        log_lines(),
    )
    .technical()
}

fn log_lines() -> Vec<Column> {
    vec![
        integer("seq", "The change's number; it only grows, and is never reused.").key(),
        text("stream", "Of which stream the record is.").not_null().one_of(Stream::NAMES),
        text("op", "What happened to the record.").not_null().one_of(OPS),
        text("id", "The record's identifier.").not_null().personal(DirectIdentifier),
        utc("observed_at", "When the mirror took the change.").not_null(),
        integer("run_id", "The run that took it; its row goes when it is old.")
            .not_null()
            .of_mostly("sync_runs", "id"),
        text("evidence", "For a delete, what proved it."),
        text("customer_id", "Of a deleted event, whose it was.").personal(DirectIdentifier),
    ]
}

/// What updates changed.
pub(super) fn field_changes() -> Table {
    view(
        "field_changes",
        "Each field that an update changed, with its value before and after.",
        vec![
            integer("seq", "The update.").key().of("changes", "seq"),
            text("stream", "Of which stream the record is.").not_null().one_of(Stream::NAMES),
            text("id", "The record's identifier.").not_null().personal(DirectIdentifier),
            text("column_name", "The field.").key(),
            text("old_value", "Its value before.").personal(FreeText),
            text("new_value", "Its value after.").personal(FreeText),
            utc("observed_at", "When the mirror took the change.").not_null(),
        ],
    )
}
