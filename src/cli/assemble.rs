//! From the configuration to the parts that it configures, in one place.

use super::args::Global;
use super::exit::Failure;
use super::misplaced_key;
use crate::api::{self, Client, KnownPaging, PagingSettings, RetryPolicy};
use crate::config::{ApiKey, Config, Environment, Override, api_key};
use crate::daemon::Schedules;
use crate::export;
use crate::mirror::{LockError, Mirror, MirrorError, RunLock, is_there};
use crate::observe::Observer;
use crate::sync::{self, Tools};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often a lock that is waited for is tried.
const LOCK_RETRY: Duration = Duration::from_millis(250);

/// The process's environment and current directory.
pub(super) fn environment() -> Result<Environment, Failure> {
    let directory = std::env::current_dir()
        .map_err(|error| Failure::usage(format!("the current directory can't be found: {error}")))?;
    Ok(Environment::new(std::env::vars_os(), directory))
}

/// The effective configuration.
pub(super) fn config(global: &Global) -> Result<Config, Failure> {
    let overrides = global.overrides.iter().map(|text| set_flag(text)).collect::<Result<Vec<_>, _>>()?;
    Ok(Config::load(global.config.as_deref(), &environment()?, &overrides)?)
}

fn set_flag(text: &str) -> Result<Override, Failure> {
    let (key, value) = text.split_once('=').ok_or_else(|| {
        misplaced_key::refusal(&[text.into()]).unwrap_or_else(|| {
            Failure::usage(format!("--set {text}: write it as KEY=VALUE, such as sync.events_max_age=0s"))
        })
    })?;
    Ok(Override { flag: "--set".to_owned(), key: key.trim().to_owned(), value: value.trim().to_owned() })
}

/// The key from where the user put it.
pub(super) fn key(config: &Config) -> Result<ApiKey, Failure> {
    Ok(api_key(config, &environment()?)?)
}

/// The API's client, with the key from where the user put it; sends nothing yet.
pub(super) fn client(config: &Config, observer: Arc<dyn Observer>) -> Result<Client, Failure> {
    client_with(config, &key(config)?, observer)
}

/// The API's client with that key; sends nothing yet.
pub(super) fn client_with(
    config: &Config,
    key: &ApiKey,
    observer: Arc<dyn Observer>,
) -> Result<Client, Failure> {
    let api = &config.api;
    let settings = api::Settings {
        concurrency: api.concurrency,
        connect_timeout: api.connect_timeout,
        first_byte_timeout: api.timeout,
        body_timeout: api.body_timeout,
        max_body: api.max_body,
        retry: RetryPolicy {
            attempts: api.max_attempts,
            base: api.backoff_base,
            max: api.backoff_max,
            retry_after_max: api.retry_after_max,
        },
        base_url: api.base_url.clone(),
    };
    Ok(Client::new(settings, SecretString::from(key.expose()), observer)?)
}

/// What the user has set about the API's paging.
pub(super) fn known_paging(config: &Config) -> KnownPaging {
    let settings = |paging: crate::config::StreamPaging| PagingSettings {
        token_style: paging.token_style,
        forward: paging.forward,
        never_reuse: false,
    };
    let paging = &config.api.paging;
    let customers = PagingSettings { never_reuse: !paging.reuse_tokens, ..settings(paging.customers) };
    KnownPaging::new(customers, settings(paging.events))
}

/// What a run works with, besides the mirror.
pub(super) fn tools(
    config: &Config,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
) -> Result<Tools, Failure> {
    let client = client(config, observer.clone())?;
    Ok(Tools { client, known: known_paging(config), observer, stop })
}

/// How a run works that reads `audit` customers again at its end.
pub(super) fn sync_settings(config: &Config, audit: u64) -> sync::Settings {
    sync::Settings {
        concurrency: config.api.concurrency,
        events_max_age: signed(config.sync.events_max_age),
        deletion_limit: config.sync.deletion_limit,
        deletion_wait: signed(config.sync.deletion_wait),
        accept_account: false,
        resume_max_age: signed(config.sync.resume_max_age),
        audit,
        drift_limit: config.sync.drift_limit,
        base_url: config.api.base_url.to_string(),
    }
}

/// Durations of the configuration are at most ten years.
fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

/// What is exported, and where to.
pub(super) fn export_settings(config: &Config) -> export::Settings {
    let export = &config.export;
    export::Settings {
        dir: export.dir.clone(),
        formats: export.formats.clone(),
        compression: export.compression,
        exact: export.exact,
        csv_bom: export.csv_bom,
        csv_formula_guard: export.csv_formula_guard,
        max_age: export.max_age,
    }
}

/// The right to write the mirror.
pub(super) fn lock(config: &Config, command: &str) -> Result<RunLock, Failure> {
    Ok(RunLock::acquire(&config.mirror.path, command, Timestamp::now())?)
}

/// The existing mirror, and the right to write it.
pub(super) fn existing_mirror(config: &Config, command: &str) -> Result<(RunLock, Mirror), Failure> {
    if !is_there(&config.mirror.path)? {
        return Err(MirrorError::Missing { path: config.mirror.path.clone() }.into());
    }
    let lock = lock(config, command)?;
    let mirror = lock.open_mirror()?;
    Ok((lock, mirror))
}

/// The right to write the mirror, as soon as nobody else has it. Ends with the holder's name when `stop` is cancelled.
pub(super) async fn lock_when_free(
    config: &Config,
    command: &str,
    stop: &CancellationToken,
) -> Result<RunLock, Failure> {
    let mut told = false;
    loop {
        match RunLock::acquire(&config.mirror.path, command, Timestamp::now()) {
            Err(error @ LockError::Held { .. }) if !stop.is_cancelled() => {
                if !told {
                    tracing::info!("waiting: {error}");
                    told = true;
                }
                // There is no lock that can be waited for and given up.
                stop.run_until_cancelled(tokio::time::sleep(LOCK_RETRY)).await;
            }
            result => return Ok(result?),
        }
    }
}

/// When the daemon runs what.
pub(super) fn schedules(config: &Config) -> Schedules {
    let schedule = &config.schedule;
    Schedules { sync: schedule.sync.clone(), full: schedule.full.clone(), jitter: schedule.jitter }
}
