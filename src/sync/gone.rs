//! What a run has found missing, and who else lists it: decided about together at the run's end. A server that has lost
//! its event lists looks the same as events that were deleted; an event that one customer's list lacks may stand in
//! another's; and a customer who is gone may have left its events to somebody.

use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many events that stand in two customers' lists are known one by one.
const CLAIMS_KEPT: usize = 20_000;

/// Collects until the run's end. Holds the ids of what is missing and of what is claimed, nothing else.
#[derive(Default)]
pub(super) struct Gone(Mutex<State>);

#[derive(Default)]
struct State {
    events: Vec<GoneEvents>,
    customers: GoneCustomers,
    claims: Claims,
}

/// Events of one customer that two walks of its list lacked.
pub(super) struct GoneEvents {
    pub(super) customer: String,
    /// When the walk of the customer's events began; `None` if they are to be read again all the same.
    pub(super) checked_at: Option<Timestamp>,
    /// Their ids.
    pub(super) events: Vec<String>,
}

/// Customers that a complete walk of the list lacked, and the API doesn't know.
#[derive(Default)]
pub(super) struct GoneCustomers {
    /// What lacked them.
    pub(super) missing_from: String,
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
    pub(super) fn add_events(&self, customer: &str, checked_at: Option<Timestamp>, events: Vec<String>) {
        self.lock().events.push(GoneEvents { customer: customer.to_owned(), checked_at, events });
    }

    pub(super) fn add_customer(&self, missing_from: &str, id: String, request_id: Option<String>) {
        let customers = &mut self.lock().customers;
        customers.missing_from.clear();
        customers.missing_from.push_str(missing_from);
        customers.customers.push((id, request_id));
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

    /// Those who hold claimed events and whose lists are not known to lack any.
    pub(super) fn owners_to_read(&self) -> Vec<String> {
        let state = self.lock();
        let read: HashSet<&String> = state.events.iter().map(|gone| &gone.customer).collect();
        state.claims.by_owner.keys().filter(|owner| !read.contains(owner)).cloned().collect()
    }

    pub(super) fn take_events(&self) -> Vec<GoneEvents> {
        std::mem::take(&mut self.lock().events)
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
