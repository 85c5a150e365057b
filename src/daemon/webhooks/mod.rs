//! Takes deliveries of the vendor's webhooks, as hints whom to look at.
//!
//! | file | what it does | I/O |
//! |---|---|---|
//! | `listener` | connections and requests, with every limit on them | network |
//! | `intake` | the one thread that writes hints, many deliveries in one transaction | disk |
//!
//! In: deliveries, from anybody. Out: hints in the mirror, each durable before its delivery is answered with 200, and word
//! to the loop that there are some. Nothing here looks at a customer: a run does, some moments later.

mod intake;
mod listener;

pub use intake::Intake;
pub use listener::serve;

use axum::http::StatusCode;

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Its customers are due.
    Hinted,
    /// The very same delivery was taken before.
    Repeated,
    /// It tells of no customer that can be found.
    Unmatched,
    /// It isn't signed with the secret.
    Forged,
    /// Its body is too large.
    TooLarge,
    /// It came too slowly, or broke off.
    Broken,
    /// The mirror can't take it now: it is being loaded for the first time, or somebody holds it for long.
    Busy,
}

impl Delivery {
    /// Everything that may become of one.
    pub const ALL: [Delivery; 7] = [
        Delivery::Hinted,
        Delivery::Repeated,
        Delivery::Unmatched,
        Delivery::Forged,
        Delivery::TooLarge,
        Delivery::Broken,
        Delivery::Busy,
    ];

    /// A short name, for metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Delivery::Hinted => "hinted",
            Delivery::Repeated => "repeated",
            Delivery::Unmatched => "unmatched",
            Delivery::Forged => "forged",
            Delivery::TooLarge => "too_large",
            Delivery::Broken => "broken",
            Delivery::Busy => "busy",
        }
    }

    /// What the sender is answered with. It sends a delivery again that isn't answered with 2xx.
    const fn status(self) -> StatusCode {
        match self {
            Delivery::Hinted | Delivery::Repeated | Delivery::Unmatched => StatusCode::OK,
            Delivery::Forged => StatusCode::UNAUTHORIZED,
            Delivery::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Delivery::Broken => StatusCode::REQUEST_TIMEOUT,
            Delivery::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
