//! Connections and requests. Whoever can reach the address may send anything: nothing of a body is looked at before its
//! signature is right, and time, memory and connections are bounded whatever comes.

use super::{Delivery, Intake};
use crate::daemon::Metrics;
use crate::webhook::{Candidates, Key, PATH, SIGNATURE, TOPIC, candidates};
use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_LENGTH};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// The largest body, in bytes.
const LARGEST_BODY: usize = 1 << 20;

/// Connections at once; others wait to be accepted. Together their bodies take 64 MiB at most.
const CONNECTIONS: usize = 64;

/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 16 * 1024;

/// How long a body may take.
const BODY_WITHIN: Duration = Duration::from_secs(4);

/// How long a connection may last. Each is for one request.
const CONNECTION_WITHIN: Duration = Duration::from_secs(15);

/// How soon connections are accepted again where the machine has no descriptor left for one.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Takes deliveries until it is dropped.
pub async fn serve(listener: TcpListener, key: Key, intake: Intake, metrics: Arc<Metrics>) {
    let desk = Arc::new(Desk { key, intake, metrics });
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // Never closed.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let desk = desk.clone();
                tokio::spawn(async move {
                    // Whoever doesn't get an answer sends again.
                    let _ = timeout(CONNECTION_WITHIN, connection(stream, desk)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, desk: Arc<Desk>) -> hyper::Result<()> {
    let service = service_fn(move |request| {
        let desk = desk.clone();
        async move { Ok::<_, Infallible>(desk.answer(request).await) }
    });
    http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

struct Desk {
    key: Key,
    intake: Intake,
    metrics: Arc<Metrics>,
}

impl Desk {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = match (request.uri().path(), request.method()) {
            (PATH, &Method::POST) => {
                let delivery = self.take(request).await;
                self.metrics.delivery(delivery);
                delivery.status()
            }
            (PATH, _) => {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
                StatusCode::METHOD_NOT_ALLOWED
            }
            _ => StatusCode::NOT_FOUND,
        };
        response
    }

    async fn take(&self, request: Request<Incoming>) -> Delivery {
        let (head, body) = request.into_parts();
        let announced =
            head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: u64| length > LARGEST_BODY as u64) {
            return Delivery::TooLarge;
        }
        let body = match timeout(BODY_WITHIN, whole(body)).await {
            Ok(Ok(body)) => body,
            Ok(Err(why)) => return why,
            Err(_) => return Delivery::Broken,
        };
        let signature = head.headers.get(SIGNATURE).map(HeaderValue::as_bytes).unwrap_or_default();
        let Some(tag) = self.key.verify(&body, signature) else { return Delivery::Forged };
        let topic = head.headers.get(TOPIC).and_then(|topic| topic.to_str().ok());
        // It is signed, so that sending it again would bring the same: it is counted, and told by its shape.
        let not_json = || Candidates { paths: vec!["(not JSON)".to_owned()], ..Candidates::default() };
        self.intake.take(candidates(&body, topic).unwrap_or_else(not_json), tag).await
    }
}

async fn whole(mut body: Incoming) -> Result<Vec<u8>, Delivery> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame.map_err(|_| Delivery::Broken)?.into_data() else { continue };
        if bytes.len() + data.len() > LARGEST_BODY {
            return Err(Delivery::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}
