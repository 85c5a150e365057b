//! One attempt at one request: from a URL to a whole answer within its limits of time and size.
//!
//! `http` sends the request and reads the answer. `in_flight` knows whether a request has been sent or still waits for
//! its turn. `connection_refusal` finds out what a failed connection was refused for. `body` unzips a body as it comes,
//! and `utf8_repair` replaces bytes that are not UTF-8. `origin` decides which URLs the key may be sent to
//! (`api-contract` point 12).
//!
//! In come a method, a URL and perhaps a body; out comes an [`Answer`] with any status, or an error. Nothing here
//! repeats a request that the server may have looked at, and nothing reads what a body means. The key must never leave
//! for another origin than the base URL's, nor by plain HTTP to another machine.

mod body;
mod connection_refusal;
mod http;
mod in_flight;
mod origin;
mod utf8_repair;

pub use origin::{OriginError, check_base, is_loopback};

pub(super) use http::{Answer, Transport};
pub(super) use origin::resolve_link;
