//! The whole program: the real binary as a child process, against real servers on loopback, judged by what it
//! leaves in the mirror, in the exports, on its outputs and at the servers.
//!
//! `support` holds what the tests share; every other module is one subject. One binary, so that it is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod audit;
mod churn;
mod commands;
mod configuration;
mod crashes;
mod customers;
mod deletion;
mod faults;
mod hygiene;
mod incremental;
mod matrix;
mod moves;
mod names;
mod origin;
mod paging;
mod permissions;
mod readers;
mod rejected;
mod secrets;
mod stopping;
mod support;
mod tokens;
mod verify;
