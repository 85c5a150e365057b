//! What a walk through a list returns: pages of decoded records, then the list's end.

use super::cursor::Cursor;
use super::page_outcome::ListEnd;
use crate::record::{Decoded, Rejection, Repairs, peek_id};

/// A record of a page.
pub enum Item<R> {
    /// It could be decoded.
    Record(R),
    /// It could be decoded with a repair.
    Repaired(RepairedItem<R>),
    /// It could not.
    Rejected(RejectedItem),
}

impl<R> Item<R> {
    /// What decoding `raw` has come to.
    pub fn of(raw: &str, decoded: Result<Decoded<R>, Rejection>) -> Item<R> {
        let text = || raw.to_owned();
        match decoded {
            Ok(Decoded { record, repairs }) if repairs.is_empty() => Item::Record(record),
            Ok(Decoded { record, repairs }) => Item::Repaired(RepairedItem { record, repairs, raw: text() }),
            Err(reason) => Item::Rejected(RejectedItem { id: peek_id(raw), reason, raw: text() }),
        }
    }

    /// The record, unless it could not be decoded.
    pub fn record(&self) -> Option<&R> {
        match self {
            Item::Record(record) | Item::Repaired(RepairedItem { record, .. }) => Some(record),
            Item::Rejected(_) => None,
        }
    }
}

/// A record that was decoded with a repair. `raw` may hold personal data: not for logs, and without `Debug`.
pub struct RepairedItem<R> {
    /// The record.
    pub record: R,
    /// What was repaired.
    pub repairs: Repairs,
    /// The record as the API gave it.
    pub raw: String,
}

/// A record that could not be decoded. `raw` may hold personal data: not for logs, and without `Debug`.
pub struct RejectedItem {
    /// Its id, where it has a usable one.
    pub id: Option<String>,
    /// Why.
    pub reason: Rejection,
    /// The record as the API gave it.
    pub raw: String,
}

/// A page of a list.
pub struct Page<R> {
    /// Its records, in the list's order.
    pub items: Vec<Item<R>>,
    /// The request for the page after it; `None` where the list ends here, or where it isn't yet known which
    /// parameter moves forward: a walk can't be taken up there.
    pub checkpoint: Option<Cursor>,
}

/// What a step through a list brought.
pub enum Turn<R> {
    /// The next page.
    Page(Page<R>),
    /// The server refused a token. The walk starts again from the list's beginning: what came so far counts no longer
    /// as walked (`api-contract` point 6).
    Restarted,
    /// The list has come to its end.
    End(ListEnd),
}
