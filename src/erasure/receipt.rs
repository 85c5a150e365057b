//! What an erasure leaves behind as its proof. It names nobody: what was asked for stands there as tokens.
//!
//! Receipts are a chain: each has the digest of the one before it, and a signature under the erasure key.

use super::error::ErasureError;
use crate::export::ErasedFolder;
use crate::mirror::{ErasedPlace, ErasureKey, Expired, Identifier};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The receipt of an erasure; also the JSON result of `erase`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The erasure's number, `erasures.id`.
    pub erasure: i64,
    /// Whose mirror it is.
    pub mirror_id: String,
    /// When the mirror forgot the persons: UTC, ISO 8601.
    pub requested_at: String,
    /// When the erasure ended; `None`: something is left to do, and the next `erase` does it.
    pub ended_at: Option<String>,
    /// As given.
    pub reason: Option<String>,
    /// What was asked for.
    pub asked: Vec<AskedFor>,
    /// Tokens of the customers that were found.
    pub persons: Vec<String>,
    /// Of these, whom the vendor's API deleted as well: tokens.
    pub deleted_at_vendor: Vec<String>,
    /// What went because it had expired, by rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expired: Vec<Expired>,
    /// What went from the mirror, by table.
    pub mirror: Vec<ErasedPlace>,
    /// Lines of the change log that say `erase` now.
    pub changes: u64,
    /// Whether the mirror's file was written anew since, and its write-ahead log emptied, so that no deleted byte is
    /// left there.
    pub file_rewritten: bool,
    /// The mirror's file as it was written anew: its size.
    pub file_bytes: Option<u64>,
    /// What was done in each export folder.
    pub exports: Vec<ErasedFolder>,
    /// Rows of others that hold an address, a number or an id of the persons. They were left as they are.
    pub elsewhere: Vec<Elsewhere>,
    /// What could not be reached, and what to do about it.
    pub unreached: Vec<Unreached>,
    /// The digest of the receipt before this one, lower-case hex; `None`: it is the first, or that one is gone.
    pub previous: Option<String>,
    /// HMAC-SHA256 under the erasure key over this receipt with an empty signature, as compact JSON; hex.
    pub signature: String,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedFor {
    /// What it is.
    pub identifier: Identifier,
    /// Its token.
    pub token: String,
}

/// Rows of others that hold what names an erased person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// How many rows.
    pub records: u64,
}

/// A place that could not be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreached {
    /// Which.
    pub what: String,
    /// What to do about it.
    pub what_to_do: String,
}

impl Receipt {
    /// Reads a receipt and checks its signature.
    ///
    /// # Errors
    /// When the file can't be read, is no receipt, or was changed since it was signed.
    pub fn read(path: &Path, key: &ErasureKey) -> Result<Receipt, ErasureError> {
        let text = std::fs::read(path).map_err(ErasureError::io("read", path))?;
        let wrong = |what: String| ErasureError::NoReceipt { path: path.to_owned(), what };
        let receipt: Receipt = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        if receipt.signed(key)? != receipt.signature {
            return Err(wrong("its signature is not the one that the key of this mirror gives".to_owned()));
        }
        Ok(receipt)
    }

    /// The signature that it is to have.
    pub(super) fn signed(&self, key: &ErasureKey) -> Result<String, ErasureError> {
        let unsigned = Receipt { signature: String::new(), ..self.clone() };
        let text = serde_json::to_vec(&unsigned).map_err(|error| ErasureError::Io {
            action: "signed",
            path: PathBuf::from("the receipt"),
            source: error.into(),
        })?;
        Ok(key.sign(&text))
    }
}
