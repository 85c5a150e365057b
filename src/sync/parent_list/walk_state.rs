//! How far a walk of the customer list has come.

use crate::api::{Cursor, ListEnd};
use crate::diff::Overlap;
use crate::mirror::{Checkpoint, Mode};
use crate::record::{IdSet, RowSet};
use crate::sync::account::Identity;
use crate::sync::decoded_records::DecodedRecords;
use jiff::Timestamp;

/// How many records are held back in memory.
const HELD_AT_MOST: usize = 10_000;

/// A walk of the customer list, new or resumed.
pub(in crate::sync) struct ListWalk {
    pub(in crate::sync) mode: Mode,
    pub(in crate::sync) started_at: Timestamp,
    /// Where to continue; `None` if the whole list was walked and only the steps after it are left.
    pub(in crate::sync) cursor: Option<Cursor>,
    pub(in crate::sync) pages: u64,
    pub(in crate::sync) seen: RowSet,
    /// How many of them were new to the mirror.
    pub(in crate::sync) inserted: u64,
    /// Customers listed in an older version than the mirror's.
    pub(in crate::sync) stale: RowSet,
    /// How many of the mirror's customers the list has brought, counted until it is known whose list this is.
    pub(in crate::sync) overlap: Overlap,
    /// The ids that were counted for it, because pages may come twice.
    pub(super) met: IdSet,
    /// Whether it is known that the list is this account's.
    pub(super) is_confirmed: bool,
    /// Pages that are held back until then.
    pub(super) held: Vec<DecodedRecords>,
    /// Whether there were more of them than could be held back.
    pub(super) is_overflown: bool,
    /// How many customers this run has counted, each once.
    pub(super) counted: u64,
    /// Whether the list's end is proven.
    pub(in crate::sync) end: ListEnd,
    /// How many customers were new or changed in this run.
    pub(super) changed: u64,
    /// Whether pages come from several places of the list.
    pub(super) is_split: bool,
}

impl ListWalk {
    /// A walk from the list's beginning.
    pub(in crate::sync) fn begin(mode: Mode, started_at: Timestamp, identity: Identity) -> ListWalk {
        let mirrored = match identity {
            Identity::Confirmed => 0,
            Identity::Open { mirrored } => mirrored,
        };
        ListWalk {
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

    /// Resumes an interrupted walk; `None` if its cursor can't be read.
    pub(in crate::sync) fn resume(mode: Mode, checkpoint: Checkpoint) -> Option<ListWalk> {
        Some(ListWalk {
            cursor: serde_json::from_str(&checkpoint.cursor).ok()?,
            started_at: checkpoint.started_at,
            pages: checkpoint.pages,
            inserted: checkpoint.inserted,
            seen: checkpoint.seen,
            ..ListWalk::begin(mode, checkpoint.started_at, Identity::Confirmed)
        })
    }

    pub(super) fn checkpoint(&self, base_url: &str) -> Checkpoint {
        Checkpoint {
            started_at: self.started_at,
            base_url: base_url.to_owned(),
            cursor: serde_json::to_string(&self.cursor).unwrap_or_else(|_| "null".to_owned()),
            pages: self.pages,
            records: self.seen.count(),
            inserted: self.inserted,
            seen: self.seen.clone(),
        }
    }

    /// A checkpoint at the list's beginning.
    pub(super) fn checkpoint_at_start(&self, base_url: &str) -> Checkpoint {
        ListWalk::begin(self.mode, self.started_at, Identity::Confirmed).checkpoint(base_url)
    }

    /// Whether another run could resume here. In a full sync, the customers that are still to be fetched one by one are known
    /// in memory only, so the checkpoint has to stay before the first of them.
    pub(super) fn may_be_cut_off(&self) -> bool {
        (self.mode != Mode::Full || self.stale.count() == 0) && !self.is_overflown
    }

    /// Holds pages back if there is room for them.
    pub(super) fn hold(&mut self, pages: Vec<DecodedRecords>) {
        match pages.iter().map(DecodedRecords::len).sum::<usize>() <= HELD_AT_MOST {
            true => self.held = pages,
            false => self.is_overflown = true,
        }
    }

    /// Whether the list turned out to be this account's.
    pub(in crate::sync) fn is_accepted(&self) -> bool {
        self.is_confirmed
    }

    /// Begins again. Customers that this walk inserted stay counted. It has to be found out anew whose list this is, unless
    /// the list `is_the_same`: the reason for beginning again may be that another account's API refused the token.
    pub(super) fn restart(&mut self, is_the_same: bool) {
        let identity = match self.overlap.mirrored {
            mirrored if mirrored > 0 && !is_the_same => Identity::Open { mirrored },
            _ => Identity::Confirmed,
        };
        *self = ListWalk {
            stale: std::mem::take(&mut self.stale),
            inserted: self.inserted,
            changed: self.changed,
            ..ListWalk::begin(self.mode, self.started_at, identity)
        };
    }
}
