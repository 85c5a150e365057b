//! The configuration as the rest of the program reads it: which key fills which field.

use super::accepts::{self, duration, flag, integer, or_none, positive_duration, share, word};
use super::destinations;
use super::environment::{self, Environment, Override};
use super::file::{self, ConfigFile};
use super::given_tables::{self, Table};
use super::layers::{Layers, Setting};
use super::problem::{ConfigError, Origin, Problem};
use super::profiles;
use crate::api::{self, PagingSettings, Parameter, RetryPolicy, TokenStyle};
use crate::daemon::{Schedules, notices};
use crate::diff::Retention;
use crate::masking::Profile;
use crate::record::Stream;
use crate::{export, sync};
use jiff::tz::TimeZone;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The effective configuration. Of secrets it holds the addresses of `[notify]`, which it shows to nobody.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[api]`, but for the paging and the key's file. The base URL ends in `/`, so that `join("customers")` stays below it.
    pub api: api::Settings,
    /// `api.api_key_file`: the file with the key, if one is named; relative to the current directory.
    pub api_key_file: Option<PathBuf>,
    /// `[api.paging.customers]`
    pub customer_paging: PagingSettings,
    /// `[api.paging.events]`
    pub event_paging: PagingSettings,
    /// `[mirror]`
    pub mirror: MirrorConfig,
    /// `[sync]`, with what `[api]` and `[retention]` say for it. Accounts are not accepted; the audit is the one after the
    /// daemon's full syncs.
    pub sync: sync::Settings,
    /// `[export]`
    pub export: export::Settings,
    /// `[[destinations]]`, with what `[export]` says where they say nothing. Names and places are distinct, also from that of
    /// `[export]`.
    pub destinations: Vec<export::Settings>,
    /// `[profiles.NAME]`, in the order of the file.
    pub profiles: Vec<Profile>,
    /// `[schedule]`, but for the zone, which is in each expression.
    pub schedule: Schedules,
    /// `schedule.timezone`
    pub timezone: TimeZone,
    /// `[http]`
    pub http: HttpConfig,
    /// `[notify]`
    pub notify: notices::Settings,
    /// `[webhook]`
    pub webhook: WebhookConfig,
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// In the order of the keys.
    pub(super) settings: Vec<Setting>,
    /// What the tables of `[[destinations]]` set.
    pub(super) given_destinations: Vec<Table>,
    /// What the tables of `[profiles]` set.
    pub(super) given_profiles: Vec<given_tables::Profile>,
}

/// `[mirror]`
#[derive(Debug, Clone)]
pub struct MirrorConfig {
    /// The database file.
    pub path: PathBuf,
    /// Runs that ended longer ago are forgotten; zero = never.
    pub runs_max_age: Duration,
    /// Superseded versions of records that ended longer ago are forgotten; zero = never.
    pub history_max_age: Duration,
}

/// `[http]`
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Where the daemon listens; `None` = nowhere.
    pub listen: Option<SocketAddr>,
    /// `/readyz` is content while the last complete run ended at most this long ago.
    pub ready_max_age: Duration,
}

/// `[webhook]`
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// Where the daemon takes deliveries; `None` = nowhere.
    pub listen: Option<SocketAddr>,
    /// From a customer's first hint to the run that looks.
    pub debounce: Duration,
    /// The file with the secret, if one is named; relative to the current directory.
    pub secret_file: Option<PathBuf>,
}

impl Config {
    /// Puts the layers together: defaults, the file (`explicit_file` is `--config`), the environment, `flags`.
    /// The file is the only thing read from disk.
    ///
    /// # Errors
    /// When a file that was found or named cannot be read, or when anything in any layer is wrong: then
    /// every mistake is reported, not the first alone.
    pub fn load(
        explicit_file: Option<&Path>,
        environment: &Environment,
        flags: &[Override],
    ) -> Result<Config, ConfigError> {
        Config::layered(file::find(explicit_file, environment)?, environment, flags)
    }

    /// The layers above the defaults, the file already read.
    pub(super) fn layered(
        file: Option<ConfigFile>,
        environment: &Environment,
        flags: &[Override],
    ) -> Result<Config, ConfigError> {
        let mut layers = Layers::new();
        if let Some(file) = &file {
            file.apply(&mut layers);
        }
        environment::apply_variables(environment, &mut layers);
        environment::apply_flags(flags, &mut layers);
        let config = read(&mut layers);
        let settings = layers.finish().map_err(|problems| ConfigError::Invalid { problems })?;
        match config.map(|config| Config { file: file.map(|file| file.path), settings, ..config }) {
            Some(config) if config.api.retry.base <= config.api.retry.max => Ok(config),
            config => {
                let problems = config.iter().map(backoff_out_of_order).collect();
                Err(ConfigError::Invalid { problems })
            }
        }
    }

    /// Every destination, that of `[export]` first.
    pub fn all_destinations(&self) -> impl Iterator<Item = &export::Settings> {
        std::iter::once(&self.export).chain(&self.destinations)
    }

    /// All of them as a list of their own.
    pub fn every_destination(&self) -> Vec<export::Settings> {
        self.all_destinations().cloned().collect()
    }

    /// Where the value of `key` (a dotted path) came from; `None` for an unknown key.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.settings.iter().find(|setting| setting.key.path == key).map(|setting| &setting.origin)
    }
}

/// Reads every key. `None`: a key has no value that it accepts, which is reported to the layers.
fn read(layers: &mut Layers) -> Option<Config> {
    let api = api(layers)?;
    let mirror = MirrorConfig {
        path: layers.read("mirror.path", accepts::database())?,
        runs_max_age: layers.read("mirror.runs_max_age", duration())?,
        history_max_age: layers.read("mirror.history_max_age", duration())?,
    };
    let profiles = profiles::read(layers, &mirror.path)?;
    let export = export(layers, &profiles)?;
    let reuses_tokens = word("\"auto\" or \"never\"", |text| match text {
        "auto" => Some(true),
        "never" => Some(false),
        _ => None,
    });
    let never_reuse = !layers.read("api.paging.customers.reuse_tokens", reuses_tokens)?;
    let timezone = layers.read("schedule.timezone", accepts::time_zone())?;
    let address = "an IP address with a port such as \"127.0.0.1:9464\" or \"[::1]:9464\", or \"\" for off";
    Some(Config {
        api_key_file: layers.read("api.api_key_file", accepts::key_file())?,
        customer_paging: PagingSettings { never_reuse, ..paging(layers, "api.paging.customers")? },
        event_paging: paging(layers, "api.paging.events")?,
        mirror,
        sync: sync::Settings {
            concurrency: api.concurrency,
            events_max_age: layers.read("sync.events_max_age", duration())?,
            event_budget: layers.read("sync.event_budget", accepts::event_budget())?,
            deletion_limit: layers.read("sync.deletion_limit", share())?,
            deletion_wait: layers.read("sync.deletion_wait", duration())?,
            accept_account: false,
            resume_max_age: layers.read("sync.resume_max_age", duration())?,
            audit: layers.read("sync.audit", integer(0..=1_000_000_000))?,
            drift_limit: layers.read("sync.drift_limit", share())?,
            retention: Retention {
                events: layers.read("retention.events", accepts::age())?,
                inactive_customers: layers.read("retention.inactive_customers", accepts::age())?,
                history: layers.read("retention.history", accepts::age())?,
            },
            base_url: api.base_url.to_string(),
        },
        destinations: destinations::read(layers, &export, &profiles)?,
        profiles,
        export,
        schedule: Schedules {
            sync: layers.read("schedule.sync", accepts::schedule(timezone.clone()))?,
            full: layers.read("schedule.full", accepts::schedule(timezone.clone()))?,
            jitter: layers.read("schedule.jitter", duration())?,
        },
        timezone,
        http: HttpConfig {
            listen: layers.read("http.listen", or_none("", word(address, |text| text.parse().ok())))?,
            ready_max_age: layers.read("http.ready_max_age", positive_duration())?,
        },
        notify: notices::Settings {
            url: layers.read("notify.url", accepts::notify_url())?,
            url_start: layers.read("notify.url_start", accepts::notify_url())?,
            url_ok: layers.read("notify.url_ok", accepts::notify_url())?,
            url_failed: layers.read("notify.url_failed", accepts::notify_url())?,
        },
        webhook: WebhookConfig {
            listen: layers.read("webhook.listen", or_none("", word(address, |text| text.parse().ok())))?,
            debounce: layers.read("webhook.debounce", duration())?,
            secret_file: layers.read("webhook.secret_file", accepts::secret_file())?,
        },
        api,
        file: None,
        settings: Vec::new(),
        given_destinations: layers.destinations.clone(),
        given_profiles: layers.profiles.clone(),
    })
}

fn api(layers: &mut Layers) -> Option<api::Settings> {
    Some(api::Settings {
        base_url: layers.read("api.base_url", accepts::base_url())?,
        concurrency: layers.read("api.concurrency", integer(1..=256))?,
        connect_timeout: layers.read("api.connect_timeout", positive_duration())?,
        first_byte_timeout: layers.read("api.timeout", positive_duration())?,
        body_timeout: layers.read("api.body_timeout", positive_duration())?,
        max_body: layers.read("api.max_body", accepts::size())?,
        retry: RetryPolicy {
            attempts: layers.read("api.max_attempts", integer(1..=50))?,
            base: layers.read("api.backoff_base", positive_duration())?,
            max: layers.read("api.backoff_max", positive_duration())?,
            retry_after_max: layers.read("api.retry_after_max", duration())?,
        },
    })
}

fn paging(layers: &mut Layers, list: &str) -> Option<PagingSettings> {
    let style = word("\"auto\", \"link\", \"envelope\", \"header\" or \"last-id\"", TokenStyle::from_name);
    let parameter = word("\"auto\", \"next\" or \"prev\"", Parameter::from_name);
    Some(PagingSettings {
        token_style: layers.read(&format!("{list}.token_style"), or_none("auto", style))?,
        forward: layers.read(&format!("{list}.forward"), or_none("auto", parameter))?,
        never_reuse: false,
    })
}

fn export(layers: &mut Layers, profiles: &[Profile]) -> Option<export::Settings> {
    Some(export::Settings {
        name: export::FIRST.to_owned(),
        streams: Stream::ALL.to_vec(),
        dir: layers.read("export.dir", accepts::folder())?,
        profile: layers.read("export.profile", accepts::profile(profiles))?,
        formats: layers.read("export.formats", accepts::formats())?,
        compression: layers.read("export.compression", accepts::compression())?,
        exact: layers.read("export.exact", flag())?,
        csv_bom: layers.read("export.csv_bom", flag())?,
        csv_formula_guard: layers.read("export.csv_formula_guard", flag())?,
        max_age: layers.read("export.max_age", duration())?,
        compact_after: layers.read("export.compact_after", duration())?,
    })
}

/// Reported where somebody set one of the two, on the later layer if both were.
fn backoff_out_of_order(config: &Config) -> Problem {
    let origin = |key| config.origin(key).cloned().unwrap_or(Origin::Default);
    let (base, max) = (config.api.retry.base, config.api.retry.max);
    let (key, bound, found) = match origin("api.backoff_max") {
        Origin::Default => ("api.backoff_base", format!("at most {max:?}"), base),
        _ => ("api.backoff_max", format!("at least {base:?}"), max),
    };
    Problem::Unexpected {
        origin: origin(key),
        key: key.to_owned(),
        expected: format!("{bound}, so that `api.backoff_base` is not above `api.backoff_max`"),
        found: format!("{found:?}"),
        why: None,
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
