//! What can go wrong with a call, and what may be done and said about it.
//!
//! `kind` is the one table of failures: what each means, whether it is repeated, and what the user can do. `retry`
//! decides from it whether and when a failed attempt is repeated (`api-contract` point 7). `api_error` is a call that
//! failed. `redact` decides what may be repeated of text from outside, with `encodings`, the forms that hide one text
//! in another.
//!
//! In come kinds, statuses and texts that a server, a proxy or a library has written; out come [`ApiError`]s and
//! delays. Pure: no I/O, and time and chance are arguments. An [`ApiError`] must never hold text that `redact` has not
//! seen, and never the key.

mod api_error;
mod encodings;
mod kind;
mod redact;
mod retry;

pub use api_error::{ApiError, ErrorKind};
pub use redact::shown;
pub use retry::RetryPolicy;

pub(super) use redact::{Redactor, SafeText};
pub(super) use retry::{Fault, decide, retry_after};
