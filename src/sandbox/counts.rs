//! What the server was asked, counted.

use super::routes::Route;

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
    /// Webhooks listed, asked for, created, updated and deleted.
    pub webhooks: u64,
    /// Requests without a good key, API version, path or method.
    pub rejected: u64,
    /// Requests above a limit (429); they count nowhere else.
    pub refused: u64,
    /// Answers that were made faulty on purpose.
    pub faults: u64,
}

impl RequestCounts {
    /// The count that a request of this route belongs to.
    pub(super) fn of(&mut self, route: &Route) -> &mut u64 {
        match route {
            Route::ListCustomers => &mut self.customer_pages,
            Route::RetrieveCustomer(_) => &mut self.retrieves,
            Route::ListEvents(_) => &mut self.event_pages,
            Route::CreateCustomer | Route::UpdateCustomer(_) | Route::DeleteCustomer(_) => &mut self.writes,
            Route::RetrieveAccount => &mut self.accounts,
            Route::ListWebhooks
            | Route::CreateWebhook
            | Route::RetrieveWebhook(_)
            | Route::UpdateWebhook(_)
            | Route::DeleteWebhook(_) => &mut self.webhooks,
        }
    }
}
