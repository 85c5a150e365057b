//! Who may ask, and in which version of the API (`api-contract`, "Transport").

use super::answer::Refusal;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, AUTHORIZATION};

/// Lets a request through that has a secret key and names the API's version.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    let key = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer);
    let refused = |message| Err(Refusal::new(401, "unauthorized", message));
    match key {
        Some(key) if key.len() > 3 && key.starts_with("sk_") => {}
        Some(key) if key.starts_with("pk_") => {
            return refused("a publishable key may read shipments only; use a secret key (sk_...)");
        }
        _ => return refused("send `Authorization: Bearer sk_...` with a secret key"),
    }
    let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if accepted.any(|value| value.split(',').any(names_version)) {
        return Ok(());
    }
    let message = "send `Accept: application/vnd.malomo+json; version=2` to select the API's version";
    Err(Refusal::new(400, "unsupported_version", message))
}

/// The token of an `Authorization` header (RFC 6750); the scheme's case doesn't count.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether a media range (RFC 9110 section 12.5.1) names the API's type and version.
fn names_version(range: &str) -> bool {
    let range = range.replace([' ', '\t', '"'], "").to_ascii_lowercase();
    let mut parts = range.split(';');
    parts.next() == Some("application/vnd.malomo+json") && parts.any(|parameter| parameter == "version=2")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn status(authorization: &'static str, accept: &'static str) -> u16 {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static(authorization));
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        check(&headers).map_or_else(|refusal| refusal.status, |()| 200)
    }

    #[test]
    fn keys() {
        const VERSION: &str = "application/vnd.malomo+json; version=2";
        for (key, expected) in [
            ("Bearer sk_test", 200),
            ("bearer sk_live_1", 200),
            ("Bearer sk_", 401),
            ("Bearer pk_test", 401),
            ("Bearer other", 401),
            ("Basic sk_test", 401),
            ("sk_test", 401),
            ("", 401),
        ] {
            assert_eq!(status(key, VERSION), expected, "{key}");
        }
        assert_eq!(check(&HeaderMap::new()).map_err(|refusal| refusal.status), Err(401));
    }

    #[test]
    fn a_publishable_key_is_told_why() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer pk_1"));
        assert!(check(&headers).unwrap_err().message.contains("shipments only"));
    }

    #[test]
    fn versions() {
        for (accept, expected) in [
            ("application/vnd.malomo+json; version=2", 200),
            ("application/vnd.malomo+json;version=\"2\"", 200),
            ("text/html, application/vnd.malomo+json; version=2; q=0.5", 200),
            ("application/vnd.malomo+json; version=1", 400),
            ("application/vnd.malomo+json", 400),
            ("application/json; version=2", 400),
            ("*/*", 400),
        ] {
            assert_eq!(status("Bearer sk_1", accept), expected, "{accept}");
        }
    }
}
