//! The lists of the API.

use crate::api::calls::Client;
use crate::api::errors::ApiError;
use crate::record::Stream;
use reqwest::Url;

/// A list of the API: `GET /customers`, or the children of one record, such as `GET /customers/:customer_id/events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    stream: Stream,
    parent: Option<String>,
}

impl List {
    /// The list of a stream without a parent.
    pub const fn of(stream: Stream) -> List {
        List { stream, parent: None }
    }

    /// The list of a stream's records that belong to one parent.
    pub fn of_parent(stream: Stream, parent: String) -> List {
        List { stream, parent: Some(parent) }
    }

    /// What the list holds.
    pub const fn stream(&self) -> Stream {
        self.stream
    }

    /// The id of the record whose children it lists; `None` for a list of its own.
    pub fn parent(&self) -> Option<&str> {
        self.parent.as_deref()
    }

    pub(super) fn url(&self, client: &Client) -> Result<Url, ApiError> {
        match (self.stream.parent(), &self.parent) {
            (Some(parents), Some(parent)) => client.url(&[parents.path(), parent, self.stream.path()]),
            _ => client.url(&[self.stream.path()]),
        }
    }
}
