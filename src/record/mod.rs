//! The vendor's records: what is documented of them is decoded strictly, everything else is kept to
//! the byte (`api-contract` point 8). What a column can't hold as it stands, such as half of an emoji, is repaired where
//! the rest of the record is good, and the repair is told.

mod customer;
mod decimal;
mod event;
mod fields;
mod id_set;
mod instant;
mod lone_surrogates;
mod repair;
mod stream;

pub use customer::Customer;
pub use event::Event;
pub use fields::{Rejection, peek_id, text};
pub use id_set::{FingerprintSet, IdSet, fingerprint};
pub use instant::{Instant, instant};
pub use repair::{Decoded, Repair, Repairs};
pub use stream::{Column, ColumnKind, Op, Stream, Value};

/// What customers and events have in common for the diff.
pub trait Record: PartialEq {
    /// The vendor's identifier: opaque, never empty.
    fn id(&self) -> &str;
    /// `updated_at` as the API gave it.
    fn updated_at(&self) -> Option<&str>;
}
