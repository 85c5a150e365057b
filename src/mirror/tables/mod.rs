//! What the mirror holds of the API: customers, events, the account, what was found out about paging, records that could
//! not be taken, and the export files that were published.
//!
//! In: decoded records, and decisions of `diff`. Out: rows, each with its line in the change log, and counts of what
//! changed. A file has the statements of one table, as methods of [`Batch`](super::Batch) and
//! [`Snapshot`](super::Snapshot).
//!
//! No file here begins or commits a transaction, and none asks for the time.

mod account;
mod behaviour;
mod customer_lookup;
mod customer_rows;
mod customers;
mod events;
mod exports;
mod missing_events;
mod rejected;
mod row_set;

pub use account::{Account, Doubt};
pub use behaviour::Behaviour;
pub(in crate::mirror) use customer_rows::stored_customer;
pub use customers::{CustomerPreview, CustomersApplied, MirroredCustomer};
pub use events::EventsApplied;
pub use exports::{ExportFile, ExportFolder};
pub use rejected::{Aside, AsideInRun, Met, RejectedRecord, SetAside};
pub use row_set::RowSet;
