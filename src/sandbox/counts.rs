//! What the server was asked, counted.

use super::routes::Route;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Requests since the start. Each one that got past the limits counts once under its call, whether its
/// answer was faulty or not; `refused` and `faults` tell what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// Pages of the customer list.
    pub customer_pages: u64,
    /// Customers asked for alone.
    pub retrieves: u64,
    /// Pages of events.
    pub event_pages: u64,
    /// Customers created, updated and deleted.
    pub writes: u64,
    /// The account asked for.
    pub accounts: u64,
    /// Requests without a good key, API version, path or method.
    pub rejected: u64,
    /// Requests above a limit (429); they count nowhere else.
    pub refused: u64,
    /// Answers that were made faulty on purpose.
    pub faults: u64,
}

/// Counts while the server runs.
#[derive(Debug, Default)]
pub(super) struct Counters {
    customer_pages: AtomicU64,
    retrieves: AtomicU64,
    event_pages: AtomicU64,
    writes: AtomicU64,
    accounts: AtomicU64,
    rejected: AtomicU64,
    refused: AtomicU64,
    faults: AtomicU64,
}

impl Counters {
    pub(super) fn route(&self, route: &Route) {
        let counter = match route {
            Route::ListCustomers => &self.customer_pages,
            Route::RetrieveCustomer(_) => &self.retrieves,
            Route::ListEvents(_) => &self.event_pages,
            Route::CreateCustomer | Route::UpdateCustomer(_) | Route::DeleteCustomer(_) => &self.writes,
            Route::RetrieveAccount => &self.accounts,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn rejected(&self) {
        self.rejected.fetch_add(1, Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(super) fn fault(&self) {
        self.faults.fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self) -> RequestCounts {
        RequestCounts {
            customer_pages: self.customer_pages.load(Relaxed),
            retrieves: self.retrieves.load(Relaxed),
            event_pages: self.event_pages.load(Relaxed),
            writes: self.writes.load(Relaxed),
            accounts: self.accounts.load(Relaxed),
            rejected: self.rejected.load(Relaxed),
            refused: self.refused.load(Relaxed),
            faults: self.faults.load(Relaxed),
        }
    }
}
