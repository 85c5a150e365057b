//! The daemon: runs the schedule until it is told to stop.
//!
//! | file | what it does | I/O |
//! |---|---|---|
//! | `plan` | what runs now, what waits, what is skipped, when to look again | none |
//! | `missed` | which runs are caught up at the start | none |
//! | `run` | the loop that asks the plan, starts its runs and waits | time |
//! | `metrics`, `exposition` | what is counted and measured, and its text | none |
//!
//! What a run is, the loop doesn't know: it is handed a [`Work`]. What happens is told to a [`Watcher`].

mod exposition;
mod metrics;
mod missed;
mod plan;
mod run;

pub use exposition::Exposition;
pub use metrics::{Metrics, MirrorState};
pub use missed::{History, Past};
pub use plan::{Decision, Ended, Kind, Plan, Schedules, SkipReason};
pub use run::{Control, Happening, Pace, Watcher, Work, run};
