//! Where the API is, and how patiently it is asked.

use super::errors::RetryPolicy;
use reqwest::Url;
use std::time::Duration;

/// What a [`Client`](super::Client) is built from, besides the key.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Every call goes below this URL: https, or http to this machine alone. Its path is kept.
    pub base_url: Url,
    /// Requests in flight at most; 0 counts as 1. Lowered by itself while the API answers 429.
    pub concurrency: usize,
    /// Longest wait for a connection, TLS included.
    pub connect_timeout: Duration,
    /// Longest wait for the first byte of an answer, counted from when its request was sent, and for each further part of
    /// its body. Together with `connect_timeout`, also how long a request waits to be sent where no other one is on its way.
    pub first_byte_timeout: Duration,
    /// Longest time for a whole body, counted from its first byte.
    pub body_timeout: Duration,
    /// Longest body in bytes, counted after decompression.
    pub max_body: u64,
    /// How often and how soon a failed request is repeated.
    pub retry: RetryPolicy,
}

impl Settings {
    /// The defaults of the configuration, for this base URL.
    #[cfg(test)]
    pub fn new(base_url: Url) -> Settings {
        Settings {
            base_url,
            concurrency: 16,
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(120),
            max_body: 64 << 20,
            retry: RetryPolicy::default(),
        }
    }
}
