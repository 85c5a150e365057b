//! What an erasure did to a folder's files, for its receipt.

use crate::export::layout::{Kind, in_folder};
use crate::export::manifest::ManifestLine;
use serde::{Deserialize, Serialize};

/// What was done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// It was written again, without the person.
    Rewritten,
    /// It was removed.
    Removed,
    /// It had been written again before this erasure was cut off.
    RewrittenBefore,
}

/// A file that held something of an erased person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedFile {
    /// Relative to the export folder.
    pub path: String,
    /// What was done to it.
    pub done: Done,
    /// Rows of the person that it had.
    pub records: u64,
    /// Its size before, and the digest, lower-case hex; `None` where that isn't known any more.
    pub bytes_before: Option<u64>,
    /// As above.
    pub sha256_before: Option<String>,
    /// Its size now, and the digest; `None` where it is gone.
    pub bytes: Option<u64>,
    /// As above.
    pub sha256: Option<String>,
}

/// What was done in an export folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedFolder {
    /// Where it is.
    pub dir: String,
    /// How many files its manifests name.
    pub searched: u64,
    /// The files that were changed.
    pub files: Vec<ErasedFile>,
    /// Files that may hold the person, and that this build can't write: of formats that it doesn't have.
    pub not_written: Vec<String>,
    /// Files that the manifests don't name and that have no name of this program's: nobody looked into them.
    pub others: Vec<String>,
}

impl ErasedFile {
    pub(super) fn removed(
        path: String,
        bytes_before: Option<u64>,
        sha256_before: Option<String>,
    ) -> ErasedFile {
        ErasedFile {
            path,
            done: Done::Removed,
            records: 0,
            bytes_before,
            sha256_before,
            bytes: None,
            sha256: None,
        }
    }

    /// As the manifest announces it now, whatever it was before.
    pub(super) fn announced(kind: Kind, line: &ManifestLine, done: Done) -> ErasedFile {
        ErasedFile {
            path: in_folder(kind, &line.path),
            done,
            records: 0,
            bytes_before: None,
            sha256_before: None,
            bytes: Some(line.bytes),
            sha256: Some(line.sha256.clone()),
        }
    }
}
