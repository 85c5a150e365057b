//! The vendor's customer API: its calls, the retries behind them, and the guard that keeps the key at home.
//!
//! | file | what it does | I/O |
//! |---|---|---|
//! | `settings` | where the API is and how patiently it is asked | none |
//! | `origin` | which URLs may be asked with the key (point 12) | none |
//! | `error` | what can go wrong, and what to do then: one table by kind | none |
//! | `retry` | whether and when a failed attempt is repeated (point 7) | none |
//! | `breaker` | when to stop repeating because the server is down | none |
//! | `gate` | how many requests are in flight (point 13) | timers |
//! | `transport` | one attempt at one request, with every limit on it | network |
//! | `client` | the calls: gate, attempt, decoding and retry until done | network |
//!
//! Points are those of `api-contract`.

mod breaker;
mod client;
mod error;
mod gate;
mod origin;
mod retry;
mod settings;
#[cfg(test)]
pub(crate) mod testing;
mod transport;

pub use client::{Client, CustomerFields};
pub use error::{ApiError, ErrorKind};
pub use origin::{OriginError, check_base};
pub use retry::RetryPolicy;
pub use settings::Settings;
