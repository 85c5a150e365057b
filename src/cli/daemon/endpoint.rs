//! `/metrics`, `/healthz` and `/readyz`.

use super::super::exit::{Exit, Failure};
use super::super::output;
use super::metrics_source::MetricsSource;
use super::runner::Runner;
use crate::daemon::{Exposition, MirrorState};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// What the answers are made from.
pub(super) struct Sources {
    pub(super) runner: Arc<Runner>,
    pub(super) metrics_source: Arc<MetricsSource>,
    /// When the loop last went round.
    pub(super) last_round: watch::Receiver<Instant>,
    /// The loop counts as stuck after this long without a round.
    pub(super) stuck_after: Duration,
}

/// Listens on `http.listen`; connections are answered from the return on, until the result is dropped.
pub(super) async fn start(address: SocketAddr, sources: Sources) -> Result<AbortOnDropHandle<()>, Failure> {
    let (listener, bound) = listen(address, "", "http.listen").await?;
    tracing::info!(address = %bound, "serving /metrics, /healthz and /readyz");
    let routes = Router::new()
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
