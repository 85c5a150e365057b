//! The whole program: the real binary as a child process, against real servers on loopback, judged by what it
//! leaves in the mirror, in the exports, on its outputs and at the servers.
//!
//! `support` holds what the tests share; every other module is one subject. One binary, so that it is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod account;
mod audit;
mod churn;
mod commands;
mod configuration;
mod crashes;
mod customers;
mod deletion;
mod echoes;
mod endings;
mod export_readers;
mod faults;
mod forbidden;
mod guises;
mod hygiene;
mod incremental;
mod matrix;
mod mirror_path;
mod missing_events;
mod moves;
mod names;
mod origin;
mod paging;
mod permissions;
mod proxy;
mod readers;
mod rejected;
mod repaired;
mod secrets;
mod stopping;
mod support;
mod tls;
mod tokens;
mod verify;
