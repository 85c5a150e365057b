//! The vendor's calls: admission, attempt, decoding and retry until done.

use super::breaker::Breaker;
use super::clock::ServerClock;
use super::error::{ApiError, ErrorKind};
use super::limits::{Admission, Learned, Outcome};
use super::origin;
use super::redact::{Redactor, Told};
use super::retry::{Decision, Fault, Idempotence, RetryPolicy, decide, retry_after};
use super::settings::Settings;
use super::transport::{Answer, Transport};
use crate::observe::{Event, Observer};
use crate::record::Stream;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::RETRY_AFTER;
use reqwest::{Method, Url};
use secrecy::SecretString;
use serde_json::value::RawValue;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;
use tokio::time::{Instant, sleep};

/// The vendor's API, with one key. Clones share connections, concurrency limit and circuit breaker.
///
/// Every future may be dropped at any point: that ends its request and gives its slot back.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    observer: Arc<dyn Observer>,
}

struct Shared {
    transport: Transport,
    redactor: Redactor,
    admission: Admission,
    breaker: Breaker,
    clock: ServerClock,
    base: Url,
    policy: RetryPolicy,
    /// A link of http was followed by https, and that was told.
    told_of_http: AtomicBool,
    /// An answer held bytes that are no UTF-8, and that was told.
    told_of_bytes: AtomicBool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.shared.base.as_str()).finish_non_exhaustive()
    }
}

/// What to send of a customer; what is `None` is not sent. `Debug` shows which fields are given, not what
/// they hold.
#[derive(Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct CustomerFields {
    /// E-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// First name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Phone number, in any form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
}

impl fmt::Debug for CustomerFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked = |field: &Option<String>| field.as_ref().map(|_| "***");
        f.debug_struct("CustomerFields")
            .field("email", &masked(&self.email))
            .field("first_name", &masked(&self.first_name))
            .field("last_name", &masked(&self.last_name))
            .field("phone_number", &masked(&self.phone_number))
            .finish()
    }
}

/// One call, to be attempted until it is done. `Debug` is left out: the body holds personal data.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: Url,
    /// JSON, where the call writes.
    pub(super) body: Option<Vec<u8>>,
    /// For the observer.
    pub(super) stream: Stream,
    /// Whether it asks for a list.
    is_list: bool,
    attempts_at_most: Option<u32>,
    /// An answer that came already: it stands for the first attempt's.
    here: Option<Answer>,
}

impl Call {
    pub(super) fn new(method: Method, url: Url, stream: Stream) -> Call {
        Call { method, url, body: None, stream, is_list: false, attempts_at_most: None, here: None }
    }

    /// Reads a page of a list.
    pub(super) fn list(url: Url, stream: Stream) -> Call {
        Call { is_list: true, ..Call::new(Method::GET, url, stream) }
    }

    /// Spends no more than `n` attempts, for requests that only try something out.
    #[must_use]
    pub(super) fn attempts_at_most(mut self, n: u32) -> Call {
        self.attempts_at_most = Some(n);
        self
    }

    /// Begins with an answer that came already.
    #[must_use]
    pub(super) fn answered_by(mut self, answer: Answer) -> Call {
        self.here = Some(answer);
        self
    }

    /// Whether the documentation knows this status as the call's success. 203 is a 200 that a proxy has been at
    /// (RFC 9110 section 15.3.4).
    fn succeeds_with(&self, status: u16) -> bool {
        match (&self.method, status) {
            (_, 200 | 203) | (&Method::POST, 201) | (&Method::DELETE, 204) => true,
            (_, 204) => self.is_list,
            _ => false,
        }
    }

    /// The kind of failure that a status of no success means to this call.
    fn failure(&self, status: u16) -> ErrorKind {
        match ErrorKind::of_status(status) {
            // Whoever may not list the customers can do nothing at all.
            ErrorKind::Forbidden if self.is_list && self.stream == Stream::Customers => ErrorKind::KeyRefused,
            kind => kind,
        }
    }
}

/// An answer that is not the documented JSON: what is wrong with it, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotDocumented(pub(super) String);

impl From<serde_json::Error> for NotDocumented {
    /// Says where, not what: the error's own text may quote the answer.
    fn from(error: serde_json::Error) -> NotDocumented {
        let what = match error.classify() {
            serde_json::error::Category::Data => "not of the documented shape",
            serde_json::error::Category::Eof => "it ends too early",
            _ => "not JSON",
        };
        NotDocumented(format!("{what} (line {}, column {})", error.line(), error.column()))
    }
}

impl Client {
    /// A client for the API at `settings.base_url`. Sends nothing yet.
    ///
    /// # Errors
    /// [`ErrorKind::Client`] for a base URL that must not get the key, a key that cannot be sent, and a
    /// machine without CA certificates.
    pub fn new(
        settings: Settings,
        key: SecretString,
        observer: Arc<dyn Observer>,
    ) -> Result<Client, ApiError> {
        let redactor = Redactor::new(&key);
        let shared = Arc::new(Shared {
            transport: Transport::new(&settings, &key, redactor.clone())?,
            redactor,
            admission: Admission::new(settings.concurrency, observer.clone()),
            breaker: Breaker::default(),
            clock: ServerClock::default(),
            base: settings.base_url,
            policy: settings.retry,
            told_of_http: AtomicBool::new(false),
            told_of_bytes: AtomicBool::new(false),
        });
        Ok(Client { shared, observer })
    }

    /// The same client, whose requests are reported to `observer`.
    #[must_use]
    pub fn observed_by(&self, observer: Arc<dyn Observer>) -> Client {
        Client { shared: self.shared.clone(), observer }
    }

    /// How far the server's clock is ahead of ours, by the `Date` of its first answers to this client, to about a
    /// second; `None` where it gives none.
    pub fn server_ahead(&self) -> Option<SignedDuration> {
        self.shared.clock.ahead()
    }

    /// Starts from limits that another run has learned, unless this client has learned some by itself.
    pub fn expect(&self, learned: Learned) {
        self.shared.admission.expect(learned);
    }

    /// The limits that the API has shown; `None` if it never asked for fewer requests.
    pub fn learned(&self) -> Option<Learned> {
        self.shared.admission.learned()
    }

    /// Creates a customer and returns it as the API gave it.
    ///
    /// # Errors
    /// Repeated only while no connection can be made: after any other failure but a 4xx the customer may
    /// exist nevertheless.
    pub async fn create(&self, fields: &CustomerFields) -> Result<Box<RawValue>, ApiError> {
        self.write(Method::POST, self.url(&["customers"])?, fields).await
    }

    /// One customer as the API gives it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none; otherwise when all attempts failed.
    pub async fn retrieve(&self, id: &str) -> Result<Box<RawValue>, ApiError> {
        let call = Call::new(Method::GET, self.url(&["customers", id])?, Stream::Customers);
        self.fetch(call, json_object).await
    }

    /// Changes the given fields of a customer and returns it as the API gave it. Idempotent.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none; otherwise when all attempts failed. After any failure
    /// but a 4xx the change may have been made nevertheless.
    pub async fn update(&self, id: &str, fields: &CustomerFields) -> Result<Box<RawValue>, ApiError> {
        self.write(Method::PUT, self.url(&["customers", id])?, fields).await
    }

    /// Deletes a customer. Where an answer was lost and the repeated request finds no such customer, that
    /// counts as done.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there was none; otherwise when all attempts failed.
    pub async fn delete(&self, id: &str) -> Result<(), ApiError> {
        let call = Call::new(Method::DELETE, self.url(&["customers", id])?, Stream::Customers);
        let decode = |answer: Answer| match is_html(&answer) {
            true => Err(NotDocumented("an HTML page".to_owned())),
            false => Ok(()),
        };
        match self.fetch(call, decode).await {
            Err(error) if error.kind() == ErrorKind::NotFound && error.lost_answer() => Ok(()),
            result => result,
        }
    }

    async fn write(
        &self,
        method: Method,
        url: Url,
        fields: &CustomerFields,
    ) -> Result<Box<RawValue>, ApiError> {
        let mut call = Call::new(method, url, Stream::Customers);
        let body = serde_json::to_vec(fields).map_err(|error| {
            ApiError::new(ErrorKind::Client).with_source(self.shared.redactor.cause(&error))
        })?;
        call.body = Some(body);
        self.fetch(call, json_object).await
    }

    /// The base URL with these segments below its path. Each stays one segment, whatever it holds: all but
    /// RFC 3986's unreserved characters are percent-encoded.
    ///
    /// # Errors
    /// [`ErrorKind::UnusableId`] for an empty segment, `.` and `..`: no encoding keeps them from naming
    /// another path.
    pub(super) fn url(&self, segments: &[&str]) -> Result<Url, ApiError> {
        let mut path = self.shared.base.path().trim_end_matches('/').to_owned();
        for segment in segments {
            if matches!(*segment, "" | "." | "..") {
                return Err(ApiError::new(ErrorKind::UnusableId));
            }
            path.push('/');
            for byte in segment.bytes() {
                match byte {
                    b'-' | b'.' | b'_' | b'~' => path.push(char::from(byte)),
                    byte if byte.is_ascii_alphanumeric() => path.push(char::from(byte)),
                    byte => path.push_str(&format!("%{byte:02X}")),
                }
            }
        }
        let mut url = self.shared.base.clone();
        url.set_path(&path);
        Ok(url)
    }

    /// Resolves a link found in the answer to `request_url`, within the base URL's origin.
    ///
    /// # Errors
    /// [`ErrorKind::CrossOrigin`]; nothing was sent there.
    pub(super) fn origin_resolve(&self, request_url: &Url, reference: &str) -> Result<Url, ApiError> {
        let link = origin::resolve_link(&self.shared.base, request_url, reference);
        if link.as_ref().is_ok_and(|link| link.is_by_https_instead)
            && !self.shared.told_of_http.swap(true, Ordering::Relaxed)
        {
            let text = "the API's links begin with http:// and are followed by https://, as `api.base_url` has it: the proxy \
                        in front of it does not tell it of TLS";
            self.observer.observe(&Event::Remark { text });
        }
        let redactor = &self.shared.redactor;
        link.map(|link| link.url).map_err(|error| {
            let detail = redactor.tell(&error.to_string());
            let error = ApiError::new(ErrorKind::CrossOrigin).with_detail(detail);
            error.of_call(redactor, &Method::GET, request_url, 1, false)
        })
    }

    /// Makes the call, decodes its answer and repeats both until done. `decode` sees answers with a status
    /// of success only; what it rejects is a fault of that answer (`api-contract` points 7 and 11).
    ///
    /// # Errors
    /// That of the last attempt.
    pub(super) async fn fetch<T>(
        &self,
        mut call: Call,
        decode: impl Fn(Answer) -> Result<T, NotDocumented>,
    ) -> Result<T, ApiError> {
        let shared = &*self.shared;
        let (mut attempt, mut lost_answer) = (1, false);
        loop {
            let answer = match call.here.take() {
                Some(answer) => Ok(answer),
                None => self.attempt(&call).await,
            };
            let attempted = answer.and_then(|answer| {
                let status = answer.status;
                let may_be_damaged = answer.is_mended && attempt == 1 && call.attempts_at_most.is_none();
                if may_be_damaged && call.method == Method::GET {
                    // It may have been damaged on its way. Where it comes again like this, it is what the API has.
                    let detail = Told::own("it holds bytes that are no UTF-8");
                    return Err(Failed::from(ApiError::new(ErrorKind::NotDocumented).with_detail(detail)));
                }
                self.tell_of_bytes(&answer);
                decode(answer).map_err(|NotDocumented(reason)| {
                    let error = ApiError::new(ErrorKind::NotDocumented).with_status(status);
                    Failed::from(error.with_detail(shared.redactor.tell(&reason)))
                })
            });
            let failed = match attempted {
                Ok(done) => {
                    shared.breaker.answered();
                    return Ok(done);
                }
                Err(failed) => failed,
            };
            let error = failed.error.of_call(&shared.redactor, &call.method, &call.url, attempt, lost_answer);
            let fault = Fault { kind: error.kind(), retry_after: failed.retry_after.as_deref() };
            match self.decide(&call, fault, attempt) {
                Decision::GiveUp => return Err(error),
                Decision::Retry(delay) => {
                    let (stream, reason) = (call.stream, &error.log_form());
                    self.observer.observe(&Event::RetryScheduled { stream, attempt, delay, reason });
                    lost_answer |= error.kind().may_have_happened();
                    drop(error);
                    sleep(delay).await;
                    attempt += 1;
                }
            }
        }
    }

    /// What to do after a failed attempt; keeps the circuit breaker's account.
    fn decide(&self, call: &Call, fault: Fault<'_>, attempt: u32) -> Decision {
        let Shared { breaker, policy, .. } = &*self.shared;
        let granted = policy.attempts.min(call.attempts_at_most.unwrap_or(u32::MAX));
        let policy_now = RetryPolicy { attempts: breaker.attempts(granted), ..policy.clone() };
        let idempotence = Idempotence::of(&call.method);
        let decision = decide(fault, idempotence, attempt, &policy_now, SystemTime::now(), fastrand::f64());
        if !fault.kind.is_outage() && fault.kind != ErrorKind::RateLimited {
            breaker.answered();
        } else if decision == Decision::GiveUp && fault.kind.is_outage() && attempt >= policy.attempts {
            breaker.exhausted();
        }
        decision
    }

    /// One attempt, admitted and reported; a status of no success is a failure.
    async fn attempt(&self, call: &Call) -> Result<Answer, Failed> {
        let shared = &*self.shared;
        let permit = shared.admission.enter().await;
        let start = Instant::now();
        let mut result = shared.transport.attempt(&call.method, &call.url, call.body.as_deref()).await;
        let elapsed = start.elapsed();
        let status = result.as_ref().map_or_else(ApiError::status, |answer| Some(answer.status));
        let retry_after = result.as_ref().ok().and_then(retry_after_of);
        permit.finish(self.outcome(status, result.is_ok(), retry_after.as_deref()));
        if let Ok(answer) = &mut result {
            shared.clock.heard(&answer.headers, Timestamp::now());
            if let Some(streams) = answer.streams {
                shared.admission.lower_to(streams);
            }
            if call.is_list && is_empty_success(answer) {
                answer.body = b"[]".to_vec();
            }
        }
        self.observer.observe(&Event::RequestFinished { stream: call.stream, status, elapsed });
        match result {
            Ok(answer) if call.succeeds_with(answer.status) => Ok(answer),
            // "Not found" may end in a deletion: it must be the API's own word, not a proxy's page.
            Ok(answer) if matches!(answer.status, 404 | 410) && is_html(&answer) => {
                let error = ApiError::new(ErrorKind::NotDocumented).with_status(answer.status);
                Err(error.with_detail(Told::own("an HTML page")).into())
            }
            Ok(answer) => {
                let id = answer.headers.get("x-request-id").and_then(|id| id.to_str().ok());
                let error = ApiError::of_answer(&shared.redactor, answer.status, id, &answer.body);
                Err(Failed { error: error.of_kind(call.failure(answer.status)), retry_after })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn tell_of_bytes(&self, answer: &Answer) {
        if answer.is_mended && !self.shared.told_of_bytes.swap(true, Ordering::Relaxed) {
            let text = "the API's answers hold bytes that are no UTF-8: in documented fields U+FFFD stands in their place, in \
                        others an escape from \\udc80 to \\udcff, whose last two digits are the byte";
            self.observer.observe(&Event::Remark { text });
        }
    }

    fn outcome(&self, status: Option<u16>, complete: bool, asked: Option<&str>) -> Outcome {
        match status {
            Some(status @ (429 | 503)) => {
                let pause =
                    asked.and_then(|asked| retry_after(asked, &self.shared.policy, SystemTime::now()));
                if status == 503 && pause.is_none() {
                    Outcome::Unavailable
                } else {
                    Outcome::Throttled(pause)
                }
            }
            Some(..500) if complete => Outcome::Accepted,
            _ => Outcome::Unknown,
        }
    }
}

/// A failed attempt: the error, and what the answer said about the next one.
struct Failed {
    error: ApiError,
    retry_after: Option<String>,
}

impl From<ApiError> for Failed {
    fn from(error: ApiError) -> Failed {
        Failed { error, retry_after: None }
    }
}

fn is_html(answer: &Answer) -> bool {
    answer.body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<')
}

/// No content, and that is all there is: 204, or a body whose length is told, be it by the protocol. One that ends with the
/// connection may have been cut short (RFC 9112 section 8).
fn is_empty_success(answer: &Answer) -> bool {
    answer.body.is_empty()
        && (answer.status == 204 || (matches!(answer.status, 200 | 203) && answer.is_framed))
}

fn retry_after_of(answer: &Answer) -> Option<String> {
    Some(answer.headers.get(RETRY_AFTER)?.to_str().ok()?.to_owned())
}

/// The text of a record: a JSON object, strictly parsed (`api-contract` point 11), otherwise as it came.
fn json_object(answer: Answer) -> Result<Box<RawValue>, NotDocumented> {
    let text: Box<RawValue> = serde_json::from_slice(&answer.body)?;
    if text.get().starts_with('{') { Ok(text) } else { Err(NotDocumented("not a JSON object".to_owned())) }
}

#[cfg(test)]
mod tests;
