//! What ends a run before its time.

use crate::api::{ApiError, WalkError};
use crate::mirror::MirrorError;

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

    /// The line for those outside this machine: without anything that tells one customer or account from another.
    pub fn outline(&self) -> String {
        match self {
            SyncError::Walk(error) => error.outline(),
            SyncError::ServerDown { customers, last } => format!(
                "the events of {customers} customers in a row could not be read; the last one: {}",
                last.outline()
            ),
            SyncError::OtherAccount { .. } => {
                "the API answers for another account than the mirror's".to_owned()
            }
            _ => self.to_string(),
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
    pub(super) fn crashed(error: tokio::task::JoinError) -> SyncError {
        SyncError::Crashed { what: format!("a task ({error})") }
    }
}

impl From<ApiError> for SyncError {
    fn from(error: ApiError) -> SyncError {
        SyncError::Walk(error.into())
    }
}
