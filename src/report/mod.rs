//! The report: one page for people who look rather than read. It is HTML that needs nothing else, no script, no network.
//!
//! | file | what it does |
//! |---|---|
//! | `verdict` | the one thing that the page says first |
//! | `page` | the page, section by section |
//! | `activity` | the charts of runs, changes, events and orders |
//! | `chart` | columns as SVG, each with its table |
//! | `without_ids` | an error's text without whose it was |
//! | `numbers` | numbers and times as the page writes them |
//!
//! In: a [`Report`], read from the mirror by its caller. Out: a page that holds counts, ids of runs and types of events,
//! nothing of customers. Pure.

mod activity;
mod chart;
mod numbers;
mod page;
mod verdict;
mod without_ids;

pub use page::{CONTENT_SECURITY_POLICY_STYLE, page};

use crate::mirror::{ChangeCount, EventWeeks, Freshness, Mode, OrderSteps, Outcome, RunDay};
use crate::record::Stream;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Days that the charts by day show, the current one included.
pub const DAYS: i32 = 30;

/// Weeks that the charts by week show, the current one included.
pub const WEEKS: i32 = 12;

/// What the page shows.
#[derive(Debug, Clone)]
pub struct Report {
    /// When it was read.
    pub now: Timestamp,
    /// Of the schedule: for times of day. Days are UTC's.
    pub zone: TimeZone,
    /// The mirror's own id.
    pub mirror_id: String,
    /// Of the program.
    pub version: &'static str,
    /// Whether it is in doubt whose account the API answers for.
    pub is_account_in_doubt: bool,
    /// Whether a run or an export is under way.
    pub is_running: bool,
    /// How current each stream is.
    pub streams: Vec<Freshness>,
    /// The newest run that didn't do all that it should.
    pub last_error: Option<Trouble>,
    /// The newest runs, newest first.
    pub newest_runs: Vec<RunLine>,
    /// Runs by day and outcome.
    pub run_days: Vec<RunDay>,
    /// Changes by day and stream.
    pub changes: BTreeMap<(Date, Stream), ChangeCount>,
    /// Events by type and week; `None`: there are too many to be counted in time.
    pub events: Option<EventWeeks>,
    /// How long the steps of orders took; `None`: there are too many to be counted in time.
    pub orders: Option<OrderSteps>,
    /// How far each stream is exported in each format.
    pub exports: Vec<ExportLine>,
    /// What is to come, and what is promised.
    pub plan: Outlook,
}

/// A run that didn't do all that it should.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// Its number.
    pub run_id: i64,
    /// What it walked.
    pub mode: Mode,
    /// How it ended.
    pub outcome: Outcome,
    /// When: UTC, ISO 8601.
    pub at: String,
    /// Why; the page leaves out whose records the text names.
    pub error: String,
    /// What to do.
    pub what_to_do: Option<String>,
    /// A newer run that went well.
    pub ok_since: Option<i64>,
}

/// A run.
#[derive(Debug, Clone)]
pub struct RunLine {
    /// Its number.
    pub run_id: i64,
    /// What it walked.
    pub mode: Mode,
    /// How it ended.
    pub outcome: Outcome,
    /// When it began: UTC, ISO 8601.
    pub started_at: String,
    /// How long it took.
    pub seconds: Option<f64>,
    /// Requests that it sent.
    pub requests: u64,
    /// Rows that it wrote.
    pub changes: u64,
}

/// How far a stream is exported in a format.
#[derive(Debug, Clone)]
pub struct ExportLine {
    /// The stream's name.
    pub stream: String,
    /// The format's name.
    pub format: String,
    /// The newest change that is exported; 0: none.
    pub exported_to: i64,
    /// The stream's newest change.
    pub newest_change: i64,
    /// When the newest file was written: UTC, ISO 8601.
    pub at: Option<String>,
}

/// What the schedule and the settings promise.
#[derive(Debug, Clone)]
pub struct Outlook {
    /// When the daemon's next incremental runs begin; none: never.
    pub next_sync: Option<Timestamp>,
    /// When its next full run begins.
    pub next_full: Option<Timestamp>,
    /// From one scheduled incremental run to the next.
    pub interval: Option<SignedDuration>,
    /// `sync.events_max_age`
    pub events_max_age: SignedDuration,
    /// How many scheduled incremental runs there are in the next 24 hours.
    pub runs_in_a_day: usize,
    /// Whether webhooks are listened for.
    pub has_webhooks: bool,
    /// Customers that webhooks hinted at and no run has looked at yet.
    pub hints_waiting: u64,
}
