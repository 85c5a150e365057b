//! When a look at a customer's events is likely to pay. The API tells nobody that a customer has new events, so each look is
//! a guess; but at any time only a few customers have a parcel on its way, and these get nearly all events.
//!
//! [`EventRates`] learns from every look how often events come, by what a customer's newest event was and how long ago it
//! came. [`Hazards`] tells from that how many events of a customer are likely to be unseen, and for how long they have
//! been. [`Choice`] takes those customers for which a look is worth most, within a budget. [`UnseenTime`] is the measure:
//! how long events exist at the vendor before the mirror has them.
//!
//! In: records as they are read, numbers and times. Out: numbers. Nothing here reads a clock or a database, and nothing
//! depends on the names of the vendor's event types: which of them mean that a parcel is under way is learned, too.

mod cells;
mod choice;
mod hazard;
mod rates;
mod sightings;
mod signal;
mod unseen;

pub use cells::{AGES, Cell};
pub use choice::Choice;
pub use hazard::{Hazards, LookedAt};
pub use rates::{EventRates, LastLook};
pub use sightings::{EventKind, NewestEvent, Sightings};
pub use signal::Signal;
pub use unseen::{BOUNDS, UnseenTime};

/// Seconds of a day.
const DAY: f64 = 86_400.0;
