//! What a run decides about at its end: customers that are gone, and events that two customers list. An event that one
//! customer's list lacks may stand in another's, and a customer who is gone may have left its events to somebody. Events that
//! are missing are marked in the mirror itself.

use crate::mirror::SeenRows;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many events that stand in two customers' lists are known one by one.
const CLAIMS_KEPT: usize = 20_000;

/// Collects until the run's end. Holds the ids of what is missing and of what is claimed, nothing else.
#[derive(Default)]
pub(super) struct Gone(Mutex<State>);

#[derive(Default)]
struct State {
    customers: GoneCustomers,
    claims: Claims,
}

/// Customers that a complete walk of the list lacked, and the API doesn't know.
#[derive(Default)]
pub(super) struct GoneCustomers {
    /// What lacked them.
    pub(super) missing_from: String,
    /// Whom it brought.
    pub(super) listed: SeenRows,
    /// Their ids, and the request id of the API's 404 where it had one.
    pub(super) customers: Vec<(String, Option<String>)>,
}

/// Events that are listed by a customer while the mirror holds them under another one, their owner: by owner and event,
/// who lists them.
#[derive(Default)]
pub(super) struct Claims {
    by_owner: BTreeMap<String, HashMap<String, String>>,
    kept: usize,
    /// There are more than could be kept.
    pub(super) are_cut: bool,
}

impl Gone {
    /// The walk that `missing_from` describes has brought these customers.
    pub(super) fn walked(&self, missing_from: String, listed: SeenRows) {
        let customers = &mut self.lock().customers;
        (customers.missing_from, customers.listed) = (missing_from, listed);
    }

    /// It has not brought this one, and the API doesn't know it either.
    pub(super) fn add_customer(&self, id: String, request_id: Option<String>) {
        self.lock().customers.customers.push((id, request_id));
    }

    /// Events that `claimant` lists, each with the customer under whom the mirror holds it.
    pub(super) fn add_claims(&self, claimant: &str, claimed: Vec<(String, String)>) {
        if claimed.is_empty() {
            return;
        }
        let claims = &mut self.lock().claims;
        for (event, owner) in claimed {
            let of_owner = claims.by_owner.entry(owner).or_default();
            if of_owner.contains_key(&event) {
                continue;
            }
            if claims.kept == CLAIMS_KEPT {
                claims.are_cut = true;
                return;
            }
            claims.kept += 1;
            of_owner.insert(event, claimant.to_owned());
        }
    }

    /// Those who hold claimed events.
    pub(super) fn owners(&self) -> Vec<String> {
        self.lock().claims.owners()
    }

    pub(super) fn take_customers(&self) -> GoneCustomers {
        std::mem::take(&mut self.lock().customers)
    }

    pub(super) fn take_claims(&self) -> Claims {
        std::mem::take(&mut self.lock().claims)
    }

    /// A panic while the lock was held can't leave it in disorder: what was being added is added or not.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claims {
    /// Those who hold claimed events.
    pub(super) fn owners(&self) -> Vec<String> {
        self.by_owner.keys().cloned().collect()
    }

    /// Who claims which events of `owner`; they count as settled from now on, but for those that are put back.
    pub(super) fn take(&mut self, owner: &str) -> HashMap<String, String> {
        self.by_owner.remove(owner).unwrap_or_default()
    }

    /// These are not settled.
    pub(super) fn put_back(&mut self, owner: &str, claims: HashMap<String, String>) {
        self.by_owner.insert(owner.to_owned(), claims);
    }

    /// How many are left, and the first of them: the event, who keeps it, who lists it as well.
    pub(super) fn left(&self) -> Option<(usize, &str, &str, &str)> {
        let count = self.by_owner.values().map(HashMap::len).sum();
        let (owner, claims) = self.by_owner.iter().find(|(_, claims)| !claims.is_empty())?;
        let (event, claimant) = claims.iter().min()?;
        Some((count, event, owner, claimant))
    }
}
