//! Which URLs the key may be sent to (`api-contract` point 12). Pure.
//!
//! A reference is resolved first (RFC 3986 section 5, with the URL standard's reading of backslashes, tabs and the like). The
//! result is checked, and the same result is requested, so nothing is parsed twice.

use reqwest::Url;
use std::net::IpAddr;

/// Why the key may not be sent to a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It is no URL.
    #[error("the link is not a URL")]
    Unreadable,
    /// It leads elsewhere.
    #[error("the link leads to {found}, but the key belongs to {base} alone")]
    Elsewhere {
        /// The origin of the link; `null` for a scheme without hosts.
        found: String,
        /// The origin of the base URL.
        base: String,
    },
    /// It holds a user name or a password.
    #[error("the URL holds a user name or password")]
    UserInfo,
    /// Neither https nor http.
    #[error("the base URL must begin with https://, not {scheme}:")]
    Scheme {
        /// What it begins with.
        scheme: String,
    },
    /// http to another machine would send the key unencrypted.
    #[error("the base URL must be https: http would send the key unencrypted (allowed to this machine only)")]
    PlainHttp,
    /// The base URL holds a query or fragment, to which no path can be added.
    #[error("the base URL must not hold a query or fragment")]
    NotABase,
}

/// Resolves a redirect found in the answer to `request_url`; fragments are dropped.
///
/// # Errors
/// When the result would be of another origin than `base`, or holds user information.
pub(super) fn resolve(base: &Url, request_url: &Url, reference: &str) -> Result<Url, OriginError> {
    let url = request_url.join(reference).map_err(|_| OriginError::Unreadable)?;
    at_home(base, url)
}

/// Resolves a link to a next page found in the answer to `request_url`; fragments are dropped. Where TLS ends at a proxy,
/// the API behind it writes its links with http: one to the base URL's own host and port is followed by https, of which
/// the second part of the result tells.
///
/// # Errors
/// When the result would be of another origin than `base`, or holds user information.
pub(in crate::api) fn resolve_link(
    base: &Url,
    request_url: &Url,
    reference: &str,
) -> Result<(Url, bool), OriginError> {
    let mut url = request_url.join(reference).map_err(|_| OriginError::Unreadable)?;
    let port_fits = url.port() == base.port() || url.port() == base.port_or_known_default();
    let is_by_https_instead =
        base.scheme() == "https" && url.scheme() == "http" && url.host() == base.host() && port_fits;
    if is_by_https_instead {
        // Neither can fail for a URL with a host.
        let _ = (url.set_scheme("https"), url.set_port(base.port()));
    }
    Ok((at_home(base, url)?, is_by_https_instead))
}

fn at_home(base: &Url, mut url: Url) -> Result<Url, OriginError> {
    guard(base, &url)?;
    url.set_fragment(None);
    Ok(url)
}

/// Refuses a URL that the key must not be sent to.
///
/// # Errors
/// When `url` is of another origin than `base`, or holds user information.
pub(super) fn guard(base: &Url, url: &Url) -> Result<(), OriginError> {
    // Scheme, host and port; a port that is the scheme's own is the same, spelled out or not.
    if url.origin() != base.origin() {
        let told = |url: &Url| url.origin().ascii_serialization();
        return Err(OriginError::Elsewhere { found: told(url), base: told(base) });
    }
    if has_user_info(url) { Err(OriginError::UserInfo) } else { Ok(()) }
}

/// Whether this may be a base URL: https, or http to this machine alone, without user information, query
/// or fragment.
///
/// # Errors
/// What is wrong with it.
pub fn check_base(url: &Url) -> Result<(), OriginError> {
    match url.scheme() {
        scheme if !matches!(scheme, "http" | "https") => {
            Err(OriginError::Scheme { scheme: scheme.to_owned() })
        }
        _ if has_user_info(url) => Err(OriginError::UserInfo),
        _ if url.query().is_some() || url.fragment().is_some() => Err(OriginError::NotABase),
        "http" if !is_loopback(url) => Err(OriginError::PlainHttp),
        _ => Ok(()),
    }
}

/// Whether the host is this machine: 127.0.0.0/8, ::1 or localhost.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn has_user_info(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: &str = "https://api.gomalomo.com";
    const REQUEST: &str = "https://api.gomalomo.com/customers/1/events?next=a";

    fn resolved(reference: &str) -> Result<Url, OriginError> {
        resolve(&Url::parse(BASE).unwrap(), &Url::parse(REQUEST).unwrap(), reference)
    }

    #[test]
    fn links_that_stay_home() {
        for (reference, expected) in [
            ("?next=b", "https://api.gomalomo.com/customers/1/events?next=b"),
            ("", "https://api.gomalomo.com/customers/1/events?next=a"),
            ("/customers?prev=c", "https://api.gomalomo.com/customers?prev=c"),
            ("../2/events", "https://api.gomalomo.com/customers/2/events"),
            ("/../../x", "https://api.gomalomo.com/x"),
            ("//api.gomalomo.com/x", "https://api.gomalomo.com/x"),
            ("https://api.gomalomo.com:443/x", "https://api.gomalomo.com/x"),
            ("HTTPS://API.GoMalomo.COM/X", "https://api.gomalomo.com/X"),
            ("https://api.gomalomo.com/x#y", "https://api.gomalomo.com/x"),
            ("#y", "https://api.gomalomo.com/customers/1/events?next=a"),
            ("\\x", "https://api.gomalomo.com/x"),
            ("https://api.gomalomo.com\\@evil.example/", "https://api.gomalomo.com/@evil.example/"),
            ("/x@evil.example", "https://api.gomalomo.com/x@evil.example"),
            (
                "?next=https://evil.example/",
                "https://api.gomalomo.com/customers/1/events?next=https://evil.example/",
            ),
        ] {
            assert_eq!(resolved(reference).map(String::from).as_deref(), Ok(expected), "{reference}");
        }
    }

    #[test]
    fn links_that_lead_away() {
        for reference in [
            "https://evil.example/",
            "https://api.gomalomo.com@evil.example/",
            "https://api.gomalomo.com:443@evil.example/",
            "https://api.gomalomo.com%40evil.example/",
            "https://evil.example\\@api.gomalomo.com/",
            "https://evil.example#@api.gomalomo.com/",
            "//evil.example",
            "\\\\evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "///evil.example",
            "https:\\\\evil.example",
            "https:///evil.example",
            " https://evil.example",
            "https://api.gomalomo.com.evil.example/",
            "https://api.gomalomo.com./",
            "https://gomalomo.com/",
            "https://api.gomalomo.com:8443/",
            "http://api.gomalomo.com/",
            "http://api.gomalomo.com:443/",
            "wss://api.gomalomo.com/",
            "ftp://api.gomalomo.com/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:application/json,[]",
            "https://аpi.gomalomo.com/",
        ] {
            let found = resolved(reference);
            let refused = matches!(found, Err(OriginError::Elsewhere { .. } | OriginError::Unreadable));
            assert!(refused, "{reference}: {found:?}");
        }
    }

    /// The API behind a proxy that ends TLS doesn't know of it.
    #[test]
    fn links_of_http_are_followed_by_https() {
        let followed = |base: &str, reference: &str| {
            let base = Url::parse(base).unwrap();
            let found = resolve_link(&base, &base.join("/customers").unwrap(), reference);
            found.ok().map(|(url, _)| String::from(url))
        };
        let (default, other) = ("https://api.example.com", "https://api.example.com:8443");
        for (base, reference, expected) in [
            (default, "http://api.example.com/c?next=5", Some("https://api.example.com/c?next=5")),
            (default, "http://api.example.com:80/c", Some("https://api.example.com/c")),
            (default, "http://api.example.com:443/c", Some("https://api.example.com/c")),
            (default, "http://API.example.com//c", Some("https://api.example.com//c")),
            (default, "http://api.example.com:8080/c", None),
            (default, "http://other.example.com/c", None),
            (default, "http://me@api.example.com/c", None),
            (default, "ws://api.example.com/c", None),
            (other, "http://api.example.com:8443/c", Some("https://api.example.com:8443/c")),
            (other, "http://api.example.com/c", None),
            (other, "http://api.example.com:80/c", None),
            (other, "http://api.example.com:443/c", None),
            // Never the other way round.
            ("http://127.0.0.1:8080", "https://127.0.0.1:8080/c", None),
        ] {
            assert_eq!(followed(base, reference).as_deref(), expected, "{base} {reference}");
        }
    }

    #[test]
    fn user_information_is_refused_even_at_home() {
        for reference in
            ["https://me@api.gomalomo.com/", "https://:pw@api.gomalomo.com/", "//a:b@api.gomalomo.com/"]
        {
            assert_eq!(resolved(reference), Err(OriginError::UserInfo), "{reference}");
        }
    }

    #[test]
    fn base_urls() {
        let plain = Err(OriginError::PlainHttp);
        for (base, expected) in [
            ("https://api.gomalomo.com", Ok(())),
            ("https://api.gomalomo.com/v2/", Ok(())),
            ("http://127.0.0.1:8080", Ok(())),
            ("http://127.9.9.9", Ok(())),
            ("http://[::1]:8080", Ok(())),
            ("http://localhost:1", Ok(())),
            ("http://LOCALHOST", Ok(())),
            ("http://api.gomalomo.com", plain.clone()),
            ("http://0.0.0.0", plain.clone()),
            ("http://128.0.0.1", plain.clone()),
            ("http://localhost.evil.example", plain.clone()),
            ("http://127.0.0.1.evil.example", plain.clone()),
            ("http://[::2]", plain),
            ("https://me@api.gomalomo.com", Err(OriginError::UserInfo)),
            ("http://localhost@127.0.0.1", Err(OriginError::UserInfo)),
            ("https://api.gomalomo.com?x", Err(OriginError::NotABase)),
            ("https://api.gomalomo.com#x", Err(OriginError::NotABase)),
            ("ftp://127.0.0.1", Err(OriginError::Scheme { scheme: "ftp".into() })),
        ] {
            assert_eq!(check_base(&Url::parse(base).unwrap()), expected, "{base}");
        }
    }

    proptest! {
        #[test]
        fn whatever_resolves_is_at_home(
            scheme in "(http:)?", reference in "[/\\\\:@?#a-z.\t ]{0,12}((evil|api)\\.(example|gomalomo\\.com))?.{0,8}",
        ) {
            let (base, asked) = (Url::parse(BASE).unwrap(), Url::parse(REQUEST).unwrap());
            let reference = scheme + &reference;
            let link = resolve_link(&base, &asked, &reference).map(|(url, _)| url);
            for url in [resolve(&base, &asked, &reference), link].into_iter().flatten() {
                prop_assert!(url.as_str().starts_with("https://api.gomalomo.com/"), "{url}");
                prop_assert_eq!(url.fragment(), None);
            }
        }
    }
}
