//! How large the sandbox's world is and how its server behaves.

use clap::{ArgAction, Parser};
use std::time::Duration;

/// What a sandbox is made of. The same settings give the same world and the same faults. They are also the flags of the
/// command `sandbox`, whose help shows these texts.
#[derive(Debug, Clone, PartialEq, Parser)]
pub struct Settings {
    /// Customers at the start
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub customers: usize,
    /// Events per customer at the start: the mean of a heavy-tailed distribution
    #[arg(long, value_name = "MEAN", default_value_t = 5.0)]
    pub events_per_customer: f64,
    /// Records on a page
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub page_size: usize,
    /// The same seed gives the same world and the same faults
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Wait before each answer, such as 50ms
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = duration)]
    pub latency: Duration,
    /// Requests a second allowed; above it the answer is 429 with Retry-After
    #[arg(long, value_name = "N")]
    pub rate_limit: Option<f64>,
    /// Requests at once allowed; above it the answer is 429
    #[arg(long, value_name = "N")]
    pub concurrency_limit: Option<usize>,
    /// Share of faulty answers, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub fault_rate: f64,
    /// Changes to the world a second: orders, new customers, edits, deletions; orders under way go on meanwhile
    #[arg(long, value_name = "N", default_value_t = 0.0)]
    pub churn: f64,
    /// With --churn: how many times as fast as real time the world's clock runs; 1440: a minute is a day
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub time_factor: f64,
    // `api-contract` point 10
    /// A new event moves its customer's `updated_at`
    #[arg(long)]
    pub events_touch_customer: bool,
    /// `GET /accounts/self` names the account; else it is answered with 404.
    #[arg(long = "no-account", action = ArgAction::SetFalse, help = "Answer GET /accounts/self with 404")]
    pub account: bool,
    /// Share of webhook deliveries that are never sent, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub webhook_loss: f64,
    /// Share of webhook deliveries that are sent twice
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub webhook_repeat: f64,
    /// Share of webhook deliveries beside which one with a false signature is sent
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub webhook_forged: f64,
    /// Share of webhook deliveries beside which an old one is sent once more
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub webhook_replayed: f64,
    /// Wait before each webhook delivery; its repetitions after a failure come faster by --time-factor
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = duration)]
    pub webhook_delay: Duration,
    /// Deliver to webhooks on other machines, too; else to loopback addresses only
    #[arg(long)]
    pub webhook_anywhere: bool,
    // `api-contract` point 1
    /// Where a list's answer says how it goes on
    #[arg(long, value_enum, value_name = "STYLE", default_value_t = TokenStyle::Link)]
    pub token_style: TokenStyle,
    // `api-contract` point 2
    /// Exchange the meanings of the parameters `next` and `prev`
    #[arg(long)]
    pub swap_direction: bool,
    // `api-contract` point 5
    /// The order of lists
    #[arg(long, value_enum, value_name = "ORDER", default_value_t = Order::CreatedAsc)]
    pub order: Order,
    /// Odd records: quotes, newlines, formulas, emoji, right-to-left text, nulls, undocumented fields, odd numbers
    #[arg(long)]
    pub awkward: bool,
}

impl Default for Settings {
    /// What the flags are without being given.
    fn default() -> Settings {
        Settings::parse_from([""])
    }
}

/// Reads a span of time such as `50ms` or `2s`.
///
/// # Errors
/// When it is none.
pub fn duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("`{text}` is no time: write it like 50ms or 2s");
    let time: jiff::SignedDuration = text.parse().map_err(|_| expected())?;
    Duration::try_from(time).map_err(|_| expected())
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

    /// What lies in the order of the sort keys, in the order of the list.
    pub(super) fn arranged<T>(self, sorted: impl DoubleEndedIterator<Item = T>) -> Vec<T> {
        if self.descending() { sorted.rev().collect() } else { sorted.collect() }
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

/// The fastest a limit, the churn or the clock can be: a million a second.
const FASTEST: f64 = 1e6;

impl Settings {
    /// The first setting that makes no sense, with what was expected of it.
    pub(super) fn fault(&self) -> Option<(&'static str, &'static str)> {
        const SPEED: &str = "a number above 0, at most 1000000";
        const SHARE: &str = "a number from 0 to 1";
        let is_speed = |speed: f64| speed > 0.0 && speed <= FASTEST;
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        let mean = self.events_per_customer;
        let rules = [
            (self.customers <= 50_000_000, "customers", "at most 50000000"),
            ((0.0..=10_000.0).contains(&mean), "events_per_customer", "a number from 0 to 10000"),
            ((1..=10_000).contains(&self.page_size), "page_size", "a number from 1 to 10000"),
            (self.rate_limit.is_none_or(is_speed), "rate_limit", SPEED),
            (self.concurrency_limit != Some(0), "concurrency_limit", "at least 1"),
            (is_share(self.fault_rate), "fault_rate", SHARE),
            ((0.0..=FASTEST).contains(&self.churn), "churn", "a number from 0 to 1000000"),
            (is_speed(self.time_factor), "time_factor", SPEED),
            (is_share(self.webhook_loss), "webhook_loss", SHARE),
            (is_share(self.webhook_repeat), "webhook_repeat", SHARE),
            (is_share(self.webhook_forged), "webhook_forged", SHARE),
            (is_share(self.webhook_replayed), "webhook_replayed", SHARE),
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
