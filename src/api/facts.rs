//! A page, as far as the walk needs to know it.

use super::token::Offer;

/// A page as the walk needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageFacts {
    /// What tells each record from others.
    pub marks: Vec<Mark>,
    /// How the list goes on, by the answer's word.
    pub offer: Option<Offer>,
    /// The answer says that there is more, wherever the token may be.
    pub says_more: bool,
}

impl PageFacts {
    /// An answer that brought none.
    pub(super) fn nothing() -> PageFacts {
        PageFacts { marks: Vec::new(), offer: None, says_more: false }
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
