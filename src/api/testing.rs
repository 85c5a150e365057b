//! A server on 127.0.0.1 whose every byte is scripted, and an observer that remembers.

use super::{Client, Settings};
use crate::observe::{Event, Observer};
use reqwest::Url;
use secrecy::SecretString;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// The key of every client under test.
pub(crate) const KEY: &str = "sk_test_never_shown";

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Sends these bytes and closes the connection.
    Bytes(Vec<u8>),
    /// Sends these bytes and then nothing more, with the connection open.
    Hang(Vec<u8>),
    /// Resets the connection.
    Reset,
}

impl Reply {
    /// A whole answer with that body as JSON.
    pub(crate) fn json(status: u16, body: &str) -> Reply {
        Reply::with_headers(status, &["Content-Type: application/json"], body.as_bytes())
    }

    /// A whole answer with these header lines besides `Content-Length` and `Connection`.
    pub(crate) fn with_headers(status: u16, headers: &[&str], body: &[u8]) -> Reply {
        let mut head = format!("HTTP/1.1 {status} Scripted\r\nConnection: close\r\n");
        for line in headers {
            head = format!("{head}{line}\r\n");
        }
        if status != 204 {
            head = format!("{head}Content-Length: {}\r\n", body.len());
        }
        Reply::Bytes([format!("{head}\r\n").as_bytes(), body].concat())
    }

    /// The same answer without its last `missing` bytes.
    pub(crate) fn cut_by(self, missing: usize) -> Reply {
        match self {
            Reply::Bytes(bytes) => Reply::Bytes(bytes[..bytes.len() - missing].to_vec()),
            other => other,
        }
    }
}

/// A request as the server read it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Request line and header lines, as they came.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: String,
}

impl Request {
    /// Path and query.
    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    /// The header's value; names are matched without regard to case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        Some(lines.find(|(found, _)| found.eq_ignore_ascii_case(name))?.1)
    }
}

/// A scripted server; it ends when dropped.
pub(crate) struct Server {
    /// Its base URL.
    pub(crate) url: Url,
    requests: Arc<Mutex<Vec<Request>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Server {
    /// Answers the n-th request with the n-th reply; those beyond the script get a 599.
    pub(crate) async fn scripted(replies: impl IntoIterator<Item = Reply>) -> Server {
        let script: Mutex<VecDeque<Reply>> = Mutex::new(replies.into_iter().collect());
        Server::answering(move |_| {
            script
                .lock()
                .unwrap()
                .pop_front()
                .unwrap_or_else(|| Reply::json(599, r#"{"message":"script is over"}"#))
        })
        .await
    }

    /// Answers each request with what `answer` makes of it.
    pub(crate) async fn answering(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (seen, answer) = (requests.clone(), Arc::new(answer));
        let serving = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (seen, answer) = (seen.clone(), answer.clone());
                connections.spawn(async move { serve(stream, &seen, &*answer).await });
            }
        });
        Server { url, requests, _serving: AbortOnDropHandle::new(serving) }
    }

    /// The requests so far, in the order in which they came.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Settings for this server with waits of a millisecond.
    pub(crate) fn settings(&self) -> Settings {
        quick(self.url.clone())
    }

    /// A client of this server, and what it reports.
    pub(crate) fn client(&self) -> (Client, Recorder) {
        client(self.settings())
    }
}

/// Settings whose waits between attempts take a millisecond at most.
pub(crate) fn quick(url: Url) -> Settings {
    let mut settings = Settings::new(url);
    settings.retry.base = Duration::from_millis(1);
    settings.retry.max = Duration::from_millis(1);
    settings
}

/// A client with the test's key, and what it reports.
pub(crate) fn client(settings: Settings) -> (Client, Recorder) {
    let (report, reports) = mpsc::unbounded_channel();
    let client = Client::new(settings, SecretString::from(KEY), Arc::new(Reporter(report))).unwrap();
    (client, Recorder(reports))
}

/// A URL at which nothing listens: connections are refused.
pub(crate) async fn nowhere() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap()
}

/// What the client reported, in order: `status 200`, `retry 1 REASON`, `limit 8`.
pub(crate) struct Recorder(mpsc::UnboundedReceiver<(String, Option<Duration>)>);

impl Recorder {
    /// Waits for the next retry and returns its delay.
    pub(crate) async fn next_delay(&mut self) -> Duration {
        loop {
            if let (_, Some(delay)) = self.0.recv().await.unwrap() {
                return delay;
            }
        }
    }

    /// Everything that was reported so far and not yet taken.
    pub(crate) fn so_far(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.0.try_recv().ok()).map(|(line, _)| line).collect()
    }
}

struct Reporter(mpsc::UnboundedSender<(String, Option<Duration>)>);

impl Observer for Reporter {
    fn observe(&self, event: &Event<'_>) {
        let report = match event {
            Event::RequestFinished { status: Some(status), .. } => (format!("status {status}"), None),
            Event::RequestFinished { status: None, .. } => ("no status".to_owned(), None),
            Event::RetryScheduled { attempt, delay, reason, .. } => {
                (format!("retry {attempt} {reason}"), Some(*delay))
            }
            Event::ConcurrencyChanged { limit } => (format!("limit {limit}"), None),
            other => (format!("{other:?}"), None),
        };
        // A test that has seen enough drops its recorder.
        let _ = self.0.send(report);
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Request>>,
    answer: &(dyn Fn(&Request) -> Reply + Send + Sync),
) {
    let Some(request) = read_request(&mut stream).await else { return };
    seen.lock().unwrap().push(request.clone());
    // The client may be gone already: that is its test's subject.
    match answer(&request) {
        Reply::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Reply::Hang(bytes) => {
            let _ = stream.write_all(&bytes).await;
            std::future::pending::<()>().await;
        }
        Reply::Reset => stream.set_zero_linger().unwrap(),
    }
}

/// `None` where the connection ends before a whole request came.
async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let request = Request { head: head.to_owned(), body: body.to_owned() };
            let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some(request);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
