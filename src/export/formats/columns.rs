//! The columns of export files.

use crate::record::Stream;

/// What stands before a stream's own columns in every row.
pub(in crate::export) const CHANGE_COLUMNS: [&str; 3] = ["_seq", "_op", "_observed_at"];

/// What a row tells, in the order of a stream's files: what of a format's own it adds is the format's to say.
pub(super) fn columns(stream: Stream) -> impl Iterator<Item = &'static str> {
    CHANGE_COLUMNS.into_iter().chain(stream.columns().iter().map(|column| column.name))
}
