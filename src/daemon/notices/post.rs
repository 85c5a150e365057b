//! One request to one address outside, within its time. The client has nothing of the API's: no key, no connections, no
//! retries beyond the time that it has.

use crate::api::is_loopback;
use crate::daemon::target::Target;
use reqwest::{Method, Url, redirect};
use std::error::Error;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long one delivery may take, with everything.
pub(super) const TIME_OUT: Duration = Duration::from_secs(10);

/// The waits before a second and a third attempt, within that time.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

const USER_AGENT: &str = concat!("malomo-mirror/", env!("CARGO_PKG_VERSION"));

/// What became of something that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The receiver has it.
    Taken,
    /// The receiver may have it: no answer came, or one that says nothing about it.
    Unclear,
    /// The receiver certainly doesn't have it.
    NotTaken,
}

/// What is sent.
pub(super) enum Body {
    Nothing,
    Line(String),
    Json(String),
}

/// Sends it; the second part says what went wrong, without the address.
pub(super) async fn post(target: Target, url: &Url, body: &Body) -> (Delivery, Option<String>) {
    let sending = async {
        let client = match client(url) {
            Ok(client) => client,
            Err(error) => return (Delivery::NotTaken, Some(reason(error))),
        };
        let mut waits = WAITS.into_iter();
        loop {
            let (delivery, why) = attempt(&client, url, body).await;
            let is_repeated = match delivery {
                Attempt::Unreached => true,
                // Pings do no harm where they arrive twice.
                Attempt::Ended(Delivery::Unclear) => target != Target::Message,
                Attempt::Ended(_) => false,
            };
            match waits.next().filter(|_| is_repeated) {
                Some(wait) => sleep(wait).await,
                None => return (delivery.ended(), why),
            }
        }
    };
    let late = || (Delivery::Unclear, Some(format!("no answer within {} s", TIME_OUT.as_secs())));
    timeout(TIME_OUT, sending).await.unwrap_or_else(|_| late())
}

enum Attempt {
    /// There was no connection.
    Unreached,
    Ended(Delivery),
}

impl Attempt {
    fn ended(self) -> Delivery {
        match self {
            Attempt::Unreached => Delivery::NotTaken,
            Attempt::Ended(delivery) => delivery,
        }
    }
}

async fn attempt(client: &reqwest::Client, url: &Url, body: &Body) -> (Attempt, Option<String>) {
    let request = match body {
        Body::Nothing => client.request(Method::GET, url.clone()),
        Body::Line(text) => {
            client.post(url.clone()).header("content-type", "text/plain; charset=utf-8").body(text.clone())
        }
        Body::Json(text) => {
            client.post(url.clone()).header("content-type", "application/json").body(text.clone())
        }
    };
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() => return (Attempt::Unreached, Some(reason(error))),
        Err(error) => return (Attempt::Ended(Delivery::Unclear), Some(reason(error))),
    };
    let status = response.status();
    let delivery = match status.as_u16() {
        200..=299 => return (Attempt::Ended(Delivery::Taken), None),
        500.. => Delivery::Unclear,
        _ => Delivery::NotTaken,
    };
    let what = if status.is_redirection() { "it redirects, which is not followed" } else { "it refuses" };
    (Attempt::Ended(delivery), Some(format!("{what} (HTTP {})", status.as_u16())))
}

/// One for each delivery: they are rare, and nothing of one reaches another.
fn client(url: &Url) -> reqwest::Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .referer(false)
        .user_agent(USER_AGENT)
        .timeout(TIME_OUT);
    let builder = if is_loopback(url) { builder.no_proxy() } else { builder };
    match url.scheme() {
        "https" => builder.https_only(true).build(),
        // To this machine: no certificates of authorities are needed.
        _ => builder.tls_certs_only([]).build(),
    }
}

/// The library's words and its causes', without the address.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
