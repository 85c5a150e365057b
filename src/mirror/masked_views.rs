//! Views of the mirror for queries that may see no more than a profile shows: `PROFILE_customers`, `PROFILE_events`, and
//! both with `_history`. They are there for one connection alone, which can read nothing else.
//!
//! Other programs don't find them in the mirror's file: a view that they could use would have to hold the pseudonyms, and
//! who can read the file sees the original anyway.

use super::tables;
use crate::masking::Masker;
use crate::record::{Stream, Value};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::hooks::{AuthAction, AuthContext};
use rusqlite::types::Value as Owned;
use rusqlite::{Connection, Error};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the views call: the stream, the column and its value. Nobody else may, who could try out whose a pseudonym is.
const FUNCTION: &str = "malomo_mirror_shown";

/// What a version of a record has beside its own columns, which tells nothing about a person.
const HISTORY: &str = "seq, op, valid_from, end_seq, valid_to, end_op";

/// Functions that are tables, and hold nothing of the mirror.
const TABLE_FUNCTIONS: [&str; 2] = ["json_each", "json_tree"];

/// What a connection may read that sees the mirror through a profile.
#[derive(Debug, Clone)]
pub(super) struct MaskedViews {
    names: BTreeSet<String>,
    /// The views that these read, and through which the tables may be read.
    inner: BTreeSet<String>,
}

impl MaskedViews {
    /// Adds the views to a connection.
    pub(super) fn add(connection: &Connection, masker: Arc<Masker>) -> rusqlite::Result<MaskedViews> {
        let prefix = masker.name().replace('-', "_");
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        connection.create_scalar_function(FUNCTION, 3, flags, move |given| shown(&masker, given))?;
        let mut views = MaskedViews { names: BTreeSet::new(), inner: BTreeSet::new() };
        for stream in Stream::ALL {
            let column = |(place, column): (usize, &crate::record::Column)| {
                let name = column.name;
                format!("{FUNCTION}({}, {place}, {name}) AS {name}", stream.index())
            };
            let columns: Vec<String> = stream.columns().iter().enumerate().map(column).collect();
            let columns = columns.join(", ");
            for (name, of, more) in [
                (format!("{prefix}_{stream}"), stream.to_string(), "change_seq"),
                (format!("{prefix}_{stream}_history"), format!("{stream}_history"), HISTORY),
            ] {
                connection.execute_batch(&format!(
                    "CREATE TEMP VIEW \"{name}\" AS SELECT {columns}, {more} FROM main.{of}"
                ))?;
                views.names.insert(name);
                views.inner.insert(of);
            }
        }
        Ok(views)
    }

    /// Whether there is a view of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Their names.
    pub(super) fn names(&self) -> Vec<String> {
        self.names.iter().cloned().collect()
    }

    /// Whether what a statement asks for goes through the views.
    pub(super) fn allow(&self, context: &AuthContext<'_>) -> bool {
        let is_through =
            context.accessor.is_some_and(|by| self.names.contains(by) || self.inner.contains(by));
        match context.action {
            // A table of which no column is read, since only rows are counted, is asked for by itself.
            AuthAction::Read { column_name: "", .. } => true,
            AuthAction::Read { table_name, .. } => {
                is_through || self.names.contains(table_name) || TABLE_FUNCTIONS.contains(&table_name)
            }
            AuthAction::Function { function_name } => {
                is_through || !function_name.eq_ignore_ascii_case(FUNCTION)
            }
            AuthAction::Pragma { .. } => false,
            _ => true,
        }
    }
}

fn shown(masker: &Masker, given: &Context<'_>) -> rusqlite::Result<Owned> {
    let (stream, column): (i64, i64) = (given.get(0)?, given.get(1)?);
    let stream = Stream::ALL.get(stream as usize).copied().ok_or(Error::InvalidQuery)?;
    let value = tables::value(given.get_raw(2))?;
    Ok(match masker.value(stream, column as usize, value).value() {
        Value::Null => Owned::Null,
        Value::Integer(number) => Owned::Integer(number),
        Value::Text(text) => Owned::Text(text.to_owned()),
    })
}
