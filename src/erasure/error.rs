//! What can go wrong with an erasure.

use crate::export::ExportError;
use crate::mirror::MirrorError;
use std::io;
use std::path::{Path, PathBuf};

/// An error of an erasure. Whatever it is, what the mirror has forgotten stays forgotten, and the next `erase` goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErasureError {
    /// The mirror can't be read or written.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// An export folder can't be read or written.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A receipt, or a file that was to be searched, can't be read or written.
    #[error("{} can't be {action}: {source}", path.display())]
    Io {
        /// What was tried, such as "written".
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A receipt is not what this program wrote.
    #[error("{} is no receipt of this mirror: {what}", path.display())]
    NoReceipt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl ErasureError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ErasureError {
        let path = path.to_owned();
        move |source| ErasureError::Io { action, path, source }
    }
}
