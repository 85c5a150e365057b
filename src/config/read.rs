//! How a value is read as what it means.

use super::key::Refusal;
use super::value::Value;
use super::{duration as durations, size as sizes};
use crate::api::{Parameter, TokenStyle};
use crate::export::{Compression, Format};
use crate::schedule::Schedule;
use jiff::tz::TimeZone;
use reqwest::Url;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

pub(super) const DURATION: &str = "a duration such as \"30s\", \"250ms\", \"1h30m\" or \"7d\"";
pub(super) const POSITIVE_DURATION: &str =
    "a duration above zero such as \"30s\", \"250ms\", \"1h30m\" or \"7d\"";
pub(super) const TOKEN_STYLES: &str = "\"auto\", \"link\", \"envelope\", \"header\" or \"last-id\"";
pub(super) const PARAMETERS: &str = "\"auto\", \"next\" or \"prev\"";
pub(super) const SCHEDULE: &str = "a crontab(5) expression such as \"*/15 * * * *\", or \"\" for never";

fn text(value: &Value) -> Result<&str, Refusal> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(Refusal::default()),
    }
}

pub(super) fn integer<T: TryFrom<i64>>(value: &Value, range: RangeInclusive<i64>) -> Result<T, Refusal> {
    match value {
        Value::Integer(number) if range.contains(number) => {
            T::try_from(*number).map_err(|_| Refusal::default())
        }
        _ => Err(Refusal::default()),
    }
}

pub(super) fn share(value: &Value) -> Result<f64, Refusal> {
    match value {
        Value::Number(number) if (0.0..=1.0).contains(number) => Ok(*number),
        _ => Err(Refusal::default()),
    }
}

pub(super) fn flag(value: &Value) -> Result<bool, Refusal> {
    match value {
        Value::Flag(flag) => Ok(*flag),
        _ => Err(Refusal::default()),
    }
}

pub(super) fn duration(value: &Value) -> Result<Duration, Refusal> {
    durations::parse(text(value)?).ok_or_else(Refusal::default)
}

pub(super) fn positive_duration(value: &Value) -> Result<Duration, Refusal> {
    duration(value).and_then(|span| if span.is_zero() { Err(Refusal::default()) } else { Ok(span) })
}

pub(super) fn size(value: &Value) -> Result<u64, Refusal> {
    sizes::parse(text(value)?).filter(|&bytes| bytes > 0).ok_or_else(Refusal::default)
}

pub(super) fn path(value: &Value) -> Result<PathBuf, Refusal> {
    match text(value)? {
        "" => Err(Refusal::because("it is empty")),
        path if path.contains('\0') => Err(Refusal::because("it holds a NUL byte")),
        path => Ok(PathBuf::from(path)),
    }
}

/// The path of a database. Names that SQLite, or people who know it, give another meaning are refused: `:memory:` would
/// keep nothing, and a URI would become a file of that name.
pub(super) fn database(value: &Value) -> Result<PathBuf, Refusal> {
    let path = path(value)?;
    let given = text(value)?;
    let begins_with_file = given.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("file:"));
    if given.starts_with(':') {
        return Err(Refusal::because(format!(
            "SQLite takes a name that begins with a colon for no file (`:memory:` is gone with the run); write \
             `./{given}` for a file of that name"
        )));
    }
    if begins_with_file || given.contains("://") {
        return Err(Refusal::because(
            "it is a URI; write the path alone, such as /var/lib/malomo-mirror/mirror.db (or begin with ./ for a file \
             of that name)",
        ));
    }
    if matches!(given.rsplit('/').next(), Some("" | "." | "..")) {
        return Err(Refusal::because("it names a folder; name a file in it, such as mirror.db"));
    }
    Ok(path)
}

/// A path that may be left out; a key in the place of its file is caught before it can be shown.
pub(super) fn key_file(value: &Value) -> Result<Option<PathBuf>, Refusal> {
    let given = text(value)?;
    if given.is_empty() {
        return Ok(None);
    }
    if given.starts_with("sk_") || given.starts_with("pk_") {
        return Err(Refusal::because(
            "this looks like the key itself; write the key into a file of its own and name that file here",
        ));
    }
    path(value).map(Some)
}

/// The base URL, ending in `/` so that relative paths join below it.
///
/// Plain HTTP is refused unless the host is loopback (`api-contract` point 12). A name other than
/// `localhost` is never looked up: what it resolves to can change.
pub(super) fn base_url(value: &Value) -> Result<Url, Refusal> {
    let mut url = Url::parse(text(value)?).map_err(Refusal::because)?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(Refusal::because("it is no http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refusal::because("it holds a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Refusal::because("it holds a query or a fragment"));
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(Refusal::because(
            "plain HTTP would send the key unencrypted over the network; use https",
        ));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

pub(super) fn token_style(value: &Value) -> Result<Option<TokenStyle>, Refusal> {
    match text(value)? {
        "auto" => Ok(None),
        name => TokenStyle::from_name(name).map(Some).ok_or_else(Refusal::default),
    }
}

pub(super) fn parameter(value: &Value) -> Result<Option<Parameter>, Refusal> {
    match text(value)? {
        "auto" => Ok(None),
        name => Parameter::from_name(name).map(Some).ok_or_else(Refusal::default),
    }
}

pub(super) fn reuse_tokens(value: &Value) -> Result<bool, Refusal> {
    match text(value)? {
        "auto" => Ok(true),
        "never" => Ok(false),
        _ => Err(Refusal::default()),
    }
}

pub(super) fn formats(value: &Value) -> Result<Vec<Format>, Refusal> {
    let Value::List(names) = value else { return Err(Refusal::default()) };
    let mut formats = Vec::with_capacity(names.len());
    for name in names {
        let format = Format::from_name(name).ok_or_else(Refusal::default)?;
        if formats.contains(&format) {
            return Err(Refusal::because(format!("\"{name}\" stands twice")));
        }
        formats.push(format);
    }
    if formats.is_empty() { Err(Refusal::because("it is empty")) } else { Ok(formats) }
}

pub(super) fn compression(value: &Value) -> Result<Compression, Refusal> {
    Compression::from_name(text(value)?).ok_or_else(Refusal::default)
}

pub(super) fn time_zone(value: &Value) -> Result<TimeZone, Refusal> {
    let name = text(value)?;
    // Every other one takes a walk through the system's files, which is most of what the configuration takes.
    if name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| {
        Refusal::because(
            "the time zone database does not know it; check the spelling, and that the system's \
             time zone data (tzdata) is installed",
        )
    })
}

/// The expression in UTC; the zone is put in once it is known.
pub(super) fn schedule(value: &Value) -> Result<Option<Schedule>, Refusal> {
    match text(value)?.trim() {
        "" => Ok(None),
        expression => Schedule::parse(expression, TimeZone::UTC).map(Some).map_err(Refusal::because),
    }
}

pub(super) fn listen(value: &Value) -> Result<Option<SocketAddr>, Refusal> {
    match text(value)? {
        "" => Ok(None),
        address => address.parse().map(Some).map_err(|_| Refusal::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(given: &str) -> Result<String, Refusal> {
        base_url(&Value::Text(given.to_owned())).map(|url| url.to_string())
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
            let why = database(&Value::Text(given.to_owned())).unwrap_err().why.unwrap();
            assert!(why.contains(reason), "{given:?}: {why}");
        }
        for given in
            ["mirror.db", "./:memory:", "./file:x.db", "files/mirror.db", "/a/b:c/ä.db", "...", "a/..b"]
        {
            assert_eq!(database(&Value::Text(given.to_owned())), Ok(PathBuf::from(given)), "{given:?}");
        }
    }

    #[test]
    fn joins_stay_below_the_base() {
        let base = base_url(&Value::Text("https://proxy.example.com/malomo".to_owned())).unwrap();
        assert_eq!(base.join("customers").unwrap().as_str(), "https://proxy.example.com/malomo/customers");
    }
}
