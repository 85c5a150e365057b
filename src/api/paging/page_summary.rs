//! A page, as far as the walk needs to know it.

use super::list_hints::ListHints;
use super::next_page::Offer;

/// A page as the walk needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageSummary {
    /// What tells each record from others.
    pub keys: Vec<RecordKey>,
    /// How the list goes on, by the answer's word.
    pub offer: Option<Offer>,
    /// What else the answer says of the list.
    pub hints: ListHints,
}

impl PageSummary {
    /// An answer that brought none.
    pub(super) fn nothing() -> PageSummary {
        PageSummary { keys: Vec::new(), offer: None, hints: ListHints::default() }
    }

    /// Whether the answer says that this is the list's last page, whatever token stands beside it.
    pub(super) fn says_last(&self) -> bool {
        self.hints.more == Some(false)
    }
}

/// What tells a record from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordKey {
    /// Its id.
    Id(String),
    /// It has no usable id: its text. It shows progress as well as an id does, but is no cursor.
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
