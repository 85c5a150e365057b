//! The lists of the API.

use crate::api::calls::Client;
use crate::api::errors::ApiError;
use crate::record::Stream;
use reqwest::Url;

/// A list of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum List {
    /// `GET /customers`
    Customers,
    /// `GET /customers/:customer_id/events`
    Events {
        /// Whose events.
        customer_id: String,
    },
}

impl List {
    /// What the list holds.
    pub const fn stream(&self) -> Stream {
        match self {
            List::Customers => Stream::Customers,
            List::Events { .. } => Stream::Events,
        }
    }

    /// Whose list it is; `None` for the list of customers.
    pub fn customer_id(&self) -> Option<&str> {
        match self {
            List::Customers => None,
            List::Events { customer_id } => Some(customer_id),
        }
    }

    pub(super) fn url(&self, client: &Client) -> Result<Url, ApiError> {
        match self {
            List::Customers => client.url(&["customers"]),
            List::Events { customer_id } => client.url(&["customers", customer_id, "events"]),
        }
    }
}
