//! A proxy for CONNECT (RFC 9110 section 9.3.6) that leads everybody to one server, whatever host they name.

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// The running proxy; ends when dropped.
pub struct Proxy {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Leads to `port` on this machine whoever gives these credentials, in base64; others get a 407 that repeats theirs.
    pub async fn to(port: u16, credentials: &'static str) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = heads.clone();
        let accepting = tokio::spawn(async move {
            // The connections end with this task.
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(lead(stream, port, credentials, seen.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Proxy { port: own, heads, accepting }
    }

    /// As it stands in `HTTPS_PROXY`, for this user and password.
    pub fn url(&self, user_and_password: &str) -> String {
        format!("http://{user_and_password}@127.0.0.1:{}", self.port)
    }

    /// What was asked of it so far: request lines with their headers.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn lead(mut stream: TcpStream, port: u16, credentials: &str, heads: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    heads.lock().unwrap().push(head.clone());
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let given =
        lines.find(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization")).map(|(_, value)| value);
    // Whoever is at the other end of either may leave at any time.
    if given != Some(&format!("Basic {credentials}")) {
        let given = given.unwrap_or_default();
        let refusal = format!(
            "HTTP/1.1 407 {given}\r\nProxy-Authenticate: Basic realm=\"{given}\"\r\nContent-Length: 0\r\n\r\n"
        );
        let _ = stream.write_all(refusal.as_bytes()).await;
        return;
    }
    let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await;
    let _ = copy_bidirectional(&mut stream, &mut server).await;
}
