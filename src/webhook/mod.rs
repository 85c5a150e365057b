//! What a delivery of the vendor's webhooks is: who signed it, and which customers it may be about.
//!
//! A delivery is a hint, never data: its body is undocumented, and its signature covers no time, so an old one stays valid
//! for ever (`api-contract`, "Webhooks"). All that is taken from it is whom to look at; what is true, the API says.
//!
//! Nothing here does I/O. The daemon's listener takes deliveries, and the sandbox makes them.

mod body;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod signature;

pub use body::{Candidates, candidates};
pub use signature::{Key, Tag};

/// The header that a delivery's signature stands in.
pub const SIGNATURE: &str = "malomo-signature";

/// The header that names the topic.
pub const TOPIC: &str = "malomo-topic";

/// The path at which the daemon takes deliveries.
pub const PATH: &str = "/webhooks/malomo";
