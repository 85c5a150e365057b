//! A call that failed: what is told of it, and how.

pub use super::kind::ErrorKind;
pub(in crate::api) use super::kind::Repeat;
use super::redact::{RedactedCause, Redactor, SafeText};
use reqwest::{Method, Url};
use std::fmt;

/// A call that failed, after all its attempts.
///
/// Whatever an answer, a proxy or a library says of it comes in through `redact`: neither the key nor e-mail addresses,
/// telephone numbers or control characters are in it. `Display` is one line for the person at the terminal and holds the
/// vendor's own words, which may still name a person: [`log_form`](ApiError::log_form) and `Debug` leave them out.
#[derive(thiserror::Error)]
#[error("{}", self.line(true))]
pub struct ApiError {
    kind: ErrorKind,
    source: Option<RedactedCause>,
    details: Box<Details>,
}

#[derive(Default)]
struct Details {
    status: Option<u16>,
    code: Option<SafeText>,
    message: Option<SafeText>,
    request_id: Option<SafeText>,
    is_documented_form: bool,
    detail: Option<SafeText>,
    request: Option<SafeText>,
    attempts: u32,
    lost_answer: bool,
}

impl ApiError {
    pub(in crate::api) fn new(kind: ErrorKind) -> ApiError {
        ApiError { kind, source: None, details: Box::default() }
    }

    /// For an answer whose status is no success: takes what its body says about the error.
    pub(in crate::api) fn of_answer(
        redactor: &Redactor,
        status: u16,
        request_id_header: Option<&str>,
        body: &[u8],
    ) -> ApiError {
        let mut error = ApiError::new(ErrorKind::of_status(status)).with_status(status);
        let parsed: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        error.details.is_documented_form = ["code", "message"]
            .into_iter()
            .all(|name| parsed.get(name).is_some_and(serde_json::Value::is_string));
        let object = parsed.get("error").filter(|inner| inner.is_object()).unwrap_or(&parsed);
        let field = |name| match object.get(name) {
            Some(serde_json::Value::String(text)) => redactor.redact(text).if_any(),
            Some(serde_json::Value::Number(number)) => redactor.redact(&number.to_string()).if_any(),
            _ => None,
        };
        error.details.code = field("code");
        error.details.message = field("message");
        let by_header = || request_id_header.and_then(|id| redactor.redact(id).if_any());
        error.details.request_id =
            field("request_id").filter(is_one_word).or_else(by_header).filter(is_one_word);
        error
    }

    pub(in crate::api) fn with_detail(mut self, detail: SafeText) -> ApiError {
        self.details.detail = detail.if_any();
        self
    }

    /// With the kind that the status means to the call.
    pub(in crate::api) fn of_kind(mut self, kind: ErrorKind) -> ApiError {
        self.kind = kind;
        self
    }

    pub(in crate::api) fn with_status(mut self, status: u16) -> ApiError {
        self.details.status = Some(status);
        self
    }

    pub(in crate::api) fn with_source(mut self, source: RedactedCause) -> ApiError {
        self.source = Some(source);
        self
    }

    /// Adds which request it was, and its history: `lost_answer` where an earlier attempt may have been
    /// carried out by the server.
    pub(in crate::api) fn of_call(
        mut self,
        redactor: &Redactor,
        method: &Method,
        url: &Url,
        attempts: u32,
        lost_answer: bool,
    ) -> ApiError {
        self.details.request = Some(request_line(redactor, method, url));
        self.details.attempts = attempts;
        self.details.lost_answer = lost_answer;
        self
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The HTTP status of the last attempt's answer, if one came.
    pub fn status(&self) -> Option<u16> {
        self.details.status
    }

    /// What the vendor's support asks for; one word.
    pub fn request_id(&self) -> Option<&str> {
        self.details.request_id.as_ref().map(SafeText::as_str)
    }

    /// Whether the answer is the API's own word, not that of a gateway in front of it: a JSON object with the documented
    /// members of an error, `code` and `message`, each a string (`api-contract`, Transport).
    pub fn is_documented_form(&self) -> bool {
        self.details.is_documented_form
    }

    /// How often the request was attempted.
    pub fn attempts(&self) -> u32 {
        self.details.attempts
    }

    /// Whether an attempt before the last one may have been carried out although its answer was lost.
    pub(in crate::api) fn lost_answer(&self) -> bool {
        self.details.lost_answer
    }

    /// What to do now, in one or two sentences.
    pub fn hint(&self) -> &'static str {
        self.kind.row().hint
    }

    /// The line for logs: like `Display`, without the vendor's `message`, and without a `code` of several words, which is
    /// another message.
    pub fn log_form(&self) -> String {
        self.line(false)
    }

    /// What happened in a few words, with the status: without the request, which names a customer, and without anything of
    /// the answer. For those outside this machine.
    pub fn outline(&self) -> String {
        let what = self.kind.row().what;
        self.status().map_or_else(|| what.to_owned(), |status| format!("{what} (HTTP {status})"))
    }

    fn line(&self, with_message: bool) -> String {
        let error = &*self.details;
        let is_told = |code: &&SafeText| with_message || is_one_word(code);
        let mut line = error.request.as_ref().map_or_else(String::new, |request| format!("{request}: "));
        line.push_str(self.kind.row().what);
        if let Some(detail) = &error.detail {
            line = format!("{line}: {detail}");
        }
        let labelled = [
            error.status.map(|status| format!("HTTP {status}")),
            error.code.as_ref().filter(is_told).map(|code| format!("code {code}")),
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

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_tuple("ApiError");
        shown.field(&self.kind).field(&self.log_form());
        if let Some(source) = &self.source {
            shown.field(&source.to_string());
        }
        shown.finish()
    }
}

/// Whatever has several words is no identifier, but a message, which may name a person.
fn is_one_word(text: &SafeText) -> bool {
    !text.as_str().contains(char::is_whitespace)
}

/// Method and path, with the names in the query alone: a page token may hold anything.
fn request_line(redactor: &Redactor, method: &Method, url: &Url) -> SafeText {
    let mut line = format!("{method} {}", redactor.redact_path(url.path()));
    for (n, (name, _)) in url.query_pairs().enumerate() {
        line = format!("{line}{}{}=…", if n == 0 { "?" } else { "&" }, redactor.redact(&name));
    }
    SafeText::own(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    const KEY: &str = "sk_test_example";

    fn redactor() -> Redactor {
        Redactor::new([&KEY.into()])
    }

    fn refused(body: &str) -> ApiError {
        let url = Url::parse("https://h.example/customers?next=abcdefghijkl&size=2").unwrap();
        ApiError::of_answer(&redactor(), 401, Some("hdr"), body.as_bytes()).of_call(
            &redactor(),
            &Method::GET,
            &url,
            1,
            false,
        )
    }

    #[test]
    fn one_line_says_what_where_and_which_request() {
        let error =
            refused(r#"{"code":"unauthorized","message":"No\nsuch key","request_id":"req_1","status":401}"#);
        assert_eq!(error.kind(), ErrorKind::KeyRefused);
        assert_eq!(
            error.to_string(),
            "GET /customers?next=…&size=…: the API refused the key \
             (HTTP 401, code unauthorized, request id req_1): No\\nsuch key"
        );
        assert!(!error.log_form().contains("such key"));
        assert!(!format!("{error:?}").contains("such key"));
    }

    #[test]
    fn error_bodies_of_every_shape() {
        for (body, code, message, id) in [
            ("", None, None, Some("hdr")),
            ("<html>", None, None, Some("hdr")),
            ("[]", None, None, Some("hdr")),
            (r#"{"error":"nope"}"#, None, None, Some("hdr")),
            (r#"{"error":{"code":7,"message":"m"}}"#, Some("7"), Some("m"), Some("hdr")),
            (
                r#"{"code":null,"message":"\u001b[31m","request_id":""}"#,
                None,
                Some("\\u{1b}[31m"),
                Some("hdr"),
            ),
        ] {
            let error = refused(body);
            let found = [&error.details.code, &error.details.message, &error.details.request_id];
            let found = found.map(|text| text.as_ref().map(SafeText::as_str));
            assert_eq!(found, [code, message, id], "{body}");
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
                let error = ApiError::of_answer(&redactor(), status, Some("hdr"), body.as_bytes());
                assert_eq!(error.is_documented_form(), expected, "{body}");
                assert_eq!(error.kind(), ErrorKind::NotFound);
            }
        }
        assert!(!ApiError::new(ErrorKind::NotFound).with_status(404).is_documented_form());
    }

    #[test]
    fn nothing_that_comes_in_holds_a_secret() {
        let secrets = ["sk_test_example", "ann@example.com", "555-010-9999", "\u{1b}[2J"];
        let text = secrets.join(" ");
        let inner = serde_json::json!({"code": text, "message": text, "request_id": text});
        let io = std::io::Error::other(text.clone());
        let url = Url::parse("https://h.example/customers/sk%5Ftest_example/ann%40example.com").unwrap();
        let url = Url::parse_with_params(url.as_str(), [(&text, &text), (&text, &text)]).unwrap();
        for (body, header) in [
            (inner.to_string(), None),
            (serde_json::json!({"error": inner}).to_string(), None),
            (String::new(), Some(&*text)),
        ] {
            let error = ApiError::of_answer(&redactor(), 400, header, body.as_bytes())
                .with_detail(redactor().redact(&text))
                .with_source(redactor().cause(&io))
                .of_call(&redactor(), &Method::GET, &url, 1, false);
            let told = format!("{error} {error:?} {} {}", error.log_form(), error.source().unwrap());
            for secret in secrets {
                assert!(!told.contains(secret), "{secret}: {told}");
            }
            assert!(told.contains("•••"), "{told}");
        }
    }
}
