//! What follows from the events: which properties each type has, and which orders and parcels they tell of.
//!
//! In: the fields of events as the mirror holds them. Out: what is to be kept of them, as values. The shape of `properties` is
//! undocumented (`api-contract`, "Customer event"), so nothing here relies on one: what can't be understood is left out, and
//! the events themselves stay as they are.
//!
//! No file here reads the mirror, knows the time, or writes SQL.

mod names;
mod orders;
mod properties;

pub use names::{Names, snake_case};
pub use orders::{Order, OrderEvent, Orders, Shipment, Times};
pub use properties::{ColumnType, JsonTypes, Properties, Seen};
