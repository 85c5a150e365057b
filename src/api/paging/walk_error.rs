//! Why a walk ended before its list did.

use super::page_outcome::NoProgress;
use crate::api::errors::ApiError;
use crate::record::Stream;

/// Why a walk ended before its list did.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// A request failed.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The list does not go on.
    #[error("the list of {stream} can't be read to its end: {reason}")]
    NoProgress {
        /// Of what.
        stream: Stream,
        /// How it shows.
        reason: NoProgress,
    },
    /// The server went on refusing its own tokens.
    #[error(
        "the list of {stream} can't be read to its end: the server refused its own page tokens {times} times"
    )]
    TokensRefused {
        /// Of what.
        stream: Stream,
        /// How often the walk was begun.
        times: u32,
    },
}

impl WalkError {
    /// The request's error, where one failed.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            WalkError::Api(error) => Some(error),
            _ => None,
        }
    }

    /// What to do now, in one or two sentences.
    pub fn hint(&self) -> &'static str {
        match self {
            WalkError::Api(error) => error.hint(),
            WalkError::NoProgress { .. } => {
                "Run again: a list may shift while it is walked. If it stays, set `api.paging` to the way in which \
                 this server names the next page; `malomo-mirror status` shows what was found out."
            }
            WalkError::TokensRefused { .. } => {
                "Run again later; if it stays, report it to the vendor's support."
            }
        }
    }

    /// The line for those outside this machine: without anything of an answer.
    pub fn outline(&self) -> String {
        self.api().map_or_else(|| self.to_string(), ApiError::outline)
    }

    /// The line for logs and for the mirror: without the vendor's message.
    pub fn log_form(&self) -> String {
        self.api().map_or_else(|| self.to_string(), ApiError::log_form)
    }
}
