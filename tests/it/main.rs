//! The whole program: the real binary as a child process, against real servers on loopback, judged by what it
//! leaves in the mirror, in the exports, on its outputs and at the servers.
//!
//! `support` holds what the tests share; every other module is one subject. One binary, so that it is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod account;
mod audit;
mod churn;
mod commands;
mod compaction;
mod configuration;
mod crashes;
mod customers;
mod deletion;
mod derived;
mod describe;
mod destinations;
mod echoed_secrets;
mod endings;
mod erase;
mod export_readers;
mod faults;
mod first_load;
mod forbidden;
mod history;
mod inactive;
mod incremental;
mod lake;
mod looks;
mod mirror_path;
mod missing_events;
mod moves;
mod origin;
mod paging;
mod paging_styles;
mod permissions;
mod private_data;
mod profiles;
mod proxy;
mod query;
mod read_only_users;
mod rejected;
mod repaired;
mod retention;
mod secrets;
mod stopping;
mod support;
mod tls;
mod tokens;
mod unusual_answers;
mod unusual_ids;
mod verify;
mod webhooks;
