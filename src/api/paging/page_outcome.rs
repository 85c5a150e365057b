//! What a page is to the walk through its list, and what comes after it.

use super::cursor::Cursor;
use crate::record::Stream;

/// Why a walk can't go on (`api-contract` point 4).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoProgress {
    /// A token came a second time.
    #[error("page {page} names a next page that was read before: the list goes in a circle")]
    TokenRepeats {
        /// Counted from 1.
        page: u64,
    },
    /// Nothing new received, page after page.
    #[error(
        "page {page} brought no record that had not been read before, as others before it or asked for in other ways; if the list has no further page, set \
         api.paging.{{customers,events}}.token_style to the way in which this server names the next page"
    )]
    NothingNew {
        /// Counted from 1.
        page: u64,
    },
}

/// How a list has come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListEnd {
    /// Nothing in the answers speaks against it: what the list lacks is not in it.
    Proven,
    /// There may be more: what the list lacks says nothing (`api-contract` point 3).
    Unproven(UnprovenEnd),
}

impl ListEnd {
    /// Whether nothing speaks against it.
    pub fn is_proven(&self) -> bool {
        *self == ListEnd::Proven
    }
}

/// Why a list may be longer than it looks. Its text holds nothing of the records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnprovenEnd {
    /// What came may be the whole list or its first page.
    #[error("the server names no next page and takes no notice of cursors")]
    CursorsIgnored,
    /// The last answer contradicts itself.
    #[error("its last page says that there are further ones, but names none")]
    MoreIsSaid,
    /// The answers count more records than they brought.
    #[error("{received} records received, but the answers tell of {total}")]
    TotalNotReached {
        /// Different records that came.
        received: u64,
        /// Records that the answers tell of.
        total: u64,
    },
    /// Something looks like the way to a next page.
    #[error("its last page holds {place}, which looks like the way to a next page and is not understood")]
    NotUnderstood {
        /// The header or the member, without its value.
        place: String,
    },
    /// The server names page after page, and none holds a record.
    #[error("behind its last record come empty pages that go on naming a next page")]
    EmptyPages,
}

impl UnprovenEnd {
    /// What to do now, in one or two sentences. `stream` is what the list holds.
    pub fn hint(&self, stream: Stream) -> String {
        let set = format!(
            "set api.paging.{stream}.token_style to the way in which this server names the next page"
        );
        match self {
            UnprovenEnd::MoreIsSaid => format!(
                "Run again; if it stays, {set}, or report it to the vendor's support: the page contradicts itself"
            ),
            _ => format!("If the list is whole, {set}"),
        }
    }
}

/// What comes after a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextStep {
    /// Another request.
    Request(Cursor),
    /// The list has ended, or seems to.
    End(ListEnd),
    /// The walk can't go on.
    Stuck(NoProgress),
    /// The server refuses the token: the walk has to start from its beginning (point 6).
    Restart,
    /// A request that the answer hangs on failed for good: its error is the walk's.
    Fail,
}

/// What a page is to the walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageOutcome {
    /// The list's next page.
    Accept(NextStep),
    /// No page of the list: an empty one, or an attempt that brought nothing new.
    Skip(NextStep),
    /// Perhaps the next page; the other parameter must be tried before that can be said.
    Hold(Cursor),
    /// The page set aside was the next one; this one is passed over.
    AcceptHeld(NextStep),
}

impl PageOutcome {
    /// The same about the page, with another thing to come after it.
    pub(super) fn then(self, change: impl FnOnce(NextStep) -> NextStep) -> PageOutcome {
        match self {
            PageOutcome::Accept(after) => PageOutcome::Accept(change(after)),
            PageOutcome::Skip(after) => PageOutcome::Skip(change(after)),
            PageOutcome::AcceptHeld(after) => PageOutcome::AcceptHeld(change(after)),
            PageOutcome::Hold(cursor) => PageOutcome::Hold(cursor),
        }
    }
}
