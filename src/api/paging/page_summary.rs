//! What the walk needs to know of a page.

use super::list_hints::ListHints;
use super::next_page::Offer;

/// What the walk needs to know of a page; by default of a request that brought none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageSummary {
    /// The key of each record, in the list's order.
    pub keys: Vec<RecordKey>,
    /// How the list goes on, by the answer's own word.
    pub offer: Option<Offer>,
    /// What else the answer says about the list.
    pub hints: ListHints,
}

impl PageSummary {
    /// Whether the answer says that this is the list's last page, whatever token it carries (`api-contract` point 3).
    pub(super) fn says_last(&self) -> bool {
        self.hints.more == Some(false)
    }
}

/// What identifies a record within a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordKey {
    /// Its id.
    Id(String),
    /// Its text, if it has no usable id. It shows progress as an id does, but is not a cursor.
    Text(String),
}

impl RecordKey {
    /// The id, or what stands for it.
    pub(super) fn text(&self) -> &str {
        match self {
            RecordKey::Id(text) | RecordKey::Text(text) => text,
        }
    }
}
