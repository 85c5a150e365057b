//! From the configuration to the parts that it configures, in one place.

use super::args::Global;
use super::exit::Failure;
use super::misplaced_key;
use crate::api::{Client, KnownPaging};
use crate::config::{Config, Environment, Override, Secret, api_key, webhook_secret};
use crate::masking::{FULL, Masker};
use crate::mirror::{LockError, Mirror, MirrorError, RunLock, Turns, is_there};
use crate::observe::Observer;
use crate::sync::{self, EventBudget, Tools};
use jiff::Timestamp;
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
pub(super) fn key(config: &Config) -> Result<Secret, Failure> {
    Ok(api_key(config, &environment()?)?)
}

/// The webhook secret from where the user put it.
pub(super) fn webhook_key(config: &Config) -> Result<Secret, Failure> {
    Ok(webhook_secret(config, &environment()?)?)
}

/// The API's client, with the key from where the user put it; sends nothing yet.
pub(super) fn client(config: &Config, observer: Arc<dyn Observer>) -> Result<Client, Failure> {
    Ok(Client::new(config.api.clone(), key(config)?.secret, observer)?)
}

/// What the user has set about the API's paging.
pub(super) fn known_paging(config: &Config) -> KnownPaging {
    KnownPaging::new(|stream| match stream.parent() {
        None => config.customer_paging,
        Some(_) => config.event_paging,
    })
}

/// What a run works with, besides the mirror.
pub(super) fn tools(
    config: &Config,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
) -> Result<Tools, Failure> {
    let client = client(config, observer.clone())?;
    Ok(Tools { client, known: known_paging(config), observer, stop, turns: Turns::default() })
}

/// How a run works that reads `audit` customers again at its end.
pub(super) fn sync_settings(config: &Config, audit: u64) -> sync::Settings {
    let mut settings = sync::Settings { audit, ..config.sync.clone() };
    if let EventBudget::Auto { interval } = &mut settings.event_budget {
        *interval = between_runs(config, Timestamp::now()).unwrap_or(*interval);
    }
    settings
}

/// The time from the next scheduled sync to the one after it.
fn between_runs(config: &Config, now: Timestamp) -> Option<Duration> {
    let schedule = config.schedule.sync.as_ref()?;
    let next = schedule.next_after(now)?;
    Duration::try_from(schedule.next_after(next)?.duration_since(next)).ok()
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

/// The profile of that name with its key; `None`: the one that hides nothing.
pub(super) fn masker(config: &Config, name: &str) -> Result<Option<Arc<Masker>>, Failure> {
    if name == FULL {
        return Ok(None);
    }
    let Some(profile) = config.profiles.iter().find(|profile| profile.name == name) else {
        let known: Vec<&str> = config.profiles.iter().map(|profile| &*profile.name).collect();
        let known = [&[FULL], &known[..]].concat().join(", ");
        return Err(Failure::usage(format!("there is no profile `{name}`; there are: {known}")));
    };
    let masker = Masker::open(profile).map_err(Failure::because("nothing was read"))?;
    Ok(Some(Arc::new(masker)))
}
