//! A server that speaks the vendor's customer API from a seeded world of any size: for a newcomer to
//! play with, for the demo, for tests and benchmarks.
//!
//! Where the vendor's documentation is silent (`api-contract`, "Silent points"), the [`Settings`] choose
//! one of the possible behaviours. A [`World`] is the same for the same settings; [`World`]'s methods change
//! it while it is served, and [`Settings::churn`] lets it change by itself.
//!
//! The files in the order in which a request meets them: `connection`, `server`, `limits`, `access`,
//! `routes`, `faults`, `lists`, `paging`, `world`, `render` (customers), `events`; `rows` is what is kept of a record,
//! `generate` and `awkward` say what the world holds at its start, `life` how an order goes on, `under_way` and `churn`
//! what happens as time passes; `webhooks` is told of it, and `deliveries` sends that on.

mod access;
mod answer;
mod awkward;
mod churn;
mod connection;
mod counts;
mod deliveries;
mod draw;
mod events;
mod faults;
mod fields;
mod generate;
mod life;
mod limits;
mod lists;
mod paging;
mod render;
mod routes;
mod rows;
mod server;
mod settings;
mod text;
mod under_way;
mod webhook_calls;
mod webhooks;
mod world;

pub use churn::Change;
pub use counts::RequestCounts;
pub use fields::{CustomerField, CustomerFields};
pub use server::{Sandbox, SandboxError, start};
pub use settings::{Order, Settings, TokenStyle, duration};
pub use webhooks::DeliveryCounts;
pub use world::World;
