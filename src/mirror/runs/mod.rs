//! What the mirror remembers of sync runs: their outcomes and counts, the checkpoint of an interrupted walk, the page
//! tokens that the next walk may begin at, the audits, and how current each stream is.
//!
//! In: what a run reports. Out: what the next run, `status`, and the daemon's metrics ask for.
//!
//! Nothing here changes a row of a stream or writes to the change log.

mod audits;
mod checkpoints;
mod records;
mod saved_tokens;
mod status;

pub use audits::{Audit, AuditFinding, DrawnParents, Drift};
pub use checkpoints::Checkpoint;
pub use records::{Counts, Mode, Outcome, Run, RunError, StreamCounts};
pub use saved_tokens::SavedToken;
pub use status::{EventFailure, Freshness};
