//! One call: what is asked for, and which answers are its success.

use crate::api::errors::ErrorKind;
use crate::record::Stream;
use reqwest::{Method, Url};

/// One call, to be attempted until it is done. `Debug` is left out: the body holds personal data.
pub(in crate::api) struct Call {
    pub(in crate::api) method: Method,
    pub(in crate::api) url: Url,
    /// JSON, where the call writes.
    pub(in crate::api) body: Option<Vec<u8>>,
    /// For the observer.
    pub(in crate::api) stream: Stream,
    pub(super) is_list: bool,
    pub(super) attempts_at_most: Option<u32>,
}

impl Call {
    pub(in crate::api) fn new(method: Method, url: Url, stream: Stream) -> Call {
        Call { method, url, body: None, stream, is_list: false, attempts_at_most: None }
    }

    /// Reads a page of a list.
    pub(in crate::api) fn list(url: Url, stream: Stream) -> Call {
        Call { is_list: true, ..Call::new(Method::GET, url, stream) }
    }

    /// Makes at most `n` attempts: for requests that only probe something.
    #[must_use]
    pub(in crate::api) fn attempts_at_most(mut self, n: u32) -> Call {
        self.attempts_at_most = Some(n);
        self
    }

    /// Whether the documentation knows this status as the call's success. 203 is a 200 that a proxy has been at
    /// (RFC 9110 section 15.3.4).
    pub(super) fn succeeds_with(&self, status: u16) -> bool {
        match (&self.method, status) {
            (_, 200 | 203) | (&Method::POST, 201) | (&Method::DELETE, 204) => true,
            (_, 204) => self.is_list,
            _ => false,
        }
    }

    /// The kind of failure that a status of no success means to this call.
    pub(super) fn failure(&self, status: u16) -> ErrorKind {
        match ErrorKind::of_status(status) {
            // Whoever may not list the customers can do nothing at all.
            ErrorKind::Forbidden if self.is_list && self.stream.parent().is_none() => ErrorKind::KeyRefused,
            kind => kind,
        }
    }
}

/// An answer that is not the documented JSON: what is wrong with it, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) struct NotDocumented(pub(in crate::api) String);

impl From<serde_json::Error> for NotDocumented {
    /// Says where, not what: the error's own text may quote the answer.
    fn from(error: serde_json::Error) -> NotDocumented {
        let what = match error.classify() {
            serde_json::error::Category::Data => "not of the documented shape",
            serde_json::error::Category::Eof => "it ends too early",
            _ => "not JSON",
        };
        NotDocumented(format!("{what} (line {}, column {})", error.line(), error.column()))
    }
}
