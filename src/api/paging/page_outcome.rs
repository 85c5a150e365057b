//! What a page is to the walk through its list, and what the walk does next.

use super::cursor::Cursor;
use crate::record::Stream;

/// Why a walk can't continue (`api-contract` point 4).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoProgress {
    /// A token repeated.
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

/// How far a list's end can be relied on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListEnd {
    /// Nothing in the answers contradicts it: a record that did not arrive is not in the list.
    Proven,
    /// There may be more: a missing record proves nothing (`api-contract` point 3).
    Unproven(UnprovenEnd),
}

impl ListEnd {
    /// Whether nothing contradicts it.
    pub fn is_proven(&self) -> bool {
        *self == ListEnd::Proven
    }
}

/// Why a list may be longer than what arrived. Its text holds nothing of the records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnprovenEnd {
    /// What arrived may be the whole list or only its first page.
    #[error("the server names no next page and takes no notice of cursors")]
    CursorsIgnored,
    /// The last answer contradicts itself.
    #[error("its last page says that there are further ones, but names none")]
    MoreIsSaid,
    /// The answers give a total above the records that arrived.
    #[error("{received} records came, but the answers tell of {total}")]
    TotalNotReached {
        /// Different records that arrived.
        received: u64,
        /// The total that the answers give.
        total: u64,
    },
    /// Something looks like the way to a next page.
    #[error("its last page holds {place}, which looks like the way to a next page and is not understood")]
    NotUnderstood {
        /// The header or the member, without its value.
        place: String,
    },
    /// The server names page after page, and none of them holds a record.
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

/// What the walk does after a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextStep {
    /// Sends another request.
    Request(Cursor),
    /// The list has ended, or seems to.
    End(ListEnd),
    /// The walk can't continue.
    Stuck(NoProgress),
    /// The server refuses the token: the walk starts again from the list's beginning (`api-contract` point 6).
    Restart,
    /// A probe that decides how the list goes on failed for good: the walk ends with its error.
    Fail,
}

impl NextStep {
    /// The list has ended, as far as the page in hand shows.
    pub(super) const PROVEN_END: NextStep = NextStep::End(ListEnd::Proven);

    /// The list seems to have ended.
    pub(super) const fn unproven_end(reason: UnprovenEnd) -> NextStep {
        NextStep::End(ListEnd::Unproven(reason))
    }
}

/// What a page is to the walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageOutcome {
    /// The list's next page.
    Accept(NextStep),
    /// Not a page of the list: it is empty, or a probe that brought nothing new.
    Skip(NextStep),
    /// Perhaps the next page: kept until the other parameter was tried.
    Hold(Cursor),
    /// The page that was kept is the next one; this one is skipped.
    AcceptHeld(NextStep),
}

impl PageOutcome {
    /// The same outcome with its next step changed.
    pub(super) fn then(self, change: impl FnOnce(NextStep) -> NextStep) -> PageOutcome {
        match self {
            PageOutcome::Accept(step) => PageOutcome::Accept(change(step)),
            PageOutcome::Skip(step) => PageOutcome::Skip(change(step)),
            PageOutcome::AcceptHeld(step) => PageOutcome::AcceptHeld(change(step)),
            PageOutcome::Hold(cursor) => PageOutcome::Hold(cursor),
        }
    }
}
