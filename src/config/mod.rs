//! The configuration: what can be set, where each value came from, and the secrets that stand elsewhere.
//!
//! A key stands in two places. `config.toml.example`, from which users begin, gives its name, its meaning and its default;
//! the program reads it as the weakest layer (`keys.rs`). `typed.rs` names the field of the settings that it fills, and
//! what it accepts. Everything else follows from these: validation, the nearest known key, the names of environment
//! variables, `config show`. Beside these keys stands an array of tables, `destinations.rs`.
//!
//! Later layers win: defaults, the file, the environment, flags. Every layer is checked in full, also where
//! a later one replaces it, and all mistakes are reported at once. The environment and the current
//! directory come in as an [`Environment`], so nothing here depends on the process that runs it.

mod accepts;
mod destinations;
mod duration;
mod environment;
mod file;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod given_tables;
mod keys;
mod layers;
mod nearest;
mod problem;
mod profiles;
mod secret;
mod show;
mod size;
mod typed;
mod value;

pub use environment::{Environment, Override};
pub use problem::{ConfigError, Origin, Problem};
pub use secret::{Secret, SecretError, SecretKind, SecretOrigin, api_key, webhook_secret};
pub use typed::{Config, HttpConfig, MirrorConfig, WebhookConfig};
