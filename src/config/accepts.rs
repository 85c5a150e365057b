//! What keys accept, and how that is read as what it means.

use super::{duration as durations, size as sizes};
use crate::api::{OriginError, check_base};
use crate::export::{Compression, Format, Location};
use crate::masking::{FULL, Profile};
use crate::record::Stream;
use crate::schedule::Schedule;
use crate::sync::EventBudget;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use reqwest::Url;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use toml::Value;

/// Why a value is refused, where more can be said than what is expected.
pub(super) type Why = Option<String>;

pub(super) struct Accepts<T> {
    /// Follows the word "expected".
    pub(super) expected: Cow<'static, str>,
    /// What a value means.
    pub(super) read: Read<T>,
}

type Read<T> = Box<dyn Fn(&Value) -> Result<T, Why>>;

fn values<T>(
    expected: impl Into<Cow<'static, str>>,
    read: impl Fn(&Value) -> Result<T, Why> + 'static,
) -> Accepts<T> {
    Accepts { expected: expected.into(), read: Box::new(read) }
}

/// Text that `read` takes.
fn text<T>(expected: &'static str, read: impl Fn(&str) -> Result<T, Why> + 'static) -> Accepts<T> {
    values(expected, move |value| read(value.as_str().ok_or(None)?))
}

/// Text that means something to `find`.
pub(super) fn word<T>(expected: &'static str, find: impl Fn(&str) -> Option<T> + 'static) -> Accepts<T> {
    text(expected, move |text| find(text).ok_or(None))
}

/// The same, and one word for none.
pub(super) fn or_none<T: 'static>(none: &'static str, accepts: Accepts<T>) -> Accepts<Option<T>> {
    let read = accepts.read;
    values(accepts.expected, move |value| match value.as_str() {
        Some(given) if given.trim() == none => Ok(None),
        _ => read(value).map(Some),
    })
}

pub(super) fn integer<T: TryFrom<i64>>(range: RangeInclusive<i64>) -> Accepts<T> {
    let expected = format!("a whole number from {} to {}", range.start(), range.end());
    let read = move |number| if range.contains(&number) { T::try_from(number).ok() } else { None };
    values(expected, move |value| value.as_integer().and_then(&read).ok_or(None))
}

/// What a run by hand takes for the time between two runs where none are scheduled.
const USUAL_INTERVAL: Duration = Duration::from_secs(15 * 60);

pub(super) fn event_budget() -> Accepts<EventBudget> {
    let expected = "\"auto\", or a whole number from 0 to 1000000000";
    let lists = integer(0..=1_000_000_000);
    values(expected, move |value| match value.as_str().map(str::trim) {
        Some("auto") => Ok(EventBudget::Auto { interval: USUAL_INTERVAL }),
        // From the environment or a flag, where everything is text.
        Some(text) => (lists.read)(&Value::Integer(text.parse().map_err(|_| None)?)).map(EventBudget::Lists),
        None => (lists.read)(value).map(EventBudget::Lists),
    })
}

pub(super) fn share() -> Accepts<f64> {
    let is_share = |number: &f64| (0.0..=1.0).contains(number);
    values("a number from 0 to 1", move |value| value.as_float().filter(is_share).ok_or(None))
}

pub(super) fn flag() -> Accepts<bool> {
    values("true or false", |value| value.as_bool().ok_or(None))
}

pub(super) fn duration<T: TryFrom<SignedDuration>>() -> Accepts<T> {
    word("a duration such as \"30s\", \"250ms\", \"1h30m\" or \"7d\"", |text| {
        T::try_from(durations::parse(text)?).ok()
    })
}

pub(super) fn positive_duration<T: TryFrom<SignedDuration>>() -> Accepts<T> {
    word("a duration above zero such as \"30s\", \"250ms\", \"1h30m\" or \"7d\"", |text| {
        T::try_from(durations::parse(text).filter(SignedDuration::is_positive)?).ok()
    })
}

/// How long something is kept; none: for ever.
pub(super) fn age() -> Accepts<Option<SignedDuration>> {
    word("a duration such as \"3y\", \"90d\" or \"12h\", or \"0s\" for ever", |text| {
        durations::parse(text).map(|age| Some(age).filter(SignedDuration::is_positive))
    })
}

pub(super) fn size() -> Accepts<u64> {
    word("a size above zero such as \"64MiB\" (B, KiB, MiB, GiB)", |text| {
        sizes::parse(text).filter(|&bytes| bytes > 0)
    })
}

pub(super) fn folder() -> Accepts<Location> {
    text("the path of a folder", |given| path(given).map(Location::from))
}

pub(super) fn location() -> Accepts<Location> {
    text(
        "an absolute path, file:///FOLDER, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX",
        |given| Location::parse(given).map_err(because),
    )
}

/// What a destination is called, also in metrics and on the command line.
pub(super) fn destination_name() -> Accepts<String> {
    word("a name of lower-case letters, digits and hyphens", |name| {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (!name.is_empty() && name.bytes().all(fits)).then(|| name.to_owned())
    })
}

/// The name of a profile that the configuration has; [`FULL`]: none.
pub(super) fn profile(profiles: &[Profile]) -> Accepts<Option<Profile>> {
    let known: Vec<String> = profiles.iter().map(|profile| format!(", {:?}", profile.name)).collect();
    let profiles = profiles.to_vec();
    values(format!("the name of a profile: {FULL:?}{}", known.concat()), move |value| match value.as_str() {
        Some(FULL) => Ok(None),
        name => profiles.iter().find(|one| Some(&*one.name) == name).cloned().map(Some).ok_or(None),
    })
}

pub(super) fn compression() -> Accepts<Compression> {
    word("\"none\", \"gzip\" or \"zstd\"", Compression::from_name)
}

/// At least one stream, none twice; in their order, parents first.
pub(super) fn streams() -> Accepts<Vec<Stream>> {
    let expected =
        format!("an array of {}: at least one, none twice", Stream::ALL.map(Stream::name).join(" and "));
    values(expected, |value| {
        let names = value.as_array().ok_or(None)?;
        let streams: Option<BTreeSet<Stream>> =
            names.iter().map(|name| Stream::from_name(name.as_str()?)).collect();
        let streams =
            streams.filter(|streams| !streams.is_empty() && streams.len() == names.len()).ok_or(None)?;
        Ok(Stream::ALL.into_iter().filter(|stream| streams.contains(stream)).collect())
    })
}

pub(super) fn database() -> Accepts<PathBuf> {
    text("the path of a file", database_path)
}

pub(super) fn secret_file() -> Accepts<Option<PathBuf>> {
    or_none("", text("the path of a file, or \"\" for none", path))
}

/// A key in the place of its file is caught before it can be shown.
pub(super) fn key_file() -> Accepts<Option<PathBuf>> {
    or_none(
        "",
        text("the path of a file, or \"\" for none", |given| match given {
            key if key.starts_with("sk_") || key.starts_with("pk_") => Err(because(
                "this looks like the key itself; write the key into a file of its own and name that file here",
            )),
            file => path(file),
        }),
    )
}

pub(super) fn base_url() -> Accepts<Url> {
    text(
        "an absolute https URL without user, query or fragment (http only for 127.0.0.0/8, [::1] or localhost)",
        parse_base_url,
    )
}

/// Where words go that are no part of the API.
pub(super) fn notify_url() -> Accepts<Option<Url>> {
    or_none(
        "",
        text(
            "an absolute https URL without user (http only for 127.0.0.0/8, [::1] or localhost), or \"\" for none",
            parse_notify_url,
        ),
    )
}

/// At least one format, none twice.
pub(super) fn formats() -> Accepts<Vec<Format>> {
    let expected = format!("an array of {}: at least one, none twice", Format::names());
    values(expected, |value| {
        let names = value.as_array().ok_or(None)?;
        let mut formats = Vec::with_capacity(names.len());
        for name in names {
            let name_of = name.as_str().ok_or(None)?;
            let format = Format::from_configured(name_of).ok_or_else(|| Format::of_other_builds(name_of))?;
            if formats.contains(&format) {
                return Err(because(format!("{name} stands twice")));
            }
            formats.push(format);
        }
        if formats.is_empty() { Err(because("it is empty")) } else { Ok(formats) }
    })
}

pub(super) fn time_zone() -> Accepts<TimeZone> {
    text("the IANA name of a time zone, such as \"Europe/Berlin\"", |name| match name {
        // Every other one takes a walk through the system's files, which is most of what the configuration takes.
        "UTC" => Ok(TimeZone::UTC),
        name => TimeZone::get(name).map_err(|_| {
            because(
                "the time zone database does not know it; check the spelling, and that the system's \
                 time zone data (tzdata) is installed",
            )
        }),
    })
}

/// An expression, to be evaluated on the clocks of `zone`.
pub(super) fn schedule(zone: TimeZone) -> Accepts<Option<Schedule>> {
    let parse = move |text: &str| Schedule::parse(text, zone.clone()).map_err(because);
    or_none("", text("a crontab(5) expression such as \"*/15 * * * *\", or \"\" for never", parse))
}

fn because(why: impl ToString) -> Why {
    Some(why.to_string())
}

fn path(given: &str) -> Result<PathBuf, Why> {
    match given {
        "" => Err(because("it is empty")),
        path if path.contains('\0') => Err(because("it holds a NUL byte")),
        path => Ok(PathBuf::from(path)),
    }
}

/// The path of a database. Names that SQLite, or people who know it, give another meaning are refused: `:memory:` would
/// keep nothing, and a URI would become a file of that name.
fn database_path(given: &str) -> Result<PathBuf, Why> {
    let begins_with_file = given.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("file:"));
    if given.starts_with(':') {
        return Err(because(format!(
            "SQLite takes a name that begins with a colon for no file (`:memory:` is gone with the run); write \
             `./{given}` for a file of that name"
        )));
    }
    if begins_with_file || given.contains("://") {
        return Err(because(
            "it is a URI; write the path alone, such as /var/lib/malomo-mirror/mirror.db (or begin with ./ for a file \
             of that name)",
        ));
    }
    if !given.is_empty() && matches!(given.rsplit('/').next(), Some("" | "." | "..")) {
        return Err(because("it names a folder; name a file in it, such as mirror.db"));
    }
    path(given)
}

/// The base URL, ending in `/` so that relative paths join below it.
///
/// Plain HTTP is refused unless the host is loopback (`api-contract` point 12). A name other than
/// `localhost` is never looked up: what it resolves to can change.
fn parse_base_url(given: &str) -> Result<Url, Why> {
    let mut url = Url::parse(given).map_err(because)?;
    check_base(&url).map_err(|error| match error {
        OriginError::UserInfo => because("it holds a user name or password"),
        OriginError::NotABase => because("it holds a query or a fragment"),
        OriginError::PlainHttp => {
            because("plain HTTP would send the key unencrypted over the network; use https")
        }
        _ => because("it is no http or https URL"),
    })?;
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// An address that is a secret: no reason quotes it.
fn parse_notify_url(given: &str) -> Result<Url, Why> {
    let url = Url::parse(given).map_err(because)?;
    let mut base = url.clone();
    // Receivers tell their users apart by the query, too.
    base.set_query(None);
    base.set_fragment(None);
    match check_base(&base) {
        Ok(()) => Ok(url),
        Err(OriginError::UserInfo) => Err(because("it holds a user name or password")),
        Err(OriginError::PlainHttp) => {
            Err(because("plain HTTP would show everybody on the way where to write; use https"))
        }
        Err(_) => Err(because("it is no http or https URL")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_for_notifications() {
        for (given, is_taken) in [
            ("https://hooks.slack.com/services/T0/B0/x", true),
            ("https://example.com/hook?token=x", true),
            ("http://127.0.0.1:9/hook", true),
            ("http://localhost/hook", true),
            ("http://example.com/hook", false),
            ("https://user:word@example.com/hook", false),
            ("ftp://example.com/hook", false),
            ("hooks.slack.com/services", false),
        ] {
            assert_eq!(parse_notify_url(given).is_ok(), is_taken, "{given}");
        }
    }

    fn url(given: &str) -> Result<String, Why> {
        parse_base_url(given).map(|url| url.to_string())
    }

    #[test]
    fn base_urls_that_are_taken() {
        for (given, taken) in [
            ("https://api.gomalomo.com", "https://api.gomalomo.com/"),
            ("https://proxy.example.com:8443/malomo", "https://proxy.example.com:8443/malomo/"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("http://127.8.9.1", "http://127.8.9.1/"),
            ("http://[::1]:8080/", "http://[::1]:8080/"),
            ("http://LOCALHOST:1", "http://localhost:1/"),
        ] {
            assert_eq!(url(given).as_deref(), Ok(taken), "{given}");
        }
    }

    #[test]
    fn base_urls_that_are_refused() {
        for given in [
            "",
            "api.gomalomo.com",
            "/customers",
            "ftp://api.gomalomo.com",
            "file:///etc/passwd",
            "https://user@api.gomalomo.com",
            "https://:word@api.gomalomo.com",
            "https://api.gomalomo.com/?a=b",
            "https://api.gomalomo.com/#top",
            "http://api.gomalomo.com",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://128.0.0.1",
            "http://0.0.0.0",
            "http://[::ffff:127.0.0.1]",
            "http://[::2]",
        ] {
            assert!(url(given).is_err(), "{given}");
        }
    }

    #[test]
    fn databases_are_files() {
        for (given, reason) in [
            (":memory:", "`./:memory:` for a file"),
            (":other", "begins with a colon"),
            ("file:m?mode=memory", "it is a URI"),
            ("file:///var/lib/mirror.db", "it is a URI"),
            ("File:mirror.db", "it is a URI"),
            ("sqlite:///mirror.db", "it is a URI"),
            ("", "it is empty"),
            ("mirror\0.db", "NUL"),
            ("/var/lib/malomo-mirror/", "it names a folder"),
            (".", "it names a folder"),
            ("./..", "it names a folder"),
            ("here/.", "it names a folder"),
        ] {
            let why = database_path(given).unwrap_err().unwrap();
            assert!(why.contains(reason), "{given:?}: {why}");
        }
        for given in
            ["mirror.db", "./:memory:", "./file:x.db", "files/mirror.db", "/a/b:c/ä.db", "...", "a/..b"]
        {
            assert_eq!(database_path(given), Ok(PathBuf::from(given)), "{given:?}");
        }
    }

    #[test]
    fn joins_stay_below_the_base() {
        let base = parse_base_url("https://proxy.example.com/malomo").unwrap();
        assert_eq!(base.join("customers").unwrap().as_str(), "https://proxy.example.com/malomo/customers");
    }
}
