//! The vendor's records: what is documented of them is decoded strictly, everything else is kept to
//! the byte (`api-contract` point 8). What a column can't hold as it stands, such as half of an emoji, is repaired where
//! the rest of the record is good, and the repair is reported.
//!
//! Which streams there are, and what each one's records hold, stands in `stream` alone.

mod column;
mod decimal;
mod fields;
mod id_set;
mod identifiers;
mod instant;
mod lone_surrogates;
mod members;
#[expect(clippy::module_inception, reason = "the module of the type")]
mod record;
mod repair;
mod row_set;
mod stream;

pub use column::{Column, ColumnKind, Op, Personal, Value};
pub use fields::{Rejection, peek_id, text};
pub use id_set::{FingerprintSet, IdSet, fingerprint};
pub use identifiers::{digits, folded};
pub use instant::{Instant, instant};
pub use members::members;
pub use record::Record;
pub use repair::{Decoded, Repair, Repairs};
pub use row_set::RowSet;
pub use stream::Stream;

/// What a list's records have in common, however they are decoded.
pub trait Keyed {
    /// The vendor's identifier: opaque, never empty.
    fn id(&self) -> &str;
}
