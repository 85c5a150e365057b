//! What the tests share.
//!
//! - [`Place`] is a fresh folder with a mirror and exports; its [`Program`] runs the binary there.
//! - [`Server`] is a hand-made server whose every answer is scripted; [`Account`] gives it honest ones to depart from.
//! - [`Pages`] is a customer list with tokens of a chosen kind, which notes what was asked for out of turn.
//! - [`Relay`] stands before a sandbox and can fall silent at a chosen request.
//! - [`Authority`] makes certificates for a [`Server`] behind [`Tls`]; [`Proxy`] leads there.
//! - [`echo`] is what a server says that repeats secrets.
//! - [`World`] is an account with a server and a place.
//! - [`State`] is a set of customers and events, read from a world, an account, a mirror, or replayed from exports.

mod account;
mod compare;
mod csv;
#[cfg(feature = "lake")]
pub mod delta;
pub mod echo;
mod json;
mod listener;
mod pages;
#[cfg(feature = "lake")]
pub mod parquet;
mod place;
mod program;
mod proxy;
mod readable;
mod relay;
mod replay;
mod search;
mod server;
mod state;
mod tls;
mod world;

pub use account::{Account, Shared, customer, event};
pub use compare::{assert_counts_are_true, assert_everything_equals, assert_same};
#[allow(
    unused_imports,
    reason = "the promises look at the totals of mirrors that are not to be compared"
)]
pub use compare::{assert_days_are_true, assert_derived_is_true, assert_totals_are_true};
pub use json::{Cell, Row, members, object};
pub use listener::{address, address_for_webhooks, get, post};
pub use pages::{Old, Pages, Tokens};
pub use place::{Place, query};
pub use program::{Program, Ran, Running};
pub use proxy::Proxy;
pub use readable::as_exported;
pub use relay::Relay;
pub use replay::{assert_no_strays, manifest, replay};
#[allow(unused_imports, reason = "the promises erase nobody and hide nothing")]
pub use search::found_in;
pub use server::{Asked, Reply, Server};
pub use state::State;
pub use tls::{Authority, Goodbye, Tls};
#[allow(unused_imports, reason = "the promises serve their own worlds")]
pub use world::{FORMATS, World};

use malomo_mirror::sandbox::{Sandbox, Settings, start};
use std::net::{Ipv4Addr, SocketAddr};

/// A sandbox on a free port.
pub async fn sandbox(settings: Settings) -> Sandbox {
    start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), settings).await.unwrap()
}
