//! The vendor's customer API: its calls, the retries behind them, and the guard that keeps the key at home.
//!
//! | room or file | what it does | I/O |
//! |---|---|---|
//! | `errors` | what can go wrong, what is repeated, and what may be told of it (point 7) | none |
//! | `settings` | where the API is and how patiently it is asked | none |
//! | `transport` | one attempt at one request, with every limit on it (point 12) | network |
//! | `limits` | how many requests at once and a second the API bears (point 13) | timers |
//! | `calls` | the vendor's calls, each repeated until done | network |
//! | `paging` | a list, page by page, with its records decoded (points 1 to 6) | network |
//!
//! Each imports only from those above it. Points are those of `api-contract`.

mod calls;
mod errors;
mod limits;
mod paging;
mod settings;
#[cfg(test)]
pub(crate) mod testing;
mod transport;

pub use calls::{Client, CustomerFields, WebhookFields};
pub use errors::{ApiError, ErrorKind, RetryPolicy, shown};
pub use limits::Learned;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use paging::fuzzing;
pub use paging::{
    Cursor, Finding, Item, KnownPaging, List, ListEnd, NoProgress, Page, Pager, PagingSettings, Parameter,
    RejectedItem, RepairedItem, Reuse, TokenNames, TokenStyle, Turn, UnprovenEnd, WalkError,
};
pub use settings::Settings;
pub use transport::{OriginError, check_base, is_loopback};
