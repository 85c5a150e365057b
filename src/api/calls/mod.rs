//! The vendor's calls: each is attempted, its answer decoded, and both repeated until done.
//!
//! `client` makes any `call`, through the gate that bounds requests in flight. `customers` are the calls of the
//! customer resource but for its list, which `paging` reads. `account` asks whose key it is. `circuit_breaker` stops
//! repeating while the server is down. `server_clock` compares the server's clock with ours. `webhooks` are
//! the calls of the webhook resource.
//!
//! In come the settings, the key and what to ask for; out come decoded answers, or an error once all attempts are
//! spent. What is repeated is decided in `errors`, and how an attempt is made in `transport`. Nothing here knows how a
//! list is walked.

mod account;
mod call;
mod circuit_breaker;
mod client;
mod customers;
mod server_clock;
mod webhooks;

pub use client::Client;
pub use customers::CustomerFields;
pub use webhooks::WebhookFields;

pub(super) use call::{Call, NotDocumented};
