//! The mirror: a SQLite database in WAL mode that analysts read while it is written, with its change log and the
//! checkpoints of walks. All SQL of the project stands in this module; the schema's text stands in `schema/`.
//!
//! A [`Mirror`] is the one connection that writes. Writing goes through a [`Batch`], one transaction: what is in it
//! is durable when [`Batch::commit`] returns, and gone as a whole if it doesn't. Reading for exports goes through a
//! [`Snapshot`], one read transaction. Beside that, hints of webhooks come in through a [`HintWriter`], and
//! [`derive_beside`] writes what is derived from events.

mod changes;
mod connection;
mod database;
mod derived;
mod erasures;
mod error;
mod first_load;
mod hints;
mod lock;
mod maintenance;
mod masked_views;
mod publish;
mod query;
mod report;
mod runs;
mod tables;
mod tombstones;
mod transaction;
mod turns;

pub use changes::{Change, History, Logged, RecordChange};
pub use connection::Mirror;
pub use database::{Unusable, is_there};
pub use derived::{EventTypeView, derive_beside};
pub use erasures::{Asked, Erased, ErasedChange, ErasedPlace, Erasure, Expired, KeptOut, Person};
pub use error::{MirrorError, is_disk_full};
pub use first_load::Loaded;
pub use hints::{HintWriter, Taken};
pub use lock::{Holder, LockError, RunLock, holder};
pub use maintenance::{Wal, checkpoint_beside, sizes};
pub use publish::{Published, PublishedRows};
pub use query::{Cell, Queries, QueryError, Rows};
pub use report::{BEFORE_1970, ChangeCount, EventWeeks, OrderStep, OrderSteps, RunDay, WEEK, week};
pub use runs::{
    Audit, AuditFinding, Checkpoint, Counts, DrawnParents, Drift, EventFailure, Freshness, Mode, Outcome,
    Run, RunError, SavedToken, StreamCounts,
};
pub use tables::{
    Account, Applied, Aside, AsideInRun, Behaviour, ChildrenApplied, Doubt, Doubts, Due, DueParent,
    ExportFile, ExportFolder, HintMark, Hints, HistoryReach, LookResults, Met, MirroredParent, Now,
    ParentPreview, ParentsApplied, RejectedRecord, SetAside, SignalCount, Stored, UnmatchedShape,
};
pub use tombstones::{ErasureKey, Identifier, Token};
pub use transaction::{Batch, Halt, RunId, Snapshot, Stamp};
pub(crate) use turns::LEAST as LEAST_TURN;
pub use turns::{Turn, Turns};
