//! How large the sandbox's world is and how its server behaves.

use std::time::Duration;

/// What a sandbox is made of. The same settings give the same world and the same faults.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Customers at the start.
    pub customers: usize,
    /// Events per customer at the start: the mean of a distribution with a heavy tail, in which many
    /// customers have none, since an order has several.
    pub events_per_customer: f64,
    /// Records on a page, at least 1.
    pub page_size: usize,
    /// The seed of the world, its churn and its faults.
    pub seed: u64,
    /// Waited before each answer.
    pub latency: Duration,
    /// Requests a second that are let through (a token bucket with a small burst); above it the answer
    /// is 429 with `Retry-After: 1`. `None`: no limit.
    pub rate_limit: Option<f64>,
    /// Requests in flight that are let through; above it the answer is 429 without `Retry-After`.
    /// `None`: no limit.
    pub concurrency_limit: Option<usize>,
    /// The share of API answers, 0 to 1, that are faulty.
    pub fault_rate: f64,
    /// Changes to the world a second while the server runs; orders under way go on meanwhile. 0: it stands still.
    pub churn: f64,
    /// How many times as fast as real time the world's clock runs while it changes.
    pub time_factor: f64,
    /// A new event moves its customer's `updated_at` (`api-contract` point 10).
    pub events_touch_customer: bool,
    /// `GET /accounts/self` names the account; else it is answered with 404.
    pub account: bool,
    /// Where a list's answer carries the next page token (`api-contract` point 1).
    pub token_style: TokenStyle,
    /// The meanings of the parameters `next` and `prev` are exchanged (`api-contract` point 2).
    pub swap_direction: bool,
    /// The order of both lists (`api-contract` point 5).
    pub order: Order,
    /// Every third record is odd in some way that the documentation doesn't exclude.
    pub awkward: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            customers: 1000,
            events_per_customer: 5.0,
            page_size: 50,
            seed: 1,
            latency: Duration::ZERO,
            rate_limit: None,
            concurrency_limit: None,
            fault_rate: 0.0,
            churn: 0.0,
            time_factor: 1.0,
            events_touch_customer: false,
            account: true,
            token_style: TokenStyle::Link,
            swap_direction: false,
            order: Order::CreatedAsc,
            awkward: false,
        }
    }
}

/// Where a list's answer carries the next page token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum TokenStyle {
    /// In a `Link` header (RFC 8288), absolute and relative by turns.
    Link,
    /// In the body: `{"data":[...],"next":"TOKEN"}`, null on the last page.
    Envelope,
    /// In the header `x-next-cursor`.
    Header,
    /// Nowhere: the id of the page's last record is the cursor.
    LastId,
}

/// The order of a list. Equal times are ordered by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Order {
    /// Oldest first.
    CreatedAsc,
    /// Newest first.
    CreatedDesc,
    /// Last changed first: rows move to the front while a list is walked.
    UpdatedDesc,
    /// By the text of the id, byte by byte.
    Id,
}

impl Order {
    /// Whether the list runs against the order of its sort keys.
    pub(super) fn descending(self) -> bool {
        matches!(self, Order::CreatedDesc | Order::UpdatedDesc)
    }

    /// What a record with these times is sorted by, before its id.
    pub(super) fn sort_key(self, created: i64, updated: i64) -> i64 {
        match self {
            Order::CreatedAsc | Order::CreatedDesc => created,
            Order::UpdatedDesc => updated,
            Order::Id => 0,
        }
    }
}

/// The most customers a world can hold at the start.
const MOST_CUSTOMERS: usize = 50_000_000;
/// The most events per customer, as a mean.
const MOST_EVENTS: f64 = 10_000.0;
/// The fastest a limit, the churn or the clock can be: a million a second.
const FASTEST: f64 = 1e6;

impl Settings {
    /// The first setting that makes no sense, with what was expected of it.
    pub(super) fn fault(&self) -> Option<(&'static str, &'static str)> {
        let rules = [
            (self.customers <= MOST_CUSTOMERS, "customers", "at most 50000000"),
            (
                (0.0..=MOST_EVENTS).contains(&self.events_per_customer),
                "events_per_customer",
                "a number from 0 to 10000",
            ),
            ((1..=10_000).contains(&self.page_size), "page_size", "a number from 1 to 10000"),
            (
                self.rate_limit.is_none_or(|rate| rate > 0.0 && rate <= FASTEST),
                "rate_limit",
                "a number above 0, at most 1000000",
            ),
            (self.concurrency_limit != Some(0), "concurrency_limit", "at least 1"),
            ((0.0..=1.0).contains(&self.fault_rate), "fault_rate", "a number from 0 to 1"),
            ((0.0..=FASTEST).contains(&self.churn), "churn", "a number from 0 to 1000000"),
            (
                self.time_factor > 0.0 && self.time_factor <= FASTEST,
                "time_factor",
                "a number above 0, at most 1000000",
            ),
        ];
        rules.into_iter().find(|(good, ..)| !good).map(|(_, name, expected)| (name, expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_make_sense() {
        assert_eq!(Settings::default().fault(), None);
    }

    #[test]
    fn settings_without_sense_are_named() {
        let base = Settings::default;
        let cases = [
            (Settings { events_per_customer: f64::NAN, ..base() }, "events_per_customer"),
            (Settings { page_size: 0, ..base() }, "page_size"),
            (Settings { rate_limit: Some(0.0), ..base() }, "rate_limit"),
            (Settings { concurrency_limit: Some(0), ..base() }, "concurrency_limit"),
            (Settings { fault_rate: 1.5, ..base() }, "fault_rate"),
            (Settings { churn: f64::INFINITY, ..base() }, "churn"),
            (Settings { time_factor: 0.0, ..base() }, "time_factor"),
            (Settings { time_factor: f64::NAN, ..base() }, "time_factor"),
        ];
        for (settings, name) in cases {
            assert_eq!(settings.fault().map(|(name, _)| name), Some(name));
        }
    }

    #[test]
    fn names_on_the_command_line() {
        use clap::ValueEnum;
        let names = |values: &[TokenStyle]| -> Vec<String> {
            values.iter().map(|v| v.to_possible_value().unwrap().get_name().to_owned()).collect()
        };
        assert_eq!(names(TokenStyle::value_variants()), ["link", "envelope", "header", "last-id"]);
        assert!(Order::from_str("updated-desc", false).is_ok());
    }
}
