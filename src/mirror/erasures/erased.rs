//! What an erasure did to the mirror, as the table `erasures` keeps it for the receipt. It names nobody.

use crate::mirror::tombstones::Identifier;
use serde::{Deserialize, Serialize};

/// What an erasure took out of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedPlace {
    /// The table.
    pub table: String,
    /// Rows that went, or lost what they named.
    pub records: u64,
    /// Bytes of their values.
    pub bytes: u64,
}

/// What an erasure did to the mirror.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// What was asked for, as tokens, with what they stand for.
    pub asked: Vec<(Identifier, String)>,
    /// Tokens of the customers that were erased.
    pub persons: Vec<String>,
    /// What went because it had expired, by rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expired: Vec<Expired>,
    /// By table; those without a record are left out.
    pub places: Vec<ErasedPlace>,
}

/// What has expired by one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expired {
    /// The rule's key, such as `retention.events`.
    pub rule: String,
    /// Customers.
    pub customers: u64,
    /// Events, deleted ones among them.
    pub events: u64,
    /// Earlier versions of these; by `retention.history`, of records that stay.
    pub versions: u64,
    /// When the one that was left alone for the longest time was last changed, of a version when it ended: UTC, ISO 8601.
    pub oldest: Option<String>,
    /// The same of the one that was changed last.
    pub newest: Option<String>,
}
