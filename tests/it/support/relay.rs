//! A server before a sandbox that hands everything on, until a chosen request: from that one on it is silent.

use super::server::{Asked, Reply, Server};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// No request is the chosen one.
const NEVER: usize = usize::MAX;

/// The relay; ends when dropped.
pub struct Relay {
    server: Server,
    script: Arc<Script>,
}

struct Script {
    target: String,
    /// Requests still to be handed on.
    left: AtomicUsize,
    silent: Notify,
    meddle: Box<dyn Fn(usize) + Send + Sync>,
}

impl Relay {
    /// Before the server at that base URL.
    pub async fn before(base_url: &str) -> Relay {
        Relay::meddling(base_url, |_| {}).await
    }

    /// The same, with something done before each request is handed on, by its number.
    pub async fn meddling(base_url: &str, meddle: impl Fn(usize) + Send + Sync + 'static) -> Relay {
        let target = base_url.strip_prefix("http://").unwrap().to_owned();
        let (left, silent) = (AtomicUsize::new(NEVER), Notify::new());
        let script = Arc::new(Script { target, left, silent, meddle: Box::new(meddle) });
        let shared = script.clone();
        let server = Server::start(move |asked| {
            let script = shared.clone();
            async move { script.reply(&asked).await }
        })
        .await;
        Relay { server, script }
    }

    pub fn base_url(&self) -> String {
        self.server.base_url()
    }

    /// How many requests have come in all.
    pub fn count(&self) -> usize {
        self.server.asked().len()
    }

    /// Falls silent once `requests` more have been handed on.
    pub fn silent_after(&self, requests: usize) {
        self.script.left.store(requests, Ordering::SeqCst);
    }

    /// Hands everything on again.
    pub fn talk(&self) {
        self.script.left.store(NEVER, Ordering::SeqCst);
    }

    /// Waits for the first request that is met with silence.
    pub async fn fell_silent(&self) {
        self.script.silent.notified().await;
    }
}

impl Script {
    async fn reply(&self, asked: &Asked) -> Reply {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| match left {
            NEVER => Some(NEVER),
            left => left.checked_sub(1),
        });
        if left.is_err() {
            self.silent.notify_one();
            return Reply::Silence;
        }
        (self.meddle)(asked.number);
        self.hand_on(asked).await.map_or(Reply::Reset, Reply::Bytes)
    }

    /// The other server's answer, to the byte.
    async fn hand_on(&self, asked: &Asked) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(&self.target).await?;
        let head = asked.head.strip_suffix("\r\n").unwrap_or(&asked.head);
        stream.write_all(format!("{head}connection: close\r\n\r\n{}", asked.body).as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}
