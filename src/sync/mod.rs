//! One sync run: the customer list and the customers' events are walked at the same time, go through the diff and
//! into the mirror.
//!
//! ```text
//! customer list ──pages──▶ store ──customers whose events are due──▶ event walks (up to `concurrency` at once)
//!                            │                                            │
//!                            └────────────────▶ writer ◀──────────────────┘   one thread, one transaction at a time
//! ```
//!
//! All channels are bounded: a slow mirror slows the requests down, and memory doesn't grow with the account.

mod account;
mod alone;
mod audit;
mod context;
mod customers;
mod dry_run;
mod events;
mod gone;
mod limits;
mod listing;
mod marks;
mod report;
mod reread;
mod run;
mod segments;
mod settling;
mod tally;
mod writer;

pub use dry_run::{DryRun, dry_run};
pub use report::{Audited, Failure, Report, Unread};
pub use run::{Finished, sync};

use crate::api::{ApiError, Client, KnownPaging, WalkError};
use crate::mirror::{MirrorError, Mode};
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
}

impl Scope {
    /// The mode under which the run is recorded.
    pub const fn mode(&self) -> Mode {
        match self {
            Scope::Full => Mode::Full,
            Scope::Incremental => Mode::Incremental,
            Scope::Customers(_) => Mode::Customers,
        }
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
}

/// What ends a run before its time.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// A list could not be read.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// The mirror could not be read or written.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// The API answers for another account than the mirror's. Nothing but this was written.
    #[error("this mirror holds account {mirrored}, but the API answers for account {answered}")]
    OtherAccount {
        /// The mirror's account.
        mirrored: String,
        /// The key's account.
        answered: String,
    },
    /// So many customers' events in a row could not be read that the server must be down.
    #[error("the events of {customers} customers in a row could not be read; the last one: {last}")]
    ServerDown {
        /// How many.
        customers: usize,
        /// The last error.
        last: Box<ApiError>,
    },
    /// A part of the program ended without a result.
    #[error("{what} crashed; this is a fault of malomo-mirror, please report it with the lines above")]
    Crashed {
        /// Which part.
        what: String,
    },
    /// The machine gave no thread for the writer.
    #[error("no thread could be started for writing the mirror: {source}; is a limit on processes too low?")]
    NoThread {
        /// What the system said.
        source: std::io::Error,
    },
    /// The writer ended because of an error that was reported elsewhere.
    #[error("the mirror's writer has stopped")]
    WriterStopped,
}

impl SyncError {
    /// The API's error behind it, if it is one.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            SyncError::Walk(error) => error.api(),
            SyncError::ServerDown { last, .. } => Some(last),
            _ => None,
        }
    }

    /// What to do now, where the error's text doesn't say so itself.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            SyncError::Walk(error) => Some(error.hint()),
            SyncError::ServerDown { last, .. } => Some(last.hint()),
            SyncError::OtherAccount { .. } => Some(
                "use the key of the mirror's account, or another mirror.path for this one; if this mirror is to become the \
                 other account's, run `sync --accept-account`",
            ),
            _ => None,
        }
    }

    /// The line for logs and for the mirror: without the vendor's message.
    pub fn log_form(&self) -> String {
        match self {
            SyncError::Walk(error) => error.log_form(),
            SyncError::ServerDown { customers, last } => format!(
                "the events of {customers} customers in a row could not be read; the last one: {}",
                last.log_form()
            ),
            _ => self.to_string(),
        }
    }
}

impl SyncError {
    fn crashed(error: tokio::task::JoinError) -> SyncError {
        SyncError::Crashed { what: format!("a task ({error})") }
    }
}

impl From<ApiError> for SyncError {
    fn from(error: ApiError) -> SyncError {
        SyncError::Walk(error.into())
    }
}
