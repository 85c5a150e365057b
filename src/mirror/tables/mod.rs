//! What the mirror holds of the API: the streams' records, the account, what was found out about paging, records that could
//! not be taken, and the export files that were published.
//!
//! In: decoded records, and decisions of `diff`. Out: rows, each with its line in the change log, and counts of what
//! changed. A file has the statements of one table, as methods of [`Batch`](super::Batch) and
//! [`Snapshot`](super::Snapshot).
//!
//! No file here begins or commits a transaction, and none asks for the time.

mod account;
mod behaviour;
mod children;
mod exports;
mod hints;
mod looks;
mod lookup;
mod missing;
mod parents;
mod records;
mod rejected;
mod superseded;

pub use account::{Account, Doubt};
pub use behaviour::Behaviour;
pub use children::{ChildrenApplied, Doubts};
pub use exports::{ExportFile, ExportFolder};
pub use hints::{HintMark, Hints, UnmatchedShape};
pub use looks::{LookResults, Now, SignalCount};
pub use parents::{Due, DueParent, MirroredParent, ParentPreview, ParentsApplied};
pub use records::{Applied, Stored};
pub(in crate::mirror) use records::{read_record, value};
pub(in crate::mirror) use rejected::stream_at;
pub use rejected::{Aside, AsideInRun, Met, RejectedRecord, SetAside};
pub use superseded::HistoryReach;
