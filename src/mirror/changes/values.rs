//! How a change and its row's values are read.

use crate::masking::Masked;
use crate::mirror::{MirrorError, Snapshot, tables};
use crate::record::{Op, Stream, Value};
use rusqlite::Row;
use rusqlite::types::ValueRef;
use std::ops::Deref;

/// A change of the log with what the row holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// Its number.
    pub seq: i64,
    /// What happened.
    pub op: Op,
    /// UTC, ISO 8601.
    pub observed_at: &'a str,
    /// Of the row.
    pub id: &'a str,
    /// The row in the order of [`Stream::columns`]; for a delete its keys and otherwise NULL.
    pub row: Option<&'a [Value<'a>]>,
}

impl Snapshot<'_> {
    /// Hands over what is shown of a change. Of an erased person nothing is left to hide.
    pub(super) fn show<R>(
        &self,
        stream: Stream,
        change: Change<'_>,
        read: impl FnOnce(Change<'_>) -> R,
    ) -> R {
        let Some(masker) = self.masker().filter(|_| change.op != Op::Erase) else { return read(change) };
        let row: Option<Vec<Masked<'_>>> = change.row.map(|row| {
            row.iter().enumerate().map(|(column, value)| masker.value(stream, column, *value)).collect()
        });
        let row: Option<Vec<Value<'_>>> = row.as_ref().map(|row| row.iter().map(Masked::value).collect());
        // A row begins with its id.
        let alone = row.is_none().then(|| masker.value(stream, 0, Value::Text(change.id)));
        let id = alone.as_ref().map(Masked::value).or_else(|| row.as_ref()?.first().copied());
        read(Change { id: id.and_then(Value::as_text).unwrap_or_default(), row: row.as_deref(), ..change })
    }
}

/// A line of the log, without its row.
pub(super) fn read_change<'r>(row: &'r Row<'_>) -> Result<Change<'r>, MirrorError> {
    Ok(Change {
        seq: row.get(0)?,
        op: Op::from_name(text(row, 1)?).ok_or_else(|| MirrorError::unreadable("a change's op"))?,
        observed_at: text(row, 2)?,
        id: text(row, 3)?,
        row: None,
    })
}

/// The stream's columns for a SELECT, each with `prefix` before its name.
pub(super) fn columns(stream: Stream, prefix: &str) -> String {
    let names: Vec<String> =
        stream.columns().iter().map(|column| format!("{prefix}{}", column.name)).collect();
    names.join(", ")
}

pub(super) fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r str, MirrorError> {
    row.get_ref(column)?.as_str().map_err(|_| MirrorError::unreadable("text that is no text"))
}

/// The values of a row, in the order of [`Stream::columns`].
pub(super) struct Values<'r> {
    values: [Value<'r>; MOST_COLUMNS],
    count: usize,
}

/// No stream has more columns.
const MOST_COLUMNS: usize = {
    let (mut most, mut place) = (0, 0);
    while place < Stream::ALL.len() {
        let columns = Stream::ALL[place].columns().len();
        most = if columns > most { columns } else { most };
        place += 1;
    }
    most
};

impl<'r> Deref for Values<'r> {
    type Target = [Value<'r>];

    fn deref(&self) -> &[Value<'r>] {
        self.values.get(..self.count).unwrap_or(&self.values)
    }
}

/// What is left of a deleted record: its keys, and NULL in all other columns. `parent` is the index of the parent's key in the
/// line.
pub(super) fn read_keys<'r>(
    line: &'r Row<'_>,
    stream: Stream,
    id: &'r str,
    parent: usize,
) -> Result<Values<'r>, MirrorError> {
    let mut values = Values { values: [Value::Null; MOST_COLUMNS], count: stream.columns().len() };
    for (key, value) in stream.keys().iter().zip(&mut values.values) {
        *value = match key.name {
            "id" => Value::Text(id),
            _ => match line.get_ref(parent)? {
                ValueRef::Null => Value::Null,
                _ => Value::Text(text(line, parent)?),
            },
        };
    }
    Ok(values)
}

/// The values of a row whose columns begin at `first`.
pub(super) fn read_values<'r>(
    row: &'r Row<'_>,
    stream: Stream,
    first: usize,
) -> Result<Values<'r>, MirrorError> {
    let count = stream.columns().len();
    let mut values = [Value::Null; MOST_COLUMNS];
    for (n, value) in values.iter_mut().enumerate().take(count) {
        *value = tables::value(row.get_ref(first + n)?).map_err(|_| {
            MirrorError::unreadable(format!(
                "a value in {stream} that is neither a number nor a text in UTF-8"
            ))
        })?;
    }
    Ok(Values { values, count })
}
