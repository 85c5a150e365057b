//! The columns of export files.

use crate::record::Stream;

/// What stands before a stream's own columns in every row.
pub(in crate::export) const CHANGE_COLUMNS: [&str; 3] = ["_seq", "_op", "_observed_at"];

/// The columns of a stream's files, in order.
pub(in crate::export) fn columns(stream: Stream) -> impl Iterator<Item = &'static str> {
    CHANGE_COLUMNS.into_iter().chain(stream.columns().iter().map(|column| column.name))
}
