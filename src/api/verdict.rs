//! What a page is to the walk through its list, and what comes after it.

use super::cursor::Cursor;

/// Why a walk can't go on (`api-contract` point 4).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoProgress {
    /// A token came a second time.
    #[error("page {page} names a next page that was read before: the list goes in a circle")]
    TokenRepeats {
        /// Counted from 1.
        page: u64,
    },
    /// Nothing new came.
    #[error(
        "page {page} brought no record that had not been read before; if the list has no further page, set \
         api.paging.{{customers,events}}.token_style to the way in which this server names the next page"
    )]
    NothingNew {
        /// Counted from 1.
        page: u64,
    },
    /// There is more, but nobody knows how to get it.
    #[error("page {page} says that there are further pages, but holds no page token that is understood")]
    TokenNotFound {
        /// Counted from 1.
        page: u64,
    },
}

/// What comes after a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// Another request.
    Ask(Cursor),
    /// The list has ended.
    End,
    /// The list seems to have ended: the server takes no notice of cursors, and names no next page.
    EndUnproven,
    /// The walk can't go on.
    Stuck(NoProgress),
    /// The server refuses the token: the walk has to start from its beginning (point 6).
    Restart,
    /// A request that the answer hangs on failed for good: its error is the walk's.
    Fail,
}

/// What a page is to the walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The list's next page.
    Take(After),
    /// No page of the list: an empty one, or an attempt that brought nothing new.
    PassOver(After),
    /// Perhaps the next page; the other parameter must be tried before that can be said.
    SetAside(Cursor),
    /// The page set aside was the next one; this one is passed over.
    TakeSetAside(After),
}
