//! Lists, page by page: what names the next page, which parameter moves forward, and whether an end can be believed.
//! The vendor's documentation leaves that open or contradicts itself, so it is found out from the answers
//! (`api-contract` points 1 to 6).
//!
//! An answer is read by `page_body`, `envelope`, `headers` and `link_header`; `field_names` is the table of what
//! members and headers are called, `next_page` and `list_hints` are what they say. `walk`, a pure state machine, takes
//! each page as a `page_summary` and decides what it is to the list (`page_outcome`). `direction_probe` compares
//! requests in both directions, `end_evidence` says whether an end agrees with the answers, and `known_paging` keeps
//! what was found out for all walks. `pager` makes the requests.
//!
//! In come a list and a [`Cursor`] to begin at; out come pages of decoded records with checkpoints, then the list's end
//! and whether it is proven. Nothing here may take a list for ended, or a direction for known, that no answer has
//! shown.

mod cursor;
mod direction_probe;
mod end_evidence;
mod envelope;
mod field_names;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod headers;
mod json_members;
mod known_paging;
mod link_header;
mod list;
mod list_hints;
mod next_page;
mod page;
mod page_body;
mod page_outcome;
mod page_summary;
mod pager;
mod token_style;
mod walk;
mod walk_error;

pub use cursor::Cursor;
pub use known_paging::{Finding, KnownPaging, PagingSettings, Reuse};
pub use list::List;
pub use page::{Item, Page, RejectedItem, RepairedItem, Turn};
pub use page_outcome::{ListEnd, NoProgress, UnprovenEnd};
pub use pager::Pager;
pub use token_style::{Parameter, TokenNames, TokenStyle};
pub use walk_error::WalkError;
