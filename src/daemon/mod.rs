//! The daemon: runs the schedule until it is told to stop.
//!
//! | file | what it does | I/O |
//! |---|---|---|
//! | `plan` | what runs now, what waits, what is skipped, when to look again | none |
//! | `missed` | which missed runs the daemon catches up with at its start | none |
//! | `run` | the loop that asks the plan, starts its runs and waits | time |
//! | `webhooks` | takes deliveries of the vendor's webhooks, which make a run due | network, disk |
//! | `notices` | tells people and monitors outside what needs them | network, disk |
//! | `target` | where notices may go, and what may become of them | none |
//! | `metrics`, `mirror_state`, `exposition` | what is counted and measured, and its text | none |
//!
//! The loop doesn't know what a run is: it is given a [`Work`]. It reports what happens to a [`Watcher`].

mod exposition;
mod metrics;
mod mirror_state;
mod missed;
pub mod notices;
mod plan;
mod run;
mod target;
pub mod webhooks;

pub use exposition::Exposition;
pub use metrics::Metrics;
pub use mirror_state::{DestinationState, MirrorState};
pub use missed::{History, Past};
pub use plan::{Decision, Ended, Kind, Plan, Schedules, SkipReason};
pub use run::{Control, Happening, Pace, Watcher, Work, run};
pub use target::{Sent, Target};
