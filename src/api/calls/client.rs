//! The vendor's calls: admission, attempt, decoding and retry until done.

use super::call::{Call, NotDocumented};
use super::circuit_breaker::CircuitBreaker;
use super::server_clock::ServerClock;
use crate::api::errors::{ApiError, ErrorKind, Fault, Redactor, RetryPolicy, SafeText, decide, retry_after};
use crate::api::limits::{Admission, Learned, Outcome};
use crate::api::settings::Settings;
use crate::api::transport::{Answer, Transport, resolve_link};
use crate::observe::{Event, Observer};
use jiff::{SignedDuration, Timestamp};
use reqwest::header::RETRY_AFTER;
use reqwest::{Method, Url};
use secrecy::SecretString;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
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
    breaker: CircuitBreaker,
    clock: ServerClock,
    base: Url,
    policy: RetryPolicy,
    told_of_http_links: AtomicBool,
    told_of_invalid_utf8: AtomicBool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.shared.base.as_str()).finish_non_exhaustive()
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
        Client::hiding(settings, key, &[], observer)
    }

    /// The same for a client whose requests carry further secrets: they are cut out of what is told of answers as the key is.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn hiding(
        settings: Settings,
        key: SecretString,
        secrets: &[SecretString],
        observer: Arc<dyn Observer>,
    ) -> Result<Client, ApiError> {
        let redactor = Redactor::new(std::iter::once(&key).chain(secrets));
        let shared = Arc::new(Shared {
            transport: Transport::new(&settings, &key, redactor.clone())?,
            redactor,
            admission: Admission::new(settings.concurrency, observer.clone()),
            breaker: CircuitBreaker::default(),
            clock: ServerClock::default(),
            base: settings.base_url,
            policy: settings.retry,
            told_of_http_links: AtomicBool::new(false),
            told_of_invalid_utf8: AtomicBool::new(false),
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
        self.shared.admission.change(|limits, now| limits.expect(learned, now));
    }

    /// The limits that the API has shown; `None` if it never asked for fewer requests.
    pub fn learned(&self) -> Option<Learned> {
        self.shared.admission.limits().learned()
    }

    pub(super) fn redactor(&self) -> &Redactor {
        &self.shared.redactor
    }

    /// The base URL with these segments below its path. Each stays one segment, whatever it holds: all but
    /// RFC 3986's unreserved characters are percent-encoded.
    ///
    /// # Errors
    /// [`ErrorKind::UnusableId`] for an empty segment, `.` and `..`: no encoding keeps them from naming
    /// another path.
    pub(in crate::api) fn url(&self, segments: &[&str]) -> Result<Url, ApiError> {
        let mut path = self.shared.base.path().trim_end_matches('/').to_owned();
        for segment in segments {
            if matches!(*segment, "" | "." | "..") {
                return Err(ApiError::new(ErrorKind::UnusableId));
            }
            path.push('/');
            for byte in segment.bytes() {
                match byte {
                    b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                        path.push(char::from(byte))
                    }
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
    pub(in crate::api) fn origin_resolve(&self, request_url: &Url, reference: &str) -> Result<Url, ApiError> {
        let link = resolve_link(&self.shared.base, request_url, reference);
        if let Ok((_, true)) = link {
            let text = "the API's links begin with http:// and are followed by https://, as `api.base_url` has it: the proxy \
                        in front of it does not tell it of TLS";
            self.remark_once(&self.shared.told_of_http_links, text);
        }
        let redactor = &self.shared.redactor;
        link.map(|(url, _)| url).map_err(|error| {
            let detail = redactor.redact(&error.to_string());
            let error = ApiError::new(ErrorKind::CrossOrigin).with_detail(detail);
            error.of_call(redactor, &Method::GET, request_url, 1, false)
        })
    }

    /// Makes the call, decodes its answer and repeats both until done. `decode` sees answers with a status
    /// of success only; what it rejects is a fault of that answer (`api-contract` points 7 and 11).
    ///
    /// # Errors
    /// That of the last attempt.
    pub(in crate::api) async fn fetch<T>(
        &self,
        call: Call,
        decode: impl Fn(Answer) -> Result<T, NotDocumented>,
    ) -> Result<T, ApiError> {
        let shared = &*self.shared;
        let (mut attempt, mut lost_answer) = (1, false);
        loop {
            let attempted = self.attempt(&call).await.and_then(|answer| {
                let status = answer.status;
                let may_be_damaged = answer.is_repaired && attempt == 1 && call.attempts_at_most.is_none();
                if may_be_damaged && call.method == Method::GET {
                    // It may have been damaged on its way. Where it comes again like this, it is what the API has.
                    let detail = SafeText::own("it holds bytes that are no UTF-8");
                    return Err(Failed::from(ApiError::new(ErrorKind::NotDocumented).with_detail(detail)));
                }
                if answer.is_repaired {
                    let text = "the API's answers hold bytes that are no UTF-8: in documented fields U+FFFD stands in their \
                                place, in others an escape from \\udc80 to \\udcff, whose last two digits are the byte";
                    self.remark_once(&shared.told_of_invalid_utf8, text);
                }
                decode(answer).map_err(|NotDocumented(reason)| {
                    let error = ApiError::new(ErrorKind::NotDocumented).with_status(status);
                    Failed::from(error.with_detail(shared.redactor.redact(&reason)))
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
            let Some(delay) = self.decide(&call, fault, attempt) else { return Err(error) };
            let (stream, reason) = (call.stream, &error.log_form());
            self.observer.observe(&Event::RetryScheduled { stream, attempt, delay, reason });
            lost_answer |= error.kind().may_have_happened();
            drop(error);
            sleep(delay).await;
            attempt += 1;
        }
    }

    /// How long to wait before the next attempt, if there is one; keeps the circuit breaker's account.
    fn decide(&self, call: &Call, fault: Fault<'_>, attempt: u32) -> Option<Duration> {
        let Shared { breaker, policy, .. } = &*self.shared;
        let granted = policy.attempts.min(call.attempts_at_most.unwrap_or(u32::MAX));
        let policy_now = RetryPolicy { attempts: breaker.attempts(granted), ..policy.clone() };
        let is_idempotent = call.method.is_idempotent();
        let delay = decide(fault, is_idempotent, attempt, &policy_now, SystemTime::now(), fastrand::f64());
        if !fault.kind.is_outage() && fault.kind != ErrorKind::RateLimited {
            breaker.answered();
        } else if delay.is_none() && fault.kind.is_outage() && attempt >= policy.attempts {
            breaker.exhausted();
        }
        delay
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
            shared.clock.observe(&answer.headers, Timestamp::now());
            if let Some(streams) = answer.streams {
                shared.admission.change(|limits, now| limits.concurrency.lower_to(streams, now));
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
                Err(error.with_detail(SafeText::own("an HTML page")).into())
            }
            Ok(answer) => {
                let id = answer.headers.get("x-request-id").and_then(|id| id.to_str().ok());
                let error = ApiError::of_answer(&shared.redactor, answer.status, id, &answer.body);
                Err(Failed { error: error.of_kind(call.failure(answer.status)), retry_after })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn remark_once(&self, told: &AtomicBool, text: &str) {
        if !told.swap(true, Ordering::Relaxed) {
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

pub(super) fn is_html(answer: &Answer) -> bool {
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

#[cfg(test)]
mod tests;
