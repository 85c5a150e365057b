//! The daemon: the real binary as a child process, with a socket that stands in for the service manager's. Nothing here
//! waits by the clock: a test waits for what the daemon says.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod concurrent_runs;
mod dashboards;
#[path = "../promises/disk.rs"]
#[allow(dead_code, reason = "shared with the promises, which use more of it")]
mod disk;
mod metrics_and_health;
mod notices;
mod packaging;
mod page;
mod reloading;
mod retention;
mod scrape;
mod service_manager;
mod service_notifications;
mod status;
mod stopping;
#[path = "../it/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the other tests, which use more of it")]
mod support;
mod unread_stderr;
