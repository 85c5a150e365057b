//! The table of keys: the only place that says what can be configured.

use super::key::{Declared, Key, Literal};
use super::read;
use crate::api::{Parameter, TokenStyle};
use crate::export::{Compression, Format};
use crate::schedule::Schedule;
use jiff::tz::TimeZone;
use reqwest::Url;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Every key, in the order of the example file and of `config show`.
pub(super) static ALL: &[&dyn Declared] = &[
    &API_BASE_URL,
    &API_KEY_FILE,
    &API_CONCURRENCY,
    &API_TIMEOUT,
    &API_CONNECT_TIMEOUT,
    &API_BODY_TIMEOUT,
    &API_MAX_BODY,
    &API_MAX_ATTEMPTS,
    &API_BACKOFF_BASE,
    &API_BACKOFF_MAX,
    &API_RETRY_AFTER_MAX,
    &CUSTOMERS_TOKEN_STYLE,
    &CUSTOMERS_FORWARD,
    &CUSTOMERS_REUSE_TOKENS,
    &EVENTS_TOKEN_STYLE,
    &EVENTS_FORWARD,
    &MIRROR_PATH,
    &MIRROR_RUNS_MAX_AGE,
    &SYNC_EVENTS_MAX_AGE,
    &SYNC_DELETION_LIMIT,
    &SYNC_DELETION_WAIT,
    &SYNC_RESUME_MAX_AGE,
    &SYNC_AUDIT,
    &SYNC_DRIFT_LIMIT,
    &EXPORT_DIR,
    &EXPORT_FORMATS,
    &EXPORT_COMPRESSION,
    &EXPORT_EXACT,
    &EXPORT_CSV_BOM,
    &EXPORT_CSV_FORMULA_GUARD,
    &EXPORT_MAX_AGE,
    &SCHEDULE_TIMEZONE,
    &SCHEDULE_SYNC,
    &SCHEDULE_FULL,
    &SCHEDULE_JITTER,
    &HTTP_LISTEN,
    &HTTP_READY_MAX_AGE,
];

/// The tables in which they stand, with what each is about.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    (
        "api",
        "The vendor's API. The key itself never stands in this file: set $MALOMO_API_KEY, or name a file \
         in api_key_file, or pass the systemd credential \"malomo_api_key\" (LoadCredential=).",
    ),
    (
        "api.paging.customers",
        "How the customer list is walked. The vendor documents neither where the next page's token \
         stands nor which parameter moves forward, so both are detected from the answers and shown by \
         `malomo-mirror status`. Set these only to overrule the detection.",
    ),
    ("api.paging.events", "The same for the event lists."),
    ("mirror", "The SQLite database that holds what the API holds now."),
    ("sync", "What a sync run does."),
    ("export", "The files with the changes."),
    ("schedule", "When the daemon runs."),
    ("http", "The daemon's own HTTP endpoint: /metrics, /healthz and /readyz."),
];

/// The key of that path.
pub(super) fn find(path: &str) -> Option<&'static dyn Declared> {
    ALL.iter().copied().find(|key| key.path() == path)
}

/// Whether `path` is a table that holds keys, directly or further down.
pub(super) fn is_section(path: &str) -> bool {
    ALL.iter().any(|key| key.path().strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

pub(super) static API_BASE_URL: Key<Url> = Key {
    path: "api.base_url",
    doc: "Where the API is. Plain HTTP is refused unless the host is this machine, as with \
          `malomo-mirror sandbox`. The key is sent to no other origin.",
    default: Literal::Text("https://api.gomalomo.com"),
    expected: "an absolute https URL without user, query or fragment (http only for 127.0.0.0/8, [::1] or localhost)",
    read: read::base_url,
};

pub(super) static API_KEY_FILE: Key<Option<PathBuf>> = Key {
    path: "api.api_key_file",
    doc: "A file that holds the secret key (sk_...) and nothing else, closed to group and others \
          (chmod 600). Looked at where $MALOMO_API_KEY is not set; \"\" = none.",
    default: Literal::Text(""),
    expected: "the path of a file, or \"\" for none",
    read: read::key_file,
};

pub(super) static API_CONCURRENCY: Key<usize> = Key {
    path: "api.concurrency",
    doc: "Requests in flight at most. The client goes below it by itself when the API answers 429, or allows fewer \
          streams over its connection.",
    default: Literal::Integer(16),
    expected: "a whole number from 1 to 256",
    read: |value| read::integer(value, 1..=256),
};

pub(super) static API_TIMEOUT: Key<Duration> = Key {
    path: "api.timeout",
    doc: "The longest wait for an answer's first byte, counted from when the request was sent, and for each further \
          part of its body.",
    default: Literal::Text("30s"),
    expected: read::POSITIVE_DURATION,
    read: read::positive_duration,
};

pub(super) static API_CONNECT_TIMEOUT: Key<Duration> = Key {
    path: "api.connect_timeout",
    doc: "The longest wait for a connection.",
    default: Literal::Text("10s"),
    expected: read::POSITIVE_DURATION,
    read: read::positive_duration,
};

pub(super) static API_BODY_TIMEOUT: Key<Duration> = Key {
    path: "api.body_timeout",
    doc: "The longest time that one whole body may take.",
    default: Literal::Text("2m"),
    expected: read::POSITIVE_DURATION,
    read: read::positive_duration,
};

pub(super) static API_MAX_BODY: Key<u64> = Key {
    path: "api.max_body",
    doc: "The largest body that is read, after decompression: bytes, or with KiB, MiB or GiB.",
    default: Literal::Text("64MiB"),
    expected: "a size above zero such as \"64MiB\" (B, KiB, MiB, GiB)",
    read: read::size,
};

pub(super) static API_MAX_ATTEMPTS: Key<u32> = Key {
    path: "api.max_attempts",
    doc: "How often one request is sent at most, the first time included, before it counts as failed. \
          Twice as often where the API answers 429.",
    default: Literal::Integer(9),
    expected: "a whole number from 1 to 50",
    read: |value| read::integer(value, 1..=50),
};

pub(super) static API_BACKOFF_BASE: Key<Duration> = Key {
    path: "api.backoff_base",
    doc: "The bound of the random wait before the second attempt. It doubles with each further attempt.",
    default: Literal::Text("250ms"),
    expected: read::POSITIVE_DURATION,
    read: read::positive_duration,
};

pub(super) static API_BACKOFF_MAX: Key<Duration> = Key {
    path: "api.backoff_max",
    doc: "What that bound grows to at most; not below backoff_base.",
    default: Literal::Text("8s"),
    expected: read::POSITIVE_DURATION,
    read: read::positive_duration,
};

pub(super) static API_RETRY_AFTER_MAX: Key<Duration> = Key {
    path: "api.retry_after_max",
    doc: "A Retry-After header is honoured up to this length. A longer one is not believed, and the wait \
          above used instead.",
    default: Literal::Text("10m"),
    expected: read::DURATION,
    read: read::duration,
};

pub(super) static CUSTOMERS_TOKEN_STYLE: Key<Option<TokenStyle>> = Key {
    path: "api.paging.customers.token_style",
    doc: "Where the next page's token stands: auto, link (a Link header), envelope (in the body beside \
          the records), header (a header of its own) or last-id (the id of the page's last record). Setting it says \
          that a page that names no next one in this way is the last, whatever totals the answers tell; only a \
          page's own `has_more: true` still counts against that.",
    default: Literal::Text("auto"),
    expected: read::TOKEN_STYLES,
    read: read::token_style,
};

pub(super) static CUSTOMERS_FORWARD: Key<Option<Parameter>> = Key {
    path: "api.paging.customers.forward",
    doc: "The query parameter that moves forward with a bare token: auto, next or prev.",
    default: Literal::Text("auto"),
    expected: read::PARAMETERS,
    read: read::parameter,
};

pub(super) static CUSTOMERS_REUSE_TOKENS: Key<bool> = Key {
    path: "api.paging.customers.reuse_tokens",
    doc: "Whether page tokens are remembered, for the next walk to read the list from many places at once: \
          auto (where the answers show that a token names a place in the list as it is now) or never \
          (always one page after the other).",
    default: Literal::Text("auto"),
    expected: "\"auto\" or \"never\"",
    read: read::reuse_tokens,
};

pub(super) static EVENTS_TOKEN_STYLE: Key<Option<TokenStyle>> = Key {
    path: "api.paging.events.token_style",
    doc: "auto, link, envelope, header or last-id, with the same meaning.",
    default: Literal::Text("auto"),
    expected: read::TOKEN_STYLES,
    read: read::token_style,
};

pub(super) static EVENTS_FORWARD: Key<Option<Parameter>> = Key {
    path: "api.paging.events.forward",
    doc: "auto, next or prev.",
    default: Literal::Text("auto"),
    expected: read::PARAMETERS,
    read: read::parameter,
};

pub(super) static MIRROR_PATH: Key<PathBuf> = Key {
    path: "mirror.path",
    doc: "The database file; links are followed. SQLite keeps a -wal and a -shm file beside it, which belong to it. \
          One run at a time holds it; readers never wait.",
    default: Literal::Text("/var/lib/malomo-mirror/mirror.db"),
    expected: "the path of a file",
    read: read::database,
};

pub(super) static MIRROR_RUNS_MAX_AGE: Key<Duration> = Key {
    path: "mirror.runs_max_age",
    doc: "Runs that ended longer ago are taken out of the table sync_runs, except each mode's newest and \
          newest complete one; \"0s\" = never.",
    default: Literal::Text("90d"),
    expected: read::DURATION,
    read: read::duration,
};

pub(super) static SYNC_EVENTS_MAX_AGE: Key<Duration> = Key {
    path: "sync.events_max_age",
    doc: "Every customer's events are looked at again at least this often, also where the customer did \
          not change; \"0s\" = in every run.",
    default: Literal::Text("24h"),
    expected: read::DURATION,
    read: read::duration,
};

pub(super) static SYNC_DELETION_LIMIT: Key<f64> = Key {
    path: "sync.deletion_limit",
    doc: "The largest share of the mirrored customers, and of the mirrored events, that one run may take as deleted, \
          from 0 to 1. Where more are missing, none is deleted and the run says so. Up to 2 customers and 20 events \
          may be missing whatever their share, unless this is 0.",
    default: Literal::Number(0.5),
    expected: "a number from 0 to 1",
    read: read::share,
};

pub(super) static SYNC_DELETION_WAIT: Key<Duration> = Key {
    path: "sync.deletion_wait",
    doc: "An event that its customer's list no longer has is deleted when walks of that list in two runs lack it that are at \
          least this far apart; until then the mirror keeps it, with missing_since. \"0s\" = when two walks in one run lack it.",
    default: Literal::Text("1h"),
    expected: read::DURATION,
    read: read::duration,
};

pub(super) static SYNC_RESUME_MAX_AGE: Key<Duration> = Key {
    path: "sync.resume_max_age",
    doc: "An interrupted walk goes on where it stopped, unless it is older than this: then it starts \
          again; \"0s\" = always starts again.",
    default: Literal::Text("24h"),
    expected: read::DURATION,
    read: read::duration,
};

pub(super) static SYNC_AUDIT: Key<u64> = Key {
    path: "sync.audit",
    doc: "After each full sync that the daemon runs, so many customers, drawn at random, are read again one by one with \
          their events and compared with the mirror: at least two requests each; 0 = none. How sure that makes depends on \
          this number, hardly on the account's size: where 300 show no difference, less than 1 in 100 of all customers \
          differ (with 95 % confidence), with 3000 less than 1 in 1000. `sync --audit N` does it after a run by hand.",
    default: Literal::Integer(300),
    expected: "a whole number from 0 to 1000000000",
    read: |value| read::integer(value, 0..=1_000_000_000),
};

pub(super) static SYNC_DRIFT_LIMIT: Key<f64> = Key {
    path: "sync.drift_limit",
    doc: "The largest share of the audited customers, from 0 to 1, that may differ from the API in what the run should have \
          seen. Where more do, the run counts as incomplete; 1 = it never does for that.",
    default: Literal::Number(0.0),
    expected: "a number from 0 to 1",
    read: read::share,
};

pub(super) static EXPORT_DIR: Key<PathBuf> = Key {
    path: "export.dir",
    doc: "The folder with manifest.ndjson and one folder for each stream.",
    default: Literal::Text("/var/lib/malomo-mirror/exports"),
    expected: "the path of a folder",
    read: read::path,
};

pub(super) static EXPORT_FORMATS: Key<Vec<Format>> = Key {
    path: "export.formats",
    doc: "csv, ndjson, or both.",
    default: Literal::List(&["csv", "ndjson"]),
    expected: "an array of \"csv\" and \"ndjson\": at least one, none twice",
    read: read::formats,
};

pub(super) static EXPORT_COMPRESSION: Key<Compression> = Key {
    path: "export.compression",
    doc: "none, gzip or zstd.",
    default: Literal::Text("none"),
    expected: "\"none\", \"gzip\" or \"zstd\"",
    read: read::compression,
};

pub(super) static EXPORT_EXACT: Key<bool> = Key {
    path: "export.exact",
    doc: "false makes readable what has common readers refuse a whole file: a NUL is left out, half of a surrogate \
          pair in JSON becomes U+FFFD, and a string takes the place of a JSON number that has more than 64 bits \
          before its point, is beyond the range of a double or longer than 1000 characters, and of what is nested \
          deeper than 120 levels. The manifest line says in `rewritten` how many values these were. true writes every \
          value as the API gave it. The mirror keeps it in either case.",
    default: Literal::Flag(false),
    expected: "true or false",
    read: read::flag,
};

pub(super) static EXPORT_CSV_BOM: Key<bool> = Key {
    path: "export.csv_bom",
    doc: "For CSV that people open in a spreadsheet, together with csv_formula_guard: true begins each file with a \
          byte order mark, by which Excel knows UTF-8. Not for programs: PostgreSQL's `header match` refuses it, and \
          Python takes it for a part of the first column's name. The manifest line of such a file says csv_bom.",
    default: Literal::Flag(false),
    expected: "true or false",
    read: read::flag,
};

pub(super) static EXPORT_CSV_FORMULA_GUARD: Key<bool> = Key {
    path: "export.csv_formula_guard",
    doc: "For CSV that people open in a spreadsheet, together with csv_bom: true puts a ' before every text of the API that begins \
          with = + - @ a tab, a line end, a NUL or a ', so that none is taken for a formula. Such text is no \
          longer what the API gave, phone numbers like +49 among it: to get it back take away one leading ' \
          from every field but _seq, _op, _observed_at and timestamp. The manifest line of such a file says \
          csv_formula_guard. NDJSON is never changed.",
    default: Literal::Flag(false),
    expected: "true or false",
    read: read::flag,
};

pub(super) static EXPORT_MAX_AGE: Key<Duration> = Key {
    path: "export.max_age",
    doc: "A file that is older than this is removed after an export, once nobody needs it: a newer snapshot of \
          its stream and format (export --snapshot) lies there whole and reaches as far, or it was acknowledged \
          (export acknowledge --through SEQ). Oldest first, and the newest file of each stream and format \
          stays. An old snapshot is removed once a newer one lies there whole. \"0s\" = kept for ever.",
    default: Literal::Text("0s"),
    expected: read::DURATION,
    read: read::duration,
};

pub(super) static SCHEDULE_TIMEZONE: Key<TimeZone> = Key {
    path: "schedule.timezone",
    doc: "The time zone of the expressions below, by its IANA name, such as Europe/Berlin. Where its clocks are put \
          forward or back, expressions with a wildcard or a step in minutes or hours (*/15, @hourly) keep to real \
          time, as in cron(8); fixed times run once: those that are left out right after the change, those \
          that stand twice the first time.",
    default: Literal::Text("UTC"),
    expected: "the IANA name of a time zone, such as \"Europe/Berlin\"",
    read: read::time_zone,
};

pub(super) static SCHEDULE_SYNC: Key<Option<Schedule>> = Key {
    path: "schedule.sync",
    doc: "When an incremental sync runs: crontab(5), six fields mean leading seconds, or @hourly, \
          @daily and so on; \"\" = never.",
    default: Literal::Text("*/15 * * * *"),
    expected: read::SCHEDULE,
    read: read::schedule,
};

pub(super) static SCHEDULE_FULL: Key<Option<Schedule>> = Key {
    path: "schedule.full",
    doc: "When a full sync runs, in the same form; \"\" = never.",
    default: Literal::Text("0 3 * * 0"),
    expected: read::SCHEDULE,
    read: read::schedule,
};

pub(super) static SCHEDULE_JITTER: Key<Duration> = Key {
    path: "schedule.jitter",
    doc: "Each due time is put off by a random part of this, so that many daemons don't ask the API at the \
          same second; never as far as the next due time. \"0s\" = on time.",
    default: Literal::Text("0s"),
    expected: read::DURATION,
    read: read::duration,
};

pub(super) static HTTP_LISTEN: Key<Option<SocketAddr>> = Key {
    path: "http.listen",
    doc: "The address and port to listen on; port 0 takes any free one, which is logged; \"\" = off.",
    default: Literal::Text("127.0.0.1:9464"),
    expected: "an IP address with a port such as \"127.0.0.1:9464\" or \"[::1]:9464\", or \"\" for off",
    read: read::listen,
};

pub(super) static HTTP_READY_MAX_AGE: Key<Duration> = Key {
    path: "http.ready_max_age",
    doc: "/readyz answers 200 while the last complete run ended at most this long ago, else 503. Keep it \
          above the time between two runs.",
    default: Literal::Text("1h"),
    expected: read::POSITIVE_DURATION,
    read: read::positive_duration,
};
