//! What can go wrong with a call, and what to do then: one table by kind.

/// The kinds of failure, as far as a caller or an operator would act differently on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No connection could be made: the request certainly did not reach the server.
    Unreachable,
    /// The server's certificate can't be trusted: it has expired, belongs to another host, or its authority is unknown.
    Certificate,
    /// The proxy asks for credentials, or refuses those that it was given.
    ProxyRefused,
    /// No answer, or no further part of it, arrived within the time allowed; or the API answered 408.
    Timeout,
    /// The answer was cut short or the connection broke.
    BrokenAnswer,
    /// The body is longer than allowed, counted after decompression.
    TooLarge,
    /// The answer is not the documented JSON, such as a proxy's HTML page with status 200.
    NotDocumented,
    /// 401, or 403 to a request for the customer list.
    KeyRefused,
    /// 403 to any other request: the key is valid but may not do this.
    Forbidden,
    /// 404 or 410: there is no such record, or it no longer exists.
    NotFound,
    /// Any other 4xx.
    BadRequest,
    /// 429.
    RateLimited,
    /// 5xx.
    ServerFault,
    /// A link or redirect leads to another origin than the base URL's; nothing was sent there.
    CrossOrigin,
    /// A redirect that is not followed: of a write, without a target, or one too many.
    Redirect,
    /// An identifier that cannot stand in a request's path; nothing was sent.
    UnusableId,
    /// The client could not be built: base URL, key or certificates.
    Client,
}

/// Which calls may be repeated after a kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Repeat {
    /// Any: the request did not reach the server.
    Always,
    /// Those that do no harm when carried out twice.
    Idempotent,
    /// None: the result would be the same.
    Never,
}

/// A row of the table: what one kind of failure means.
pub(in crate::api) struct Row {
    /// What happened, in a few words.
    pub(in crate::api) what: &'static str,
    /// What to do now, in one or two sentences.
    pub(in crate::api) hint: &'static str,
    /// Which calls may be repeated after it.
    pub(in crate::api) repeat: Repeat,
}

impl ErrorKind {
    pub(in crate::api) const fn row(self) -> Row {
        use Repeat::{Always, Idempotent, Never};
        const fn row(repeat: Repeat, what: &'static str, hint: &'static str) -> Row {
            Row { what, hint, repeat }
        }
        match self {
            ErrorKind::Unreachable => row(
                Always,
                "the API could not be reached",
                "Check the network, the name server, the proxy and `api.base_url`, then run again.",
            ),
            ErrorKind::Certificate => row(
                Never,
                "the server's certificate can't be trusted",
                "Check this machine's clock and `api.base_url`. If a proxy re-signs TLS, or the server's authority is your own, \
                 name a file with the authorities' certificates (PEM) in SSL_CERT_FILE, or a folder of them in SSL_CERT_DIR.",
            ),
            ErrorKind::ProxyRefused => row(
                Never,
                "the proxy refused the connection (407)",
                "Check user name and password in HTTPS_PROXY (http://USER:PASSWORD@HOST:PORT, with special characters \
                 percent-encoded), or name the API's host in NO_PROXY.",
            ),
            ErrorKind::Timeout => row(
                Idempotent,
                "the API did not answer in time",
                "Run again later; if it stays, raise `api.timeout` or lower `api.concurrency`.",
            ),
            ErrorKind::BrokenAnswer => row(
                Idempotent,
                "the answer was cut short",
                "Run again; if it stays, look for a proxy or firewall that ends connections early.",
            ),
            ErrorKind::TooLarge => row(
                Never,
                "the answer is too large",
                "Check that `api.base_url` names the vendor's API; if it does, report this to its support.",
            ),
            ErrorKind::NotDocumented => row(
                Idempotent,
                "the answer is not the documented JSON",
                "Check that `api.base_url` names the vendor's API and no proxy answers instead of it.",
            ),
            ErrorKind::KeyRefused => row(
                Never,
                "the API refused the key",
                "Check the key: it must be a current secret key (sk_…) of this account.",
            ),
            ErrorKind::Forbidden => row(
                Never,
                "the API does not allow this to the key",
                "Check that the key is a secret key (sk_…) of this account and may do this; the vendor's support can look up the \
                 request id.",
            ),
            ErrorKind::NotFound => row(
                Never,
                "the API knows no such record",
                "Check the id (the record may have been deleted) and that `api.base_url` names the vendor's API.",
            ),
            ErrorKind::BadRequest => row(
                Never,
                "the API rejected the request",
                "Correct what the message names; the vendor's support can look up the request id.",
            ),
            ErrorKind::RateLimited => row(
                Idempotent,
                "the API is limiting the rate of requests",
                "Run again later, or lower `api.concurrency`.",
            ),
            ErrorKind::ServerFault => row(
                Idempotent,
                "the API failed",
                "Run again later; if it stays, give the request id to the vendor's support.",
            ),
            ErrorKind::CrossOrigin => row(
                Never,
                "a link or redirect leads away from the API",
                "The key was not sent there. Check `api.base_url`; if the API has moved, set its new address.",
            ),
            ErrorKind::Redirect => row(
                Never,
                "the API redirected the request",
                "Set `api.base_url` to the address that answers without a redirect.",
            ),
            ErrorKind::UnusableId => row(
                Never,
                "the id cannot be part of a request",
                "Check the id: it must not be empty, `.` or `..`.",
            ),
            ErrorKind::Client => row(
                Never,
                "the API client could not be set up",
                "Check `api.base_url` and the key; if certificates are missing, install them \
                 (Debian: apt-get install ca-certificates).",
            ),
        }
    }

    /// The kind of an answer with a status that does not belong to the call.
    pub(in crate::api) fn of_status(status: u16) -> ErrorKind {
        match status {
            401 => ErrorKind::KeyRefused,
            403 => ErrorKind::Forbidden,
            404 | 410 => ErrorKind::NotFound,
            408 => ErrorKind::Timeout,
            429 => ErrorKind::RateLimited,
            300..=399 => ErrorKind::Redirect,
            400..=499 => ErrorKind::BadRequest,
            500..=599 => ErrorKind::ServerFault,
            _ => ErrorKind::NotDocumented,
        }
    }

    /// Whether the server may have carried out the request although no proper answer came.
    pub(in crate::api) fn may_have_happened(self) -> bool {
        use ErrorKind::{BrokenAnswer, NotDocumented, ServerFault, Timeout, TooLarge};
        matches!(self, Timeout | BrokenAnswer | NotDocumented | ServerFault | TooLarge)
    }

    /// Whether the server, or the way to it, is down, rather than this one request wrong.
    pub fn is_outage(self) -> bool {
        use ErrorKind::{
            BrokenAnswer, Certificate, NotDocumented, ProxyRefused, ServerFault, Timeout, Unreachable,
        };
        matches!(
            self,
            Unreachable | Certificate | ProxyRefused | Timeout | BrokenAnswer | NotDocumented | ServerFault
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_kind() {
        for (status, kind) in [
            (400, ErrorKind::BadRequest),
            (401, ErrorKind::KeyRefused),
            (403, ErrorKind::Forbidden),
            (404, ErrorKind::NotFound),
            (410, ErrorKind::NotFound),
            (408, ErrorKind::Timeout),
            (422, ErrorKind::BadRequest),
            (429, ErrorKind::RateLimited),
            (500, ErrorKind::ServerFault),
            (504, ErrorKind::ServerFault),
            (304, ErrorKind::Redirect),
            (202, ErrorKind::NotDocumented),
            (999, ErrorKind::NotDocumented),
        ] {
            assert_eq!(ErrorKind::of_status(status), kind, "{status}");
        }
    }
}
