//! The vendor's calls: each is attempted, its answer decoded, and both repeated until done.
//!
//! `client` makes the calls of the customer resource and any call that `paging` builds, through the gate that bounds
//! requests in flight. `account` asks whose key it is. `circuit_breaker` stops repeating while the server is down. `server_clock` compares
//! the server's clock with ours.
//!
//! In come the settings, the key and what to ask for; out come decoded answers, or an error once all attempts are spent. What
//! is repeated is decided in `errors`, and how an attempt is made in `transport`. Nothing here knows how a list is walked.

mod account;
mod circuit_breaker;
mod client;
mod server_clock;

pub use client::{Client, CustomerFields};

pub(super) use client::{Call, NotDocumented};
