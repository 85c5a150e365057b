//! Deletions and moves that wait for the end of the run: customers that the API no longer knows, and events that two
//! customers list. They have to wait, because an event that one list lacks may be in another one, and another customer may
//! have taken over the events of a deleted one. Missing events are not collected here: they are marked in the mirror.

use crate::record::RowSet;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many events that two customers list are remembered one by one.
const MAX_CONTESTED: usize = 20_000;

/// What the run has collected so far. It holds ids only.
#[derive(Default)]
pub(super) struct PendingDeletions(Mutex<State>);

#[derive(Default)]
struct State {
    parents: PendingParents,
    contested: Contested,
}

/// Customers that a complete walk of the list lacked and that the API answers 404 or 410 for.
#[derive(Default)]
pub(super) struct PendingParents {
    /// A description of that walk, for the change log.
    pub(super) missing_from: String,
    /// The customers that it listed.
    pub(super) listed: RowSet,
    /// Their ids, and what the API answered: the status, and the request id where it had one.
    pub(super) records: Vec<(String, String)>,
}

/// Events that are listed by a customer while the mirror holds them under another one, their owner: by owner and event,
/// who lists them.
#[derive(Default)]
pub(super) struct Contested {
    by_owner: BTreeMap<String, HashMap<String, String>>,
    kept: usize,
    /// Whether there were more than can be remembered.
    pub(super) is_truncated: bool,
}

impl PendingDeletions {
    /// Notes the walk that pending customers are missing from, and the customers that it listed.
    pub(super) fn set_walk(&self, missing_from: String, listed: RowSet) {
        let parents = &mut self.lock().parents;
        (parents.missing_from, parents.listed) = (missing_from, listed);
    }

    /// Adds a customer that the walk lacked and the API doesn't know.
    pub(super) fn add_parent(&self, id: String, answer: String) {
        self.lock().parents.records.push((id, answer));
    }

    /// Adds events that `claimant` lists, each with the customer under whom the mirror holds it.
    pub(super) fn add_contested(&self, claimant: &str, contested: Vec<(String, String)>) {
        if contested.is_empty() {
            return;
        }
        let known = &mut self.lock().contested;
        for (event, owner) in contested {
            let of_owner = known.by_owner.entry(owner).or_default();
            if of_owner.contains_key(&event) {
                continue;
            }
            if known.kept == MAX_CONTESTED {
                known.is_truncated = true;
                return;
            }
            known.kept += 1;
            of_owner.insert(event, claimant.to_owned());
        }
    }

    /// The customers under whom the mirror holds contested events.
    pub(super) fn owners(&self) -> Vec<String> {
        self.lock().contested.owners()
    }

    pub(super) fn take_parents(&self) -> PendingParents {
        std::mem::take(&mut self.lock().parents)
    }

    pub(super) fn take_contested(&self) -> Contested {
        std::mem::take(&mut self.lock().contested)
    }

    /// A panic while the lock was held can't leave it in disorder: what was being added is added or not.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contested {
    /// The customers under whom the mirror holds contested events.
    pub(super) fn owners(&self) -> Vec<String> {
        self.by_owner.keys().cloned().collect()
    }

    /// Takes out the contested events of `owner`, each with the customer who lists it.
    pub(super) fn take(&mut self, owner: &str) -> HashMap<String, String> {
        self.by_owner.remove(owner).unwrap_or_default()
    }

    /// Puts back the events of `owner` that are still contested.
    pub(super) fn put_back(&mut self, owner: &str, contested: HashMap<String, String>) {
        self.by_owner.insert(owner.to_owned(), contested);
    }

    /// How many are left, and the first of them: the event, who keeps it, who lists it as well.
    pub(super) fn left(&self) -> Option<(usize, &str, &str, &str)> {
        let count = self.by_owner.values().map(HashMap::len).sum();
        let (owner, contested) = self.by_owner.iter().find(|(_, contested)| !contested.is_empty())?;
        let (event, claimant) = contested.iter().min()?;
        Some((count, event, owner, claimant))
    }
}
