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
    /// Of a list that is no stream's.
    path: Option<&'static str>,
}

impl List {
    /// The list of a stream without a parent.
    pub const fn of(stream: Stream) -> List {
        List { stream, parent: None, path: None }
    }

    /// The list of a stream's records that belong to one parent.
    pub fn of_parent(stream: Stream, parent: String) -> List {
        List { stream, parent: Some(parent), path: None }
    }

    /// The list of webhooks. They are no stream; the vendor documents that their list is walked as those of events are, so it
    /// is read with what is known and set about these.
    pub const fn webhooks() -> List {
        List { stream: Stream::Events, parent: None, path: Some("webhooks") }
    }

    /// What the list holds; of webhooks, the stream whose lists are like theirs.
    pub const fn stream(&self) -> Stream {
        self.stream
    }

    /// The id of the record whose children it lists; `None` for a list of its own.
    pub fn parent(&self) -> Option<&str> {
        self.parent.as_deref()
    }

    pub(super) fn url(&self, client: &Client) -> Result<Url, ApiError> {
        if let Some(path) = self.path {
            return client.url(&[path]);
        }
        match (self.stream.parent(), &self.parent) {
            (Some(parents), Some(parent)) => client.url(&[parents.path(), parent, self.stream.path()]),
            _ => client.url(&[self.stream.path()]),
        }
    }
}
