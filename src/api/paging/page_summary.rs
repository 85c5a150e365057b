//! A page, as far as the walk needs to know it.

use super::list_hints::Said;
use super::next_page::Offer;

/// A page as the walk needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageFacts {
    /// What tells each record from others.
    pub marks: Vec<Mark>,
    /// How the list goes on, by the answer's word.
    pub offer: Option<Offer>,
    /// What else the answer says of the list.
    pub said: Said,
}

impl PageFacts {
    /// An answer that brought none.
    pub(super) fn nothing() -> PageFacts {
        PageFacts { marks: Vec::new(), offer: None, said: Said::default() }
    }

    /// Whether the answer says that this is the list's last page, whatever token stands beside it.
    pub(super) fn says_last(&self) -> bool {
        self.said.more == Some(false)
    }
}

/// What tells a record from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// Its id.
    Id(String),
    /// It has no usable id: its text. It shows progress as well as an id does, but is no cursor.
    Text(String),
}

impl Mark {
    /// The id, or what stands for it.
    pub(super) fn text(&self) -> &str {
        match self {
            Mark::Id(text) | Mark::Text(text) => text,
        }
    }
}
