//! What can go wrong with a call, and what to do then: one table by kind.

use reqwest::{Method, Url};
use std::error::Error;
use std::fmt;

/// The kinds of failure, as far as a caller or an operator would act differently on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No connection could be made: the request certainly did not reach the server.
    Unreachable,
    /// No answer, or no further part of it, within the time allowed; or the API itself said so (408).
    Timeout,
    /// The answer was cut short or the connection broke.
    BrokenAnswer,
    /// The body is longer than allowed, counted after decompression.
    TooLarge,
    /// The answer is not the documented JSON, such as a proxy's HTML page with status 200.
    NotDocumented,
    /// 401 or 403.
    KeyRefused,
    /// 404 or 410: there is no such record, or not any more.
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
pub(super) enum Repeat {
    /// Any: the request did not reach the server.
    Always,
    /// Those that do no harm when carried out twice.
    Idempotent,
    /// None: it would end the same way.
    Never,
}

/// What one kind of failure means: a row of the table.
struct Row {
    what: &'static str,
    hint: &'static str,
    repeat: Repeat,
}

impl ErrorKind {
    const fn row(self) -> Row {
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

    /// Which calls may be repeated after it.
    pub(super) const fn repeat(self) -> Repeat {
        self.row().repeat
    }

    /// The kind of an answer with a status that does not belong to the call.
    pub(super) fn of_status(status: u16) -> ErrorKind {
        match status {
            401 | 403 => ErrorKind::KeyRefused,
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
    pub(super) fn may_have_happened(self) -> bool {
        use ErrorKind::{BrokenAnswer, NotDocumented, ServerFault, Timeout, TooLarge};
        matches!(self, Timeout | BrokenAnswer | NotDocumented | ServerFault | TooLarge)
    }

    /// Whether it says that the server, or the way to it, is down rather than this one request wrong.
    pub fn is_outage(self) -> bool {
        use ErrorKind::{BrokenAnswer, NotDocumented, ServerFault, Timeout, Unreachable};
        matches!(self, Unreachable | Timeout | BrokenAnswer | NotDocumented | ServerFault)
    }
}

/// A call that failed, after all its attempts.
///
/// `Display` is one line for the person at the terminal and holds the vendor's `message`, which may echo
/// what was sent. [`log_form`](ApiError::log_form) and `Debug` leave it out. None shows the key.
pub struct ApiError(Box<Details>);

struct Details {
    kind: ErrorKind,
    status: Option<u16>,
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
    is_documented_form: bool,
    detail: Option<String>,
    request: Option<String>,
    attempts: u32,
    lost_answer: bool,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ApiError {
    pub(super) fn new(kind: ErrorKind) -> ApiError {
        ApiError(Box::new(Details {
            kind,
            status: None,
            code: None,
            message: None,
            request_id: None,
            is_documented_form: false,
            detail: None,
            request: None,
            attempts: 0,
            lost_answer: false,
            source: None,
        }))
    }

    /// For an answer whose status is no success: takes what its body says about the error.
    pub(super) fn of_answer(status: u16, request_id_header: Option<&str>, body: &[u8]) -> ApiError {
        let mut error = ApiError::new(ErrorKind::of_status(status)).with_status(status);
        let parsed: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let object = parsed.get("error").filter(|inner| inner.is_object()).unwrap_or(&parsed);
        let field = |name| match object.get(name) {
            Some(serde_json::Value::String(text)) => shown(text),
            Some(serde_json::Value::Number(number)) => shown(&number.to_string()),
            _ => None,
        };
        error.0.is_documented_form = ["code", "message"]
            .into_iter()
            .all(|name| parsed.get(name).is_some_and(serde_json::Value::is_string));
        error.0.code = field("code");
        error.0.message = field("message");
        error.0.request_id = field("request_id").or_else(|| request_id_header.and_then(shown));
        error
    }

    /// Adds what exactly was wrong; it must be fit for logs.
    pub(super) fn with_detail(mut self, detail: impl fmt::Display) -> ApiError {
        self.0.detail = shown(&detail.to_string());
        self
    }

    pub(super) fn with_status(mut self, status: u16) -> ApiError {
        self.0.status = Some(status);
        self
    }

    pub(super) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> ApiError {
        self.0.source = Some(source.into());
        self
    }

    /// Adds which request it was, and its history: `lost_answer` where an earlier attempt may have been
    /// carried out by the server.
    pub(super) fn of_call(
        mut self,
        method: &Method,
        url: &Url,
        attempts: u32,
        lost_answer: bool,
    ) -> ApiError {
        self.0.request = Some(request_line(method, url));
        self.0.attempts = attempts;
        self.0.lost_answer = lost_answer;
        self
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The HTTP status of the last attempt's answer, if one came.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The vendor's `code`, if the answer carried one.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The vendor's `message`, if the answer carried one. It may echo personal data: not for logs.
    pub fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// What the vendor's support asks for.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Whether the answer is the API's own word, not that of a gateway in front of it: a JSON object with the documented
    /// members of an error, `code` and `message`, each a string (`api-contract`, Transport).
    pub fn is_documented_form(&self) -> bool {
        self.0.is_documented_form
    }

    /// How often the request was attempted.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Whether an attempt before the last one may have been carried out although its answer was lost.
    pub(super) fn lost_answer(&self) -> bool {
        self.0.lost_answer
    }

    /// What to do now, in one or two sentences.
    pub fn hint(&self) -> &'static str {
        self.0.kind.row().hint
    }

    /// The line for logs: like `Display`, without the vendor's `message`.
    pub fn log_form(&self) -> String {
        self.line(false)
    }

    fn line(&self, with_message: bool) -> String {
        let error = &self.0;
        let mut line = String::new();
        if let Some(request) = &error.request {
            line = format!("{request}: ");
        }
        line.push_str(error.kind.row().what);
        if let Some(detail) = &error.detail {
            line = format!("{line}: {detail}");
        }
        let labelled = [
            error.status.map(|status| format!("HTTP {status}")),
            error.code.as_ref().map(|code| format!("code {code}")),
            error.request_id.as_ref().map(|id| format!("request id {id}")),
            (error.attempts > 1).then(|| format!("{} attempts", error.attempts)),
        ];
        let labelled: Vec<String> = labelled.into_iter().flatten().collect();
        if !labelled.is_empty() {
            line = format!("{line} ({})", labelled.join(", "));
        }
        match &error.message {
            Some(message) if with_message => format!("{line}: {message}"),
            _ => line,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line(true))
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_tuple("ApiError");
        shown.field(&self.0.kind).field(&self.log_form());
        if let Some(source) = &self.0.source {
            shown.field(&source.to_string());
        }
        shown.finish()
    }
}

impl Error for ApiError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// Longest text taken over from an answer, in characters.
const SHOWN: usize = 300;

/// Text from outside made fit for one line of a terminal: no control characters, bounded. `None` where
/// nothing is left.
fn shown(text: &str) -> Option<String> {
    let clean: String =
        text.chars().map(|c| if c.is_control() || is_invisible(c) { ' ' } else { c }).collect();
    let clean = clean.trim();
    let mut bounded: String = clean.chars().take(SHOWN).collect();
    if bounded.len() < clean.len() {
        bounded.push('…');
    }
    (!bounded.is_empty()).then_some(bounded)
}

/// Line separators and the marks that turn the direction of writing around.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// Method and path, with each value of the query shortened: page tokens are long and may be secrets.
fn request_line(method: &Method, url: &Url) -> String {
    let mut line = format!("{method} {}", url.path());
    for (n, (name, value)) in url.query_pairs().enumerate() {
        let mut short: String = value.chars().take(8).collect();
        if short.len() < value.len() {
            short.push('…');
        }
        line.push_str(if n == 0 { "?" } else { "&" });
        line = format!("{line}{name}={short}");
    }
    shown(&line).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> ApiError {
        let url = Url::parse("https://h.example/customers?next=abcdefghijkl").unwrap();
        ApiError::of_answer(401, Some("hdr"), body.as_bytes()).of_call(&Method::GET, &url, 1, false)
    }

    #[test]
    fn one_line_says_what_where_and_which_request() {
        let error =
            refused(r#"{"code":"unauthorized","message":"No\nsuch key","request_id":"req_1","status":401}"#);
        assert_eq!(error.kind(), ErrorKind::KeyRefused);
        assert_eq!(
            error.to_string(),
            "GET /customers?next=abcdefgh…: the API refused the key \
             (HTTP 401, code unauthorized, request id req_1): No such key"
        );
        assert!(!error.log_form().contains("No such key"));
        assert!(!format!("{error:?}").contains("No such key"));
    }

    #[test]
    fn error_bodies_of_every_shape() {
        for (body, code, message, id) in [
            ("", None, None, Some("hdr")),
            ("<html>", None, None, Some("hdr")),
            ("[]", None, None, Some("hdr")),
            (r#"{"error":"nope"}"#, None, None, Some("hdr")),
            (r#"{"error":{"code":7,"message":"m"}}"#, Some("7"), Some("m"), Some("hdr")),
            (r#"{"code":null,"message":"\u001b[31m","request_id":""}"#, None, Some("[31m"), Some("hdr")),
        ] {
            let error = refused(body);
            assert_eq!((error.code(), error.message(), error.request_id()), (code, message, id), "{body}");
        }
    }

    #[test]
    fn only_the_documented_members_are_the_apis_own_word() {
        for (body, expected) in [
            ("", false),
            ("404 page not found\n", false),
            ("<html><h1>404</h1></html>", false),
            ("null", false),
            (r#""not found""#, false),
            ("[]", false),
            (r#"[{"code":"not_found","message":"m"}]"#, false),
            ("{}", false),
            (r#"{"message":"no Route matched with those values"}"#, false),
            (r#"{"code":"not_found"}"#, false),
            (r#"{"code":404,"message":"m"}"#, false),
            (r#"{"code":"not_found","message":null}"#, false),
            (r#"{"error":{"code":"not_found","message":"m"}}"#, false),
            (r#"{"code":"not_found","message":"m""#, false),
            (r#"{"code":"not_found","message":"m"}"#, true),
            (r#"{"code":"not_found","message":"m","request_id":"r","status":404}"#, true),
            (r#"{"code":"not_found","message":"","details":[]}"#, true),
        ] {
            for status in [404, 410] {
                let error = ApiError::of_answer(status, Some("hdr"), body.as_bytes());
                assert_eq!(error.is_documented_form(), expected, "{body}");
                assert_eq!(error.kind(), ErrorKind::NotFound);
            }
        }
        assert!(!ApiError::new(ErrorKind::NotFound).with_status(404).is_documented_form());
    }

    #[test]
    fn long_messages_are_bounded() {
        let error = refused(&format!(r#"{{"message":"{}"}}"#, "ä".repeat(5000)));
        assert_eq!(error.message().unwrap().chars().count(), SHOWN + 1);
    }

    #[test]
    fn every_status_has_its_kind() {
        for (status, kind) in [
            (400, ErrorKind::BadRequest),
            (403, ErrorKind::KeyRefused),
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
