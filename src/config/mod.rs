//! The configuration: what can be set, where each value came from, and the API key.
//!
//! One table (`keys.rs`) declares every key with its default, its meaning and what it accepts.
//! Parsing, validation, the names of environment variables, `config show` and `config.toml.example` come
//! from that table alone.
//!
//! Later layers win: defaults, the file, the environment, flags. Every layer is checked in full, also where
//! a later one replaces it, and all mistakes are reported at once. The environment and the current
//! directory come in as an [`Environment`], so nothing here depends on the process that runs it.

mod api_key;
mod duration;
mod environment;
mod example;
mod file;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod key;
mod keys;
mod nearest;
mod problem;
mod read;
mod settings;
mod show;
mod size;
mod typed;
mod value;

pub use api_key::{ApiKey, KeyError, KeyOrigin, api_key};
pub use environment::{Environment, Override};
pub use example::example;
pub use problem::{ConfigError, Origin, Problem};
pub use typed::{
    ApiConfig, Config, ExportConfig, HttpConfig, MirrorConfig, PagingConfig, ScheduleConfig, StreamPaging,
    SyncConfig,
};
