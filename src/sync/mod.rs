//! One sync run. For each parent stream, its list and the lists of its children are walked at the same time: the customer
//! list and the customers' events. The records go through the diff into the mirror.
//!
//! ```text
//! parents' list ──pages──▶ store ──parents whose children are due──▶ walks of their lists (up to `concurrency` at once)
//!                            │                                            │
//!                            └────────────────▶ writer ◀──────────────────┘   one thread, one transaction at a time
//! ```
//!
//! All channels are bounded: a slow mirror slows the requests down, and memory doesn't grow with the account.
//!
//! In: an open mirror, a client, settings and a scope. Out: the mirror with everything committed, and a report. Nothing here
//! writes SQL, prints, or deletes a record before the end of the run.

mod account;
mod audit;
mod child_lists;
mod context;
mod counters;
mod decoded_records;
mod dry_run;
mod error;
mod finalize;
mod first_load;
mod limits;
mod looks;
mod parent_list;
mod pending_deletions;
mod report;
mod run;
mod writer;

pub use dry_run::{DryRun, dry_run};
pub use error::SyncError;
pub use looks::EventBudget;
pub use report::{Audited, Failure, Report, Unread};
pub use run::{Finished, sync};

use crate::api::{Client, KnownPaging};
use crate::diff::Retention;
use crate::mirror::{Mode, Turns};
use crate::observe::Observer;
use jiff::SignedDuration;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How a run works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Event walks at once; the client bounds the requests in flight by itself.
    pub concurrency: usize,
    /// In an incremental sync, every customer's events are looked at again at least this often; zero: always.
    pub events_max_age: SignedDuration,
    /// In an incremental sync, how many further customers' events are looked at.
    pub event_budget: EventBudget,
    /// The largest share of the mirrored customers that one run may take as deleted.
    pub deletion_limit: f64,
    /// An event is deleted when complete walks in two runs lack it that are at least this far apart; zero: when two walks
    /// of one run do.
    pub deletion_wait: SignedDuration,
    /// Whoever the API answers for is the mirror's account from now on.
    pub accept_account: bool,
    /// An interrupted walk that began longer ago than this starts again.
    pub resume_max_age: SignedDuration,
    /// Customers that are read again one by one at the end of a walk of the whole list, and compared; 0: none.
    pub audit: u64,
    /// The largest share of the customers compared that may have drifted before the run counts as incomplete.
    pub drift_limit: f64,
    /// What has been kept for longer, and the mirror lacks, is not taken.
    pub retention: Retention,
    /// The API's address, to tell whether findings and checkpoints are about the same server.
    pub base_url: String,
}

/// What a run syncs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything: every customer's events.
    Full,
    /// The customer list, and the events that are due.
    Incremental,
    /// These customers alone, with their events.
    Customers(Vec<String>),
    /// The customers that webhooks have hinted at, with their events.
    Hinted,
}

impl Scope {
    /// The mode under which the run is recorded.
    pub const fn mode(&self) -> Mode {
        match self {
            Scope::Full => Mode::Full,
            Scope::Incremental => Mode::Incremental,
            Scope::Customers(_) => Mode::Customers,
            Scope::Hinted => Mode::Hinted,
        }
    }

    /// Whether it walks the whole customer list.
    pub(crate) const fn is_of_the_list(&self) -> bool {
        matches!(self, Scope::Full | Scope::Incremental)
    }
}

/// What a run works with.
#[derive(Clone)]
pub struct Tools {
    /// The API.
    pub client: Client,
    /// What is known of its paging; what the mirror remembers is added at the start.
    pub known: KnownPaging,
    /// Hears of everything as it happens.
    pub observer: Arc<dyn Observer>,
    /// Cancelled when the run is to stop: it then stops after what is being committed.
    pub stop: CancellationToken,
    /// Shared with those who write the mirror beside the run.
    pub turns: Turns,
}
