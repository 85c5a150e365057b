//! `/`, `/metrics`, `/healthz` and `/readyz`.

use super::super::exit::{Exit, Failure};
use super::super::output;
use super::super::report::{self, MOST_SECONDS};
use super::metrics_source::MetricsSource;
use super::runner::Runner;
use crate::daemon::{Exposition, MirrorState};
use crate::report::CONTENT_SECURITY_POLICY_STYLE;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tokio_util::task::AbortOnDropHandle;

/// How long a page is good for others who ask.
const PAGE_AGE: Duration = Duration::from_secs(5);

/// The page loads nothing, sends nothing and is shown in nobody's frame.
static CONTENT_SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; style-src {}; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        *CONTENT_SECURITY_POLICY_STYLE
    )
});

/// What the answers are made from.
pub(super) struct Sources {
    pub(super) runner: Arc<Runner>,
    pub(super) metrics_source: Arc<MetricsSource>,
    /// The page that was made last, and when. Who waits for it waits for all who came before.
    pub(super) page: Mutex<Option<(Instant, String)>>,
    /// When the loop last went round.
    pub(super) last_round: watch::Receiver<Instant>,
    /// The loop counts as stuck after this long without a round.
    pub(super) stuck_after: Duration,
}

/// Listens on `http.listen`; connections are answered from the return on, until the result is dropped.
pub(super) async fn start(address: SocketAddr, sources: Sources) -> Result<AbortOnDropHandle<()>, Failure> {
    let (listener, bound) = listen(address, "", "http.listen").await?;
    tracing::info!(address = %bound, "serving /metrics, /healthz, /readyz and a page for people at /");
    let routes = Router::new()
        .route("/", get(page))
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(Arc::new(sources));
    Ok(AbortOnDropHandle::new(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, "/metrics is no longer served");
        }
    })))
}

/// Listens on `address`, which the key `setting` names; returns also where that is. `what_for` is a part of the error's text.
pub(super) async fn listen(
    address: SocketAddr,
    what_for: &str,
    setting: &str,
) -> Result<(TcpListener, SocketAddr), Failure> {
    let refused = |error: std::io::Error| {
        let text = format!(
            "{address} can't be listened on{what_for}: {error}; set {setting} to another address, or to \"\""
        );
        Failure::new(Exit::Failed, text)
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    Ok((listener, bound))
}

/// The page for people. It is made again for those who come after it has grown old.
async fn page(State(sources): State<Arc<Sources>>) -> Response {
    let mut kept = sources.page.lock().await;
    let fresh = kept.as_ref().filter(|(made, _)| made.elapsed() < PAGE_AGE).map(|(_, page)| page.clone());
    let page = match fresh {
        Some(page) => page,
        None => {
            let config = sources.runner.config();
            let made = tokio::task::spawn_blocking(move || report::page(&config, Some(MOST_SECONDS))).await;
            match made.map_err(Failure::because("the reader crashed")).flatten() {
                Ok(page) => kept.insert((Instant::now(), page)).1.clone(),
                Err(failure) => return sentence(StatusCode::SERVICE_UNAVAILABLE, &failure.line()),
            }
        }
    };
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY.as_str()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, page).into_response()
}

async fn metrics(State(sources): State<Arc<Sources>>, asked: HeaderMap) -> Response {
    let exposition =
        Exposition::accepted(asked.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok()));
    let reading = match sources.read().await {
        Ok(reading) => reading,
        Err(failure) => return sentence(StatusCode::INTERNAL_SERVER_ERROR, &failure.line()),
    };
    match sources.runner.metrics().text(exposition, &reading, Timestamp::now()) {
        Ok(text) => {
            let headers = [(header::CONTENT_TYPE, exposition.content_type()), (header::VARY, "accept")];
            (headers, text).into_response()
        }
        Err(error) => {
            sentence(StatusCode::INTERNAL_SERVER_ERROR, &format!("the metrics have no text: {error}"))
        }
    }
}

/// Whether the loop goes round.
async fn healthz(State(sources): State<Arc<Sources>>) -> Response {
    match sources.last_round.borrow().elapsed() <= sources.stuck_after {
        true => sentence(StatusCode::OK, "alive"),
        false => sentence(StatusCode::SERVICE_UNAVAILABLE, "the scheduler is stuck"),
    }
}

/// Whether the mirror can be relied on.
async fn readyz(State(sources): State<Arc<Sources>>) -> Response {
    let (status, text) = match sources.read().await {
        Ok(reading) => {
            readiness(reading.last_success(), sources.runner.config().http.ready_max_age, Timestamp::now())
        }
        Err(failure) => (StatusCode::SERVICE_UNAVAILABLE, failure.line()),
    };
    sentence(status, &text)
}

fn readiness(last_success: Option<Timestamp>, max_age: Duration, now: Timestamp) -> (StatusCode, String) {
    let Some(last_success) = last_success else {
        return (StatusCode::SERVICE_UNAVAILABLE, "no run has come to its end yet".to_owned());
    };
    let age = now.duration_since(last_success).max(SignedDuration::ZERO);
    let seconds = output::counted(age.as_secs().unsigned_abs(), "second");
    if age.unsigned_abs() <= max_age {
        (StatusCode::OK, format!("ready: the last success is {seconds} old"))
    } else {
        let limit = format!("the last success is {seconds} old, more than http.ready_max_age");
        (StatusCode::SERVICE_UNAVAILABLE, limit)
    }
}

fn sentence(status: StatusCode, text: &str) -> Response {
    (status, format!("{text}\n")).into_response()
}

impl Sources {
    async fn read(&self) -> Result<MirrorState, Failure> {
        let (metrics_source, config) = (self.metrics_source.clone(), self.runner.config());
        let formats = config.export.formats.iter().map(|format| format.name()).collect();
        let read = tokio::task::spawn_blocking(move || metrics_source.read(formats));
        read.await.map_err(Failure::because("the reader crashed"))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_while_the_last_success_is_fresh() {
        let at = |time: &str| -> Timestamp { format!("2026-03-01T{time}Z").parse().unwrap() };
        for (last_success, now, expected) in [
            (None, "10:00:00", StatusCode::SERVICE_UNAVAILABLE),
            (Some("10:00:00"), "10:00:00", StatusCode::OK),
            (Some("10:00:00"), "11:00:00", StatusCode::OK),
            (Some("10:00:00"), "11:00:01", StatusCode::SERVICE_UNAVAILABLE),
            // A clock that was put back.
            (Some("12:00:00"), "10:00:00", StatusCode::OK),
        ] {
            let hour = Duration::from_secs(3600);
            assert_eq!(
                readiness(last_success.map(at), hour, at(now)).0,
                expected,
                "{last_success:?} at {now}"
            );
        }
    }
}
