//! Records as the world keeps them: a few numbers each, from which their JSON is written out when it is asked for.

use super::fields::CustomerFields;
use super::paging::Position;
use super::settings::Order;
use std::sync::Arc;

/// A customer as it is kept. Its place in the world's table is its number, which is never used again.
pub(super) struct CustomerRow {
    pub(super) id: Arc<str>,
    /// Milliseconds since 1970.
    pub(super) created: i64,
    /// Milliseconds since 1970.
    pub(super) updated: i64,
    /// What clients wrote; the rest follows from the seed.
    pub(super) written: Option<Box<CustomerFields>>,
    /// A client made it: nothing about it is odd, and what wasn't written is null.
    pub(super) plain: bool,
    /// Oldest first.
    pub(super) events: Vec<EventRow>,
    /// How many orders there were; the number of the next one.
    pub(super) orders: u32,
}

impl CustomerRow {
    /// Where the customer stands in a list of that order.
    pub(super) fn position(&self, order: Order) -> Position {
        Position { sort: order.sort_key(self.created, self.updated), id: Arc::clone(&self.id) }
    }
}

/// An event as it is kept: all else follows from the seed, its customer's number and this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EventRow {
    pub(super) ordinal: Ordinal,
    /// How often it was revised.
    pub(super) revision: u32,
    /// Milliseconds since 1970.
    pub(super) created: i64,
    /// Milliseconds since 1970.
    pub(super) updated: i64,
}

/// The next event of an order that is under way. Sorted by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    /// Milliseconds since 1970.
    pub(super) at: i64,
    /// The customer's number.
    pub(super) slot: u32,
    pub(super) ordinal: Ordinal,
}

/// Which of its customer's events it is: a step in the plan of one of the customer's orders, both counted from 0. Never used
/// again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ordinal {
    pub(super) order: u32,
    pub(super) step: u32,
}

impl Ordinal {
    /// Both in one; no plan has 64 steps.
    pub(super) fn number(self) -> u64 {
        u64::from(self.order) << 6 | u64::from(self.step)
    }
}
