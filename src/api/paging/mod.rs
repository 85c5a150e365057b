//! Lists, page by page: what names the next page, which parameter moves forward, and whether an end can be believed. The
//! vendor documents none of it, so it is found out from the answers (`api-contract` points 1 to 6).
//!
//! An answer is read by `page`, `envelope`, `link` and `token`, with `names`, the table of what members and headers are
//! called. `walk`, a pure state machine, takes each page as `facts` and decides what it is to the list (`verdict`); `trial`
//! compares attempts in both directions, `heard` says whether an end agrees with the answers, and `behaviour` keeps what was
//! found out for all walks. `pager` makes the requests, and `ahead` makes some of them early.
//!
//! In come a list and a [`Cursor`] to begin at; out come pages of decoded records with checkpoints, then the list's end and
//! whether it is proven. Nothing here may take a list for ended, or a direction for known, that no answer has shown.

mod ahead;
mod behaviour;
mod cursor;
mod envelope;
mod facts;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod heard;
mod link;
mod names;
mod page;
mod pager;
mod token;
mod trial;
mod verdict;
mod walk;

pub use behaviour::{Finding, KnownPaging, PagingSettings, Reuse, TokenNames};
pub use cursor::Cursor;
pub use pager::{Item, List, Page, Pager, RejectedItem, RepairedItem, Turn, WalkError};
pub use token::{Parameter, TokenStyle};
pub use verdict::{ListEnd, NoProgress, UnprovenEnd};
