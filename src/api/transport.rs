//! One attempt at one request, with every limit on it: time, size, redirects, origin.

use super::error::{ApiError, ErrorKind};
use super::origin;
use super::settings::Settings;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, Response, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use std::future::Future;
use std::time::Duration;
use tokio::time::timeout;

/// Selects the API version; the vendor's documentation asks for it on every call.
const ACCEPTED: HeaderValue = HeaderValue::from_static("application/vnd.malomo+json; version=2");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const USER_AGENT: &str = concat!("malomo-mirror/", env!("CARGO_PKG_VERSION"));

/// Redirects followed in one attempt.
const MAX_REDIRECTS: usize = 5;
/// How much of an error's body is read: what the vendor says fits many times over.
const MAX_ERROR_BODY: u64 = 64 << 10;
/// Memory set aside for a body before it comes, at most.
const MAX_RESERVED: u64 = 256 << 10;
/// A multiplexed connection that died silently is noticed after these two, instead of taking every
/// repeated request with it.
const PING_AFTER: Duration = Duration::from_secs(10);
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// An answer, read to its end. `Debug` is left out: the body holds personal data.
pub(super) struct Answer {
    /// Where it came from, after redirects: relative links in it belong to this.
    pub(super) url: Url,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// After decompression. Of an error, as much as could be read.
    pub(super) body: Vec<u8>,
}

/// Sends requests below one base URL, with the key.
pub(super) struct Transport {
    http: reqwest::Client,
    base: Url,
    first_byte_timeout: Duration,
    body_timeout: Duration,
    max_body: u64,
}

impl Transport {
    /// # Errors
    /// [`ErrorKind::Client`] for a base URL that must not get the key, a key that cannot be sent, and a
    /// machine without CA certificates.
    pub(super) fn new(settings: &Settings, key: &SecretString) -> Result<Transport, ApiError> {
        let base = settings.base_url.clone();
        origin::check_base(&base)
            .map_err(|error| ApiError::new(ErrorKind::Client).with_detail(&error).with_source(error))?;
        let http = builder(settings, &base).default_headers(headers(key)?).build().map_err(|error| {
            ApiError::new(ErrorKind::Client)
                .with_detail("no HTTPS client; are the CA certificates installed (Debian: ca-certificates)?")
                .with_source(error.without_url())
        })?;
        Ok(Transport {
            http,
            base,
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
    pub(super) async fn attempt(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&[u8]>,
    ) -> Result<Answer, ApiError> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(method, &url, body).await?;
            let Some(target) = redirect_target(&response) else {
                return self.read(url, response).await;
            };
            let status = response.status().as_u16();
            let refused = |kind| ApiError::new(kind).with_status(status);
            if method != Method::GET {
                return Err(refused(ErrorKind::Redirect).with_detail("only reads follow redirects"));
            }
            url = origin::resolve(&self.base, &url, &target)
                .map_err(|error| refused(ErrorKind::CrossOrigin).with_detail(&error).with_source(error))?;
        }
        Err(ApiError::new(ErrorKind::Redirect).with_detail(format!("more than {MAX_REDIRECTS} in a row")))
    }

    async fn send(&self, method: &Method, url: &Url, body: Option<&[u8]>) -> Result<Response, ApiError> {
        // Whatever a caller made of a link: past this line the key leaves the machine.
        origin::guard(&self.base, url)
            .map_err(|error| ApiError::new(ErrorKind::CrossOrigin).with_detail(&error).with_source(error))?;
        let mut request = self.http.request(method.clone(), url.clone());
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, JSON).body(body.to_vec());
        }
        within(self.first_byte_timeout, "first byte", request.send()).await?.map_err(sending_failed)
    }

    async fn read(&self, url: Url, mut response: Response) -> Result<Answer, ApiError> {
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let success = response.status().is_success();
        // What the header says is only believed so far.
        let expected = response.content_length().unwrap_or_default().min(MAX_RESERVED);
        let mut body = Vec::with_capacity(expected as usize);
        let max = if success { self.max_body } else { MAX_ERROR_BODY };
        let parts = self.read_parts(&mut response, max, &mut body);
        match within(self.body_timeout, "whole body", parts).await.flatten() {
            // An error's status counts, whatever became of its body.
            Err(error) if success => Err(error.with_status(status)),
            _ => Ok(Answer { url, status, headers, body }),
        }
    }

    async fn read_parts(
        &self,
        response: &mut Response,
        max: u64,
        body: &mut Vec<u8>,
    ) -> Result<(), ApiError> {
        let too_large =
            || ApiError::new(ErrorKind::TooLarge).with_detail(format!("its body is longer than {max} bytes"));
        if response.content_length().is_some_and(|length| length > max) {
            return Err(too_large());
        }
        loop {
            let part = within(self.first_byte_timeout, "next part of the body", response.chunk()).await?;
            let Some(part) = part.map_err(reading_failed)? else { return Ok(()) };
            if (body.len() + part.len()) as u64 > max {
                return Err(too_large());
            }
            body.extend_from_slice(&part);
        }
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
    let unusable =
        || ApiError::new(ErrorKind::Client).with_detail("the key holds characters that no key holds");
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(unusable());
    }
    let mut bearer = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| unusable())?;
    bearer.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, bearer), (ACCEPT, ACCEPTED)]))
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

async fn within<T>(limit: Duration, what: &str, work: impl Future<Output = T>) -> Result<T, ApiError> {
    timeout(limit, work).await.map_err(|elapsed| {
        ApiError::new(ErrorKind::Timeout)
            .with_detail(format!("no {what} within {limit:?}"))
            .with_source(elapsed)
    })
}

fn sending_failed(error: reqwest::Error) -> ApiError {
    let kind = match &error {
        // Even where it timed out: nothing is sent before there is a connection.
        error if error.is_connect() => ErrorKind::Unreachable,
        error if error.is_timeout() => ErrorKind::Timeout,
        error if error.is_builder() => ErrorKind::Client,
        _ => ErrorKind::BrokenAnswer,
    };
    failed(kind, error)
}

fn reading_failed(error: reqwest::Error) -> ApiError {
    failed(if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::BrokenAnswer }, error)
}

/// The innermost cause says most ("connection refused"); the URL is left out, as its query holds a token.
fn failed(kind: ErrorKind, error: reqwest::Error) -> ApiError {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    ApiError::new(kind).with_detail(cause.to_string()).with_source(error)
}
