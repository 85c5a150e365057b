//! How far a walk of the customer list has come.

use crate::api::{Cursor, ListEnd};
use crate::diff::Overlap;
use crate::mirror::{Checkpoint, Mode, RowSet};
use crate::record::{Customer, IdSet};
use crate::sync::account::Identity;
use crate::sync::decoded_records::DecodedRecords;
use jiff::Timestamp;

/// How many records are held back in memory.
const HELD_AT_MOST: usize = 10_000;

/// A walk of the customer list, begun or taken up.
pub(in crate::sync) struct CustomerWalk {
    pub(in crate::sync) mode: Mode,
    pub(in crate::sync) started_at: Timestamp,
    /// Where to go on; `None` if the list was walked to its end and only what follows is left.
    pub(in crate::sync) cursor: Option<Cursor>,
    pub(in crate::sync) pages: u64,
    pub(in crate::sync) seen: RowSet,
    /// Of them, customers that were new to the mirror.
    pub(in crate::sync) inserted: u64,
    /// Customers listed in an older version than the mirror's.
    pub(in crate::sync) stale: RowSet,
    /// How far the list has brought the mirror's customers, for as long as that is of interest.
    pub(in crate::sync) overlap: Overlap,
    /// The ids that it has brought, for as long: pages may come twice.
    pub(super) met: IdSet,
    /// Whether the list is this account's.
    pub(super) is_confirmed: bool,
    /// Pages that wait until that is known.
    pub(super) held: Vec<DecodedRecords<Customer>>,
    /// More of them came than could be held back.
    pub(super) is_overflown: bool,
    /// Customers counted in this run, each once.
    pub(super) counted: u64,
    /// Whether the list's end was one.
    pub(in crate::sync) end: ListEnd,
    /// Customers that the list brought new or changed, in this run.
    pub(super) changed: u64,
    /// Pages come from several places of the list.
    pub(super) is_split: bool,
}

impl CustomerWalk {
    /// From the list's beginning.
    pub(in crate::sync) fn begin(mode: Mode, started_at: Timestamp, identity: Identity) -> CustomerWalk {
        let mirrored = match identity {
            Identity::Confirmed => 0,
            Identity::Open { mirrored } => mirrored,
        };
        CustomerWalk {
            overlap: Overlap { mirrored, ..Overlap::default() },
            met: IdSet::default(),
            is_confirmed: identity == Identity::Confirmed,
            held: Vec::new(),
            is_overflown: false,
            counted: 0,
            mode,
            started_at,
            cursor: Some(Cursor::Start),
            pages: 0,
            seen: RowSet::default(),
            inserted: 0,
            stale: RowSet::default(),
            end: ListEnd::Proven,
            changed: 0,
            is_split: false,
        }
    }

    /// From where an interrupted walk had come; `None` where its cursor can't be read.
    pub(in crate::sync) fn take_up(mode: Mode, checkpoint: Checkpoint) -> Option<CustomerWalk> {
        Some(CustomerWalk {
            cursor: serde_json::from_str(&checkpoint.cursor).ok()?,
            started_at: checkpoint.started_at,
            pages: checkpoint.pages,
            inserted: checkpoint.inserted,
            seen: checkpoint.seen,
            ..CustomerWalk::begin(mode, checkpoint.started_at, Identity::Confirmed)
        })
    }

    pub(super) fn checkpoint(&self, base_url: &str) -> Checkpoint {
        Checkpoint {
            started_at: self.started_at,
            base_url: base_url.to_owned(),
            cursor: serde_json::to_string(&self.cursor).unwrap_or_else(|_| "null".to_owned()),
            pages: self.pages,
            customers: self.seen.count(),
            inserted: self.inserted,
            seen: self.seen.clone(),
        }
    }

    /// At the list's beginning, with nothing walked.
    pub(super) fn checkpoint_at_start(&self, base_url: &str) -> Checkpoint {
        CustomerWalk::begin(self.mode, self.started_at, Identity::Confirmed).checkpoint(base_url)
    }

    /// Whether another run could go on here. In a full sync, customers that are still to be asked for alone stand in
    /// memory only: a run that is cut off then goes on before the first of them.
    pub(super) fn may_be_cut_off(&self) -> bool {
        (self.mode != Mode::Full || self.stale.count() == 0) && !self.is_overflown
    }

    /// Holds pages back, as many as there is room for.
    pub(super) fn hold(&mut self, pages: Vec<DecodedRecords<Customer>>) {
        match pages.iter().map(DecodedRecords::len).sum::<usize>() <= HELD_AT_MOST {
            true => self.held = pages,
            false => self.is_overflown = true,
        }
    }

    /// Whether the list turned out to be this account's.
    pub(in crate::sync) fn is_accepted(&self) -> bool {
        self.is_confirmed
    }

    /// Begins again. What is stored stays, and what was new to the mirror tells nothing about what it held before. Whose
    /// list it is has to show anew, unless it `is_the_same`: another account would have refused the token as well.
    pub(super) fn restart(&mut self, is_the_same: bool) {
        let identity = match self.overlap.mirrored {
            mirrored if mirrored > 0 && !is_the_same => Identity::Open { mirrored },
            _ => Identity::Confirmed,
        };
        *self = CustomerWalk {
            stale: std::mem::take(&mut self.stale),
            inserted: self.inserted,
            changed: self.changed,
            ..CustomerWalk::begin(self.mode, self.started_at, identity)
        };
    }
}
