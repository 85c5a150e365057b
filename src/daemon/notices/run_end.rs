//! How a run ended, as far as somebody may have to hear of it. Identifiers of runs and counts, nothing of customers.

use super::disk::Disk;
use crate::daemon::plan::Kind;
use crate::mirror::{Counts, Outcome};

/// How a run of the daemon and its export ended.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEnd {
    /// What was run.
    pub kind: Kind,
    /// Its number; `None` where it broke off before it was recorded.
    pub run_id: Option<i64>,
    /// The mirror's own id, where it could be read.
    pub mirror_id: Option<String>,
    /// How both ended: failed also where only the export failed.
    pub outcome: Outcome,
    /// Why they failed.
    pub fault: Option<Fault>,
    /// What the run counted.
    pub counts: Counts,
    /// Why nothing was deleted, where more was missing than `sync.deletion_limit` allows.
    pub deletions_refused: Option<String>,
    /// More customers drifted than `sync.drift_limit` allows: how many, out of how many.
    pub drift: Option<(u64, u64)>,
    /// The disks of the mirror and of the exports that are nearly full.
    pub full_disks: Vec<Disk>,
}

/// Why a run or its export failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is to be told apart.
    pub kind: FaultKind,
    /// What happened, without anything of the account.
    pub text: String,
    /// What to do, where the text doesn't say so.
    pub hint: Option<String>,
}

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The API refused the key.
    KeyRefused,
    /// A disk is full.
    DiskFull,
    /// Anything else.
    Other,
}

impl RunEnd {
    /// Whether the schedule called for it, rather than webhooks.
    pub(super) fn is_scheduled(&self) -> bool {
        self.kind != Kind::Hinted
    }

    /// For people: `incremental run 17`.
    pub(super) fn name(&self) -> String {
        let mode = self.kind.name();
        match self.run_id {
            Some(id) => format!("{mode} run {id}"),
            None => format!("a run ({mode})"),
        }
    }
}
