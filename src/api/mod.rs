//! The vendor's customer API: its calls, the retries behind them, and the guard that keeps the key at home.
//!
//! | file | what it does | I/O |
//! |---|---|---|
//! | `settings` | where the API is and how patiently it is asked | none |
//! | `origin` | which URLs may be asked with the key (point 12) | none |
//! | `kind` | what can go wrong, and what to do then: one table by kind | none |
//! | `error` | a call that failed, and what is told of it | none |
//! | `encodings` | forms in which a text can stand within another one | none |
//! | `redact` | what may be repeated of text from outside | none |
//! | `retry` | whether and when a failed attempt is repeated (point 7) | none |
//! | `breaker` | when to stop repeating because the server is down | none |
//! | `limits` | how many requests at once and a second the API bears (point 13) | timers |
//! | `clock` | how far the server's clock is ahead of ours | none |
//! | `account` | which account the key belongs to | network |
//! | `wire` | whether a request has been sent, or still waits for its turn | none |
//! | `refusal` | what a failed connection was refused for: certificate, proxy, stream | none |
//! | `body` | a body, unzipped as it comes and within its bound | none |
//! | `unicode` | what stands for bytes that are no UTF-8 | none |
//! | `transport` | one attempt at one request, with every limit on it | network |
//! | `client` | the calls: admission, attempt, decoding and retry until done | network |
//! | `names` | what names of members and headers say of a next page: one table (points 1, 3) | none |
//! | `link`, `page`, `envelope`, `token` | where an answer says how a list goes on (point 1) | none |
//! | `cursor` | the request for a page, and what its text tells | none |
//! | `behaviour` | what is known of the API's paging, and what showed it (points 1, 2) | none |
//! | `trial` | what two attempts with one token show together (points 1, 2) | none |
//! | `facts` | a page, as far as the walk needs to know it | none |
//! | `heard` | what the answers said of their list, and whether its end agrees (point 3) | none |
//! | `verdict` | what a page is to its list, and what comes after it | none |
//! | `walk` | which page comes next, and when a list has ended (points 2 to 6) | none |
//! | `ahead` | reads a list ahead of whoever decodes its pages | network |
//! | `pager` | a list, page by page, with its records decoded | network |
//!
//! Points are those of `api-contract`.

mod account;
mod ahead;
mod behaviour;
mod body;
mod breaker;
mod client;
mod clock;
mod cursor;
mod encodings;
mod envelope;
mod error;
mod facts;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod heard;
mod kind;
mod limits;
mod link;
mod names;
mod origin;
mod page;
mod pager;
mod redact;
mod refusal;
mod retry;
mod settings;
#[cfg(test)]
pub(crate) mod testing;
mod token;
mod transport;
mod trial;
mod unicode;
mod verdict;
mod walk;
mod wire;

pub use behaviour::{Finding, KnownPaging, PagingSettings, Reuse, TokenNames};
pub use client::{Client, CustomerFields};
pub use cursor::Cursor;
pub use error::{ApiError, ErrorKind};
pub use limits::Learned;
pub use origin::{OriginError, check_base};
pub use pager::{Item, List, Page, Pager, RejectedItem, RepairedItem, Turn, WalkError};
pub use redact::shown;
pub use retry::RetryPolicy;
pub use settings::Settings;
pub use token::{Parameter, TokenStyle};
pub use verdict::{ListEnd, NoProgress, UnprovenEnd};
