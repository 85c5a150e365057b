//! One attempt at one request, with every limit on it: time, size, redirects, origin.

use super::body::{BodyError, Collected, Collector};
use super::connection_refusal::{self, is_unprocessed, was_never_sent};
use super::in_flight::{InFlight, InFlightGuard, TrackedBody};
use super::origin::{self, OriginError};
use crate::api::errors::{ApiError, ErrorKind, Redactor, SafeText};
use crate::api::settings::Settings;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION,
    TRANSFER_ENCODING,
};
use reqwest::{Body, Method, Response, Url, Version, redirect};
use secrecy::{ExposeSecret, SecretString};
use std::future::Future;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Selects the API version; the vendor's documentation asks for it on every call.
const ACCEPTED: HeaderValue = HeaderValue::from_static("application/vnd.malomo+json; version=2");
const GZIP: HeaderValue = HeaderValue::from_static("gzip");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const USER_AGENT: &str = concat!("malomo-mirror/", env!("CARGO_PKG_VERSION"));

/// Redirects followed in one attempt.
const MAX_REDIRECTS: usize = 5;
/// How often a request that the server certainly has not processed is sent again at once.
const MAX_UNPROCESSED: usize = 10;
/// Waiting this long for a free stream shows that the server allows fewer streams than are in use.
const NOTICEABLE: Duration = Duration::from_millis(50);
/// How much of an error's body is read; the vendor's error objects are far smaller.
const MAX_ERROR_BODY: u64 = 64 << 10;
/// Together these bound how long a dead HTTP/2 connection goes unnoticed and takes every repeated request with it.
const PING_AFTER: Duration = Duration::from_secs(10);
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// An answer, read to its end. `Debug` is left out: the body holds personal data.
pub(in crate::api) struct Answer {
    /// Where it came from, after redirects: relative links in it belong to this.
    pub(in crate::api) url: Url,
    pub(in crate::api) status: u16,
    pub(in crate::api) headers: HeaderMap,
    /// After decompression, without a byte order mark. Of an error, as much as could be read.
    pub(in crate::api) body: Vec<u8>,
    /// Escapes stand in it for bytes that are no UTF-8.
    pub(in crate::api) is_repaired: bool,
    /// Whether the body's end was told, and wasn't just the connection's.
    pub(in crate::api) is_framed: bool,
    /// How many requests the server takes at once over its connection, where this one had to wait for others to end.
    pub(in crate::api) streams: Option<usize>,
}

/// The head of an answer, and the request's place among those in flight.
struct Begun {
    response: Response,
    guard: InFlightGuard,
    streams: Option<usize>,
}

/// Sends requests below one base URL, with the key.
pub(in crate::api) struct Transport {
    http: reqwest::Client,
    in_flight: InFlight,
    redactor: Redactor,
    base: Url,
    /// Longest time without any request in flight, for the first and the second sending. A connection that can't be made ends
    /// by its own time-out first.
    idle_timeouts: [Duration; 2],
    first_byte_timeout: Duration,
    body_timeout: Duration,
    max_body: u64,
}

impl Transport {
    /// # Errors
    /// [`ErrorKind::Client`] for a base URL that must not get the key, a key that cannot be sent, and a
    /// machine without CA certificates.
    pub(in crate::api) fn new(
        settings: &Settings,
        key: &SecretString,
        redactor: Redactor,
    ) -> Result<Transport, ApiError> {
        let base = settings.base_url.clone();
        origin::check_base(&base).map_err(|error| {
            ApiError::new(ErrorKind::Client).with_detail(redactor.redact(&error.to_string()))
        })?;
        let http = builder(settings, &base).default_headers(headers(key)?).build().map_err(|error| {
            let detail = "no certificate of an authority was found; are they installed (Debian: ca-certificates), and do \
                          SSL_CERT_FILE and SSL_CERT_DIR, if set, name some?";
            ApiError::new(ErrorKind::Client)
                .with_detail(SafeText::own(detail))
                .with_source(redactor.cause(&error.without_url()))
        })?;
        Ok(Transport {
            http,
            in_flight: InFlight::default(),
            redactor,
            base,
            idle_timeouts: [
                settings.connect_timeout.saturating_add(settings.first_byte_timeout / 4),
                settings.first_byte_timeout - settings.first_byte_timeout / 4,
            ],
            first_byte_timeout: settings.first_byte_timeout,
            body_timeout: settings.body_timeout,
            max_body: settings.max_body,
        })
    }

    /// Sends the request once and reads its answer, whatever its status; a GET follows redirects within the
    /// origin. Dropping the future ends the request.
    ///
    /// # Errors
    /// When no complete answer came, or it redirects to where this request must not go.
    pub(in crate::api) async fn attempt(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&[u8]>,
    ) -> Result<Answer, ApiError> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let begun = self.send(method, &url, body).await?;
            let Some(target) = redirect_target(&begun.response) else {
                return self.read(url, begun).await;
            };
            let status = begun.response.status().as_u16();
            if method != Method::GET {
                let detail = SafeText::own("only reads follow redirects");
                return Err(ApiError::new(ErrorKind::Redirect).with_status(status).with_detail(detail));
            }
            url = origin::resolve(&self.base, &url, &target)
                .map_err(|error| self.leads_away(error).with_status(status))?;
        }
        let detail = SafeText::own(format!("more than {MAX_REDIRECTS} in a row"));
        Err(ApiError::new(ErrorKind::Redirect).with_detail(detail))
    }

    fn leads_away(&self, error: OriginError) -> ApiError {
        ApiError::new(ErrorKind::CrossOrigin).with_detail(self.redactor.redact(&error.to_string()))
    }

    async fn send(&self, method: &Method, url: &Url, body: Option<&[u8]>) -> Result<Begun, ApiError> {
        // Checked here again whatever the caller did: past this line the key leaves the machine.
        origin::guard(&self.base, url).map_err(|error| self.leads_away(error))?;
        let [first, second] = self.idle_timeouts;
        let (mut unprocessed, mut idle, mut next_idle) = (0, first, Some(second));
        loop {
            match self.send_once(method, url, body, idle).await? {
                // hyper's pool has been seen to forget requests that waited while a connection ended. This one was not sent.
                None => match next_idle.take() {
                    Some(next) => idle = next,
                    None => return Err(timed_out("turn on the connection", first.saturating_add(second))),
                },
                Some(Err(error))
                    if unprocessed < MAX_UNPROCESSED
                        && (is_unprocessed(&error)
                            || (*method != Method::POST && was_never_sent(&error))) =>
                {
                    unprocessed += 1;
                }
                Some(result) => return result.map_err(|error| self.sending_failed(error)),
            }
        }
    }

    /// Waiting has two parts. The first, for a connection and a stream, is not the server's doing: it ends only with the
    /// connection's own time-out, or when no request at all has been in flight for the time `idle`; `None` says that the
    /// request was not sent. The second, for the answer, begins after that.
    async fn send_once(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&[u8]>,
        idle: Duration,
    ) -> Result<Option<reqwest::Result<Begun>>, ApiError> {
        let (tracked, sent) = TrackedBody::new(body);
        let mut request = self.http.request(method.clone(), url.clone()).body(Body::wrap(tracked));
        if body.is_some() {
            request = request.header(CONTENT_TYPE, JSON);
        }
        let (began, ahead) = (Instant::now(), self.in_flight.busy());
        let mut sending = pin!(request.send());
        let early = tokio::select! {
            biased;
            result = &mut sending => Some(result),
            _ = sent => None,
            () = self.in_flight.idle_for(idle) => return Ok(None),
        };
        let had_to_wait = early.is_none() && began.elapsed() >= NOTICEABLE;
        let guard = self.in_flight.enter();
        // If there had been room for more, other requests would have started meanwhile.
        let streams = Some(self.in_flight.busy()).filter(|busy| had_to_wait && *busy <= ahead);
        let result = match early {
            Some(result) => result,
            None => within(self.first_byte_timeout, "first byte", sending).await?,
        };
        Ok(Some(result.map(|response| {
            let streams = streams.filter(|_| response.version() == Version::HTTP_2);
            Begun { response, guard, streams }
        })))
    }

    async fn read(&self, url: Url, begun: Begun) -> Result<Answer, ApiError> {
        let Begun { mut response, guard, streams } = begun;
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let is_framed = response.version() == Version::HTTP_2
            || headers.contains_key(CONTENT_LENGTH)
            || headers.contains_key(TRANSFER_ENCODING);
        let success = response.status().is_success();
        let max = if success { self.max_body } else { MAX_ERROR_BODY };
        let mut body = Collector::new(response.content_length(), max);
        let parts = self.read_parts(&mut response, max, &mut body);
        let read = within(self.body_timeout, "whole body", parts).await.flatten();
        drop(guard);
        let collected = body.finish(read.is_ok());
        let fault = read.err().or_else(|| collected.as_ref().err().map(|error| unusable(*error, max)));
        let Collected { bytes: body, is_repaired } = collected.unwrap_or_default();
        // An error's status counts, whatever became of its body.
        match fault.filter(|_| success) {
            Some(error) => Err(error.with_status(status)),
            None => Ok(Answer { url, status, headers, body, is_repaired, is_framed, streams }),
        }
    }

    async fn read_parts(
        &self,
        response: &mut Response,
        max: u64,
        body: &mut Collector,
    ) -> Result<(), ApiError> {
        if response.content_length().is_some_and(|length| length > max) {
            return Err(unusable(BodyError::TooLarge, max));
        }
        loop {
            let part = within(self.first_byte_timeout, "next part of the body", response.chunk()).await?;
            let Some(part) = part.map_err(|error| self.reading_failed(error))? else { return Ok(()) };
            body.take(&part).map_err(|error| unusable(error, max))?;
        }
    }

    fn sending_failed(&self, error: reqwest::Error) -> ApiError {
        let (kind, fault) = match connection_refusal::of(&error) {
            Some(refusal) => refusal,
            // Even where it timed out: nothing is sent before there is a connection.
            None if error.is_connect() => (ErrorKind::Unreachable, None),
            None if error.is_timeout() => (ErrorKind::Timeout, None),
            None if error.is_builder() => (ErrorKind::Client, None),
            None => (ErrorKind::BrokenAnswer, None),
        };
        let failed = self.failed(kind, error);
        match fault {
            Some(fault) => failed.with_detail(self.redactor.redact(&fault)),
            None => failed,
        }
    }

    fn reading_failed(&self, error: reqwest::Error) -> ApiError {
        self.failed(if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::BrokenAnswer }, error)
    }

    /// The innermost cause says most ("connection refused"); the URL is left out, as its query holds a token.
    fn failed(&self, kind: ErrorKind, error: reqwest::Error) -> ApiError {
        let error = error.without_url();
        let mut cause: &dyn std::error::Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let detail = self.redactor.redact(&cause.to_string());
        ApiError::new(kind).with_detail(detail).with_source(self.redactor.cause(&error))
    }
}

fn builder(settings: &Settings, base: &Url) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .referer(false)
        .user_agent(USER_AGENT)
        .connect_timeout(settings.connect_timeout)
        .pool_max_idle_per_host(settings.concurrency.max(1))
        .http2_keep_alive_interval(PING_AFTER)
        .http2_keep_alive_timeout(PONG_WITHIN);
    if base.scheme() == "https" {
        let builder = builder.https_only(true);
        if origin::is_loopback(base) { builder.no_proxy() } else { builder }
    } else {
        // Plain text to this machine: no proxy may see the key, and no CA certificates are needed.
        builder.no_proxy().tls_certs_only([])
    }
}

fn headers(key: &SecretString) -> Result<HeaderMap, ApiError> {
    let key = key.expose_secret();
    let is_usable = !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic());
    let bearer = HeaderValue::from_str(&format!("Bearer {key}")).ok().filter(|_| is_usable);
    let mut bearer = bearer.ok_or_else(|| {
        ApiError::new(ErrorKind::Client)
            .with_detail(SafeText::own("the key holds characters that no key holds"))
    })?;
    bearer.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, bearer), (ACCEPT, ACCEPTED), (ACCEPT_ENCODING, GZIP)]))
}

/// Where a redirect leads, if the answer is one.
fn redirect_target(response: &Response) -> Option<String> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    // Bytes beyond ASCII are read as UTF-8, as browsers do.
    let location = response.headers().get(LOCATION)?.as_bytes();
    Some(String::from_utf8_lossy(location).into_owned())
}

fn unusable(error: BodyError, max: u64) -> ApiError {
    let (kind, detail) = match error {
        BodyError::TooLarge => (ErrorKind::TooLarge, format!("its body is longer than {max} bytes")),
        BodyError::Damaged => (ErrorKind::BrokenAnswer, "its body is no whole gzip".to_owned()),
    };
    ApiError::new(kind).with_detail(SafeText::own(detail))
}

async fn within<T>(limit: Duration, what: &str, work: impl Future<Output = T>) -> Result<T, ApiError> {
    timeout(limit, work).await.map_err(|_| timed_out(what, limit))
}

fn timed_out(what: &str, limit: Duration) -> ApiError {
    ApiError::new(ErrorKind::Timeout).with_detail(SafeText::own(format!("no {what} within {limit:?}")))
}
