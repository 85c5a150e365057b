//! The configuration as the rest of the program reads it.

use super::environment::{self, Environment, Override};
use super::file::{self, ConfigFile};
use super::keys;
use super::problem::{ConfigError, Origin, Problem};
use super::settings::{Layers, Settings};
use crate::api::{Parameter, TokenStyle};
use crate::export::{Compression, Format};
use crate::schedule::Schedule;
use jiff::tz::TimeZone;
use reqwest::Url;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The effective configuration. Holds no secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// The vendor's API.
    pub api: ApiConfig,
    /// The mirror.
    pub mirror: MirrorConfig,
    /// What a run does.
    pub sync: SyncConfig,
    /// The files with the changes.
    pub export: ExportConfig,
    /// When the daemon runs.
    pub schedule: ScheduleConfig,
    /// The daemon's own endpoint.
    pub http: HttpConfig,
    pub(super) file: Option<PathBuf>,
    pub(super) settings: Settings,
}

/// `[api]`
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Ends in `/`, so that `join("customers")` stays below it. Without user, query and fragment.
    pub base_url: Url,
    /// The file with the key, if one is named; relative to the current directory.
    pub api_key_file: Option<PathBuf>,
    /// Requests in flight at most, 1 to 256.
    pub concurrency: usize,
    /// The longest wait for the first byte and for each further part of a body.
    pub timeout: Duration,
    /// The longest wait for a connection.
    pub connect_timeout: Duration,
    /// The longest time for one whole body.
    pub body_timeout: Duration,
    /// The largest body in bytes, after decompression.
    pub max_body: u64,
    /// Attempts at one request at most, the first included, 1 to 50.
    pub max_attempts: u32,
    /// The bound of the first random wait.
    pub backoff_base: Duration,
    /// The bound of every random wait; not below `backoff_base`.
    pub backoff_max: Duration,
    /// The longest `Retry-After` that is believed.
    pub retry_after_max: Duration,
    /// How lists are walked, where detection is overruled.
    pub paging: PagingConfig,
}

/// `[api.paging]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PagingConfig {
    /// The customer list.
    pub customers: StreamPaging,
    /// Whether page tokens of the customer list are remembered and used again where the answers allow it.
    pub reuse_tokens: bool,
    /// The event lists.
    pub events: StreamPaging,
}

/// How one kind of list is walked; `None` = detected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamPaging {
    /// Where the next page's token stands.
    pub token_style: Option<TokenStyle>,
    /// The parameter that moves forward with a bare token.
    pub forward: Option<Parameter>,
}

/// `[mirror]`
#[derive(Debug, Clone)]
pub struct MirrorConfig {
    /// The database file.
    pub path: PathBuf,
    /// Runs that ended longer ago are forgotten; zero = never.
    pub runs_max_age: Duration,
}

/// `[sync]`
#[derive(Debug, Clone)]
pub struct SyncConfig {
    /// Events that were read longer ago are due again; zero = always.
    pub events_max_age: Duration,
    /// The largest share of the mirrored customers that one run may take as deleted, 0 to 1.
    pub deletion_limit: f64,
    /// An event is deleted when walks of its list in two runs lack it that are so far apart; zero = in one run.
    pub deletion_wait: Duration,
    /// An interrupted walk that is older starts again; zero = always.
    pub resume_max_age: Duration,
    /// Customers that are read again and compared after each full sync of the daemon; zero = none.
    pub audit: u64,
    /// The largest share of the audited customers that may have drifted, 0 to 1.
    pub drift_limit: f64,
}

/// `[export]`
#[derive(Debug, Clone)]
pub struct ExportConfig {
    /// The folder with the manifest.
    pub dir: PathBuf,
    /// At least one, none twice, in the order given.
    pub formats: Vec<Format>,
    /// How files are compressed.
    pub compression: Compression,
    /// Whether values that common readers refuse are written as they are.
    pub exact: bool,
    /// Whether CSV begins with a byte order mark.
    pub csv_bom: bool,
    /// Whether text in CSV is kept from being taken for formulas.
    pub csv_formula_guard: bool,
    /// Older files are removed once nobody needs them; zero = never.
    pub max_age: Duration,
}

/// `[schedule]`
#[derive(Debug, Clone)]
pub struct ScheduleConfig {
    /// The zone of both schedules.
    pub timezone: TimeZone,
    /// Incremental syncs; `None` = never.
    pub sync: Option<Schedule>,
    /// Full syncs; `None` = never.
    pub full: Option<Schedule>,
    /// Due times are put off by a random part of this; zero = not at all.
    pub jitter: Duration,
}

/// `[http]`
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Where the daemon listens; `None` = nowhere.
    pub listen: Option<SocketAddr>,
    /// `/readyz` is content while the last complete run ended at most this long ago.
    pub ready_max_age: Duration,
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
        let settings = layers.finish().map_err(|problems| ConfigError::Invalid { problems })?;
        Config::build(settings, file.map(|file| file.path))
            .map_err(|problem| ConfigError::Invalid { problems: vec![*problem] })
    }

    /// Where the value of `key` (a dotted path) came from; `None` for an unknown key.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.settings.get(key).map(|setting| &setting.origin)
    }

    /// The configuration file, if there is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    fn build(settings: Settings, file: Option<PathBuf>) -> Result<Config, Box<Problem>> {
        let mirror = MirrorConfig {
            path: settings.read(&keys::MIRROR_PATH)?,
            runs_max_age: settings.read(&keys::MIRROR_RUNS_MAX_AGE)?,
        };
        let sync = SyncConfig {
            events_max_age: settings.read(&keys::SYNC_EVENTS_MAX_AGE)?,
            deletion_limit: settings.read(&keys::SYNC_DELETION_LIMIT)?,
            deletion_wait: settings.read(&keys::SYNC_DELETION_WAIT)?,
            resume_max_age: settings.read(&keys::SYNC_RESUME_MAX_AGE)?,
            audit: settings.read(&keys::SYNC_AUDIT)?,
            drift_limit: settings.read(&keys::SYNC_DRIFT_LIMIT)?,
        };
        let export = ExportConfig {
            dir: settings.read(&keys::EXPORT_DIR)?,
            formats: settings.read(&keys::EXPORT_FORMATS)?,
            compression: settings.read(&keys::EXPORT_COMPRESSION)?,
            exact: settings.read(&keys::EXPORT_EXACT)?,
            csv_bom: settings.read(&keys::EXPORT_CSV_BOM)?,
            csv_formula_guard: settings.read(&keys::EXPORT_CSV_FORMULA_GUARD)?,
            max_age: settings.read(&keys::EXPORT_MAX_AGE)?,
        };
        let http = HttpConfig {
            listen: settings.read(&keys::HTTP_LISTEN)?,
            ready_max_age: settings.read(&keys::HTTP_READY_MAX_AGE)?,
        };
        let (api, schedule) = (api(&settings)?, schedule(&settings)?);
        Ok(Config { api, mirror, sync, export, schedule, http, file, settings })
    }
}

fn api(settings: &Settings) -> Result<ApiConfig, Box<Problem>> {
    let api = ApiConfig {
        base_url: settings.read(&keys::API_BASE_URL)?,
        api_key_file: settings.read(&keys::API_KEY_FILE)?,
        concurrency: settings.read(&keys::API_CONCURRENCY)?,
        timeout: settings.read(&keys::API_TIMEOUT)?,
        connect_timeout: settings.read(&keys::API_CONNECT_TIMEOUT)?,
        body_timeout: settings.read(&keys::API_BODY_TIMEOUT)?,
        max_body: settings.read(&keys::API_MAX_BODY)?,
        max_attempts: settings.read(&keys::API_MAX_ATTEMPTS)?,
        backoff_base: settings.read(&keys::API_BACKOFF_BASE)?,
        backoff_max: settings.read(&keys::API_BACKOFF_MAX)?,
        retry_after_max: settings.read(&keys::API_RETRY_AFTER_MAX)?,
        paging: PagingConfig {
            customers: StreamPaging {
                token_style: settings.read(&keys::CUSTOMERS_TOKEN_STYLE)?,
                forward: settings.read(&keys::CUSTOMERS_FORWARD)?,
            },
            reuse_tokens: settings.read(&keys::CUSTOMERS_REUSE_TOKENS)?,
            events: StreamPaging {
                token_style: settings.read(&keys::EVENTS_TOKEN_STYLE)?,
                forward: settings.read(&keys::EVENTS_FORWARD)?,
            },
        },
    };
    if api.backoff_base > api.backoff_max {
        return Err(Box::new(backoff_out_of_order(settings, &api)));
    }
    Ok(api)
}

/// Reported where somebody set one of the two, on the later layer if both were.
fn backoff_out_of_order(settings: &Settings, api: &ApiConfig) -> Problem {
    let origin = |key: &str| settings.get(key).map_or(Origin::Default, |setting| setting.origin.clone());
    let (base, max) = (origin(keys::API_BACKOFF_BASE.path), origin(keys::API_BACKOFF_MAX.path));
    let (key, origin, bound, found) = if max == Origin::Default {
        (keys::API_BACKOFF_BASE.path, base, format!("at most {:?}", api.backoff_max), api.backoff_base)
    } else {
        (keys::API_BACKOFF_MAX.path, max, format!("at least {:?}", api.backoff_base), api.backoff_max)
    };
    Problem::Unexpected {
        origin,
        key: key.to_owned(),
        expected: format!("{bound}, so that `api.backoff_base` is not above `api.backoff_max`"),
        found: format!("{found:?}"),
        why: None,
    }
}

fn schedule(settings: &Settings) -> Result<ScheduleConfig, Box<Problem>> {
    let timezone = settings.read(&keys::SCHEDULE_TIMEZONE)?;
    let in_zone = |schedule: Option<Schedule>| schedule.map(|schedule| schedule.in_zone(timezone.clone()));
    let sync = in_zone(settings.read(&keys::SCHEDULE_SYNC)?);
    let full = in_zone(settings.read(&keys::SCHEDULE_FULL)?);
    let jitter = settings.read(&keys::SCHEDULE_JITTER)?;
    Ok(ScheduleConfig { timezone, sync, full, jitter })
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
