//! The running server: limits, latency and faults around the calls.

use super::answer::{Refusal, html_page, request_id};
use super::connection::{Breaker, Door};
use super::counts::RequestCounts;
use super::faults::{Fault, Wait};
use super::limits::Bucket;
use super::routes::{Call, Route};
use super::settings::Settings;
use super::webhooks::DeliveryCounts;
use super::world::World;
use super::{access, churn, deliveries};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderName;
use axum::http::header::DATE;
use axum::response::{AppendHeaders, IntoResponse, Response};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The largest body of a write, in bytes.
const LARGEST_BODY: usize = 1 << 20;
/// How long a stop waits for requests in flight.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a sandbox didn't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// A setting makes no sense.
    #[error("the sandbox's setting `{name}` must be {expected}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// The address can't be listened on.
    #[error("the sandbox can't listen on {address}; choose another address, or port 0 for any free one")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A running sandbox. Dropping it stops the server, too.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    server: Arc<Server>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

/// Makes the world and serves it on `listen` (port 0: any free one). Requests are answered from the return on.
///
/// # Errors
/// When a setting makes no sense, or the address can't be listened on.
pub async fn start(listen: SocketAddr, settings: Settings) -> Result<Sandbox, SandboxError> {
    if let Some((name, expected)) = settings.fault() {
        return Err(SandboxError::Setting { name, expected });
    }
    let refused = |source| SandboxError::Listen { address: listen, source };
    let listener = TcpListener::bind(listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let stop = CancellationToken::new();
    let in_flight = settings.concurrency_limit;
    let server = Arc::new(Server {
        world: Arc::new(World::new(&settings)),
        counts: Mutex::default(),
        number: AtomicU64::new(0),
        bucket: settings.rate_limit.map(Bucket::new),
        in_flight: in_flight.map(|limit| Semaphore::new(limit.min(Semaphore::MAX_PERMITS))),
        started: Instant::now(),
    });
    let app = Router::new().fallback(answer).with_state(Arc::clone(&server));
    let serving = axum::serve(Door(listener), app.into_make_service_with_connect_info::<Breaker>())
        .with_graceful_shutdown(stop.clone().cancelled_owned());
    let mut tasks = vec![tokio::spawn(async move {
        // It ends when it is told to, and knows no other end: a failed accept is tried again.
        let _ = serving.await;
    })];
    tasks.push(tokio::spawn(deliveries::run(Arc::clone(&server.world), stop.clone())));
    if settings.churn > 0.0 {
        tasks.push(tokio::spawn(churn::run(Arc::clone(&server.world), stop.clone())));
    }
    Ok(Sandbox { address, server, stop, tasks })
}

impl Sandbox {
    /// Where clients find it, such as `http://127.0.0.1:4000`. Where it listens on every address of the
    /// machine, the loopback one.
    pub fn base_url(&self) -> String {
        let ip = match self.address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        format!("http://{}", SocketAddr::new(ip, self.address.port()))
    }

    /// The world behind it, to look at and to change.
    pub fn world(&self) -> Arc<World> {
        Arc::clone(&self.server.world)
    }

    /// What was asked so far.
    pub fn requests(&self) -> RequestCounts {
        *self.server.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of the deliveries to webhooks so far.
    pub fn deliveries(&self) -> DeliveryCounts {
        *self.server.world.post.counts.borrow()
    }

    /// Waits until every delivery that is due was taken, lost or given up.
    pub async fn delivered(&self) -> DeliveryCounts {
        let mut counts = self.server.world.post.counts.subscribe();
        // The sender lives in the world.
        counts
            .wait_for(|counts| counts.pending == 0)
            .await
            .map_or_else(|_| DeliveryCounts::default(), |counts| *counts)
    }

    /// Stops: no new requests, those in flight are answered first, for up to five seconds.
    pub async fn stop(mut self) {
        self.stop.cancel();
        for mut task in std::mem::take(&mut self.tasks) {
            if tokio::time::timeout(PATIENCE, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What all requests share.
#[derive(Debug)]
struct Server {
    world: Arc<World>,
    counts: Mutex<RequestCounts>,
    /// The number of the next request.
    number: AtomicU64,
    bucket: Option<Bucket>,
    /// A permit for each request that may be in flight.
    in_flight: Option<Semaphore>,
    started: Instant,
}

impl Server {
    fn count(&self, count: impl FnOnce(&mut RequestCounts) -> &mut u64) {
        *count(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner)) += 1;
    }

    /// The answer to a request that got past the limits.
    async fn serve(&self, number: u64, breaker: &Breaker, request: Request) -> Result<Response, Refusal> {
        let (head, body) = request.into_parts();
        let route = access::check(&head.headers).and_then(|()| Route::of(&head.method, head.uri.path()));
        let route = route.inspect_err(|_| self.count(|counts| &mut counts.rejected))?;
        self.count(|counts| counts.of(&route));
        let settings = &self.world.settings;
        let fault = Fault::drawn(settings.seed, number, settings.fault_rate);
        if fault.is_some() {
            self.count(|counts| &mut counts.faults);
        }
        match fault {
            Some(Fault::Refusal(status, wait)) => return Err(Refusal::of_status(status, wait)),
            Some(Fault::HtmlPage) => return Ok(html_page()),
            Some(Fault::LostAnswer | Fault::HalfAnswer) | None => {}
        }
        let body = if route.takes_body() { read(body).await? } else { Bytes::new() };
        let call = Call { route: &route, uri: &head.uri, headers: &head.headers, body: &body, number };
        let answer = call.answer(&self.world);
        match fault {
            Some(Fault::LostAnswer) => breaker.reset(),
            Some(Fault::HalfAnswer) => breaker.halve(),
            _ => {}
        }
        answer
    }
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    let too_large = |_| Refusal::new(400, "invalid_body", "the body is cut short, or larger than 1 MiB");
    to_bytes(body, LARGEST_BODY).await.map_err(too_large)
}

async fn answer(
    State(server): State<Arc<Server>>,
    ConnectInfo(breaker): ConnectInfo<Breaker>,
    request: Request,
) -> Response {
    let settings = &server.world.settings;
    let number = server.number.fetch_add(1, Ordering::Relaxed);
    let place = server.in_flight.as_ref().map(Semaphore::try_acquire).transpose();
    let in_rate = server.bucket.as_ref().is_none_or(|bucket| bucket.take(server.started.elapsed()));
    if !settings.latency.is_zero() {
        tokio::time::sleep(settings.latency).await;
    }
    let answer = match &place {
        Ok(_) if in_rate => server.serve(number, &breaker, request).await,
        _ => {
            server.count(|counts| &mut counts.refused);
            Err(Refusal::of_status(429, place.is_ok().then_some(Wait::Seconds(1))))
        }
    };
    let request_id = request_id(settings.seed, number);
    let answer = answer.unwrap_or_else(|refusal| refusal.into_response(&request_id));
    // The world's time, since records carry times of that clock.
    let date = httpdate::fmt_http_date(server.world.time());
    (AppendHeaders([(HeaderName::from_static("x-request-id"), request_id), (DATE, date)]), answer)
        .into_response()
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
