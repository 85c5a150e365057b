//! A hand-made HTTP/1.1 server: every answer is scripted, down to the bytes, and every request is kept.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Counted from 1.
    pub number: usize,
    pub method: String,
    /// Percent-encoded, as it came.
    pub path: String,
    /// Decoded.
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// The request line and the headers, as they came.
    pub head: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    pub fn parameter(&self, name: &str) -> Option<&str> {
        let (_, value) = self.query.iter().find(|(found, _)| found == name)?;
        Some(value)
    }

    /// `GET /customers`
    pub fn call(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether it asks for the customer list, any page of it.
    pub fn is_customer_list(&self) -> bool {
        self.call() == "GET /customers"
    }
}

/// What the server does about a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// An answer with these headers, besides its length.
    Answer { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// These bytes, then the connection's end.
    Bytes(Vec<u8>),
    /// These bytes, then nothing, for ever.
    Stall(Vec<u8>),
    /// A reset connection.
    Reset,
    /// Nothing, for ever.
    Silence,
}

impl Reply {
    pub fn json(status: u16, body: &str) -> Reply {
        let kind = ("content-type".to_owned(), "application/json".to_owned());
        Reply::Answer { status, headers: vec![kind], body: body.into() }
    }

    /// The documented error object.
    pub fn error(status: u16, code: &str, message: &str) -> Reply {
        let body = serde_json::json!({
            "code": code, "message": message, "request_id": format!("req-{code}"), "status": status
        });
        Reply::json(status, &body.to_string())
    }

    pub fn with_header(mut self, name: &str, value: &str) -> Reply {
        if let Reply::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The answer's bytes on the wire; `None` where no complete answer is given.
    pub fn wire(&self) -> Option<Vec<u8>> {
        let Reply::Answer { status, headers, body } = self else { return None };
        let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        // RFC 9110, 8.6: no length with 204.
        if *status != 204 {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        Some([head.as_bytes(), b"\r\n", body].concat())
    }
}

type Handler = dyn Fn(Asked) -> Pin<Box<dyn Future<Output = Reply> + Send>> + Send + Sync;

struct Shared {
    handler: Box<Handler>,
    asked: Mutex<Vec<Asked>>,
}

/// The running server; ends when dropped.
pub struct Server {
    port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Answers every request by `handler`.
    pub async fn start<F>(handler: impl Fn(Asked) -> F + Send + Sync + 'static) -> Server
    where
        F: Future<Output = Reply> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let handler: Box<Handler> = Box::new(move |asked| Box::pin(handler(asked)));
        let shared = Arc::new(Shared { handler, asked: Mutex::default() });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Server { port, shared, accepting }
    }

    /// Answers every request by `handler`, at once.
    pub async fn answering(handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Server {
        Server::start(move |asked| std::future::ready(handler(&asked))).await
    }

    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What was asked so far, in order, but for the question whose account it is, with which every run begins.
    pub fn asked(&self) -> Vec<Asked> {
        let mut asked = self.all_asked();
        asked.retain(|asked| asked.path != "/accounts/self");
        asked
    }

    /// Everything that was asked so far, in order.
    pub fn all_asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// How many requests fit.
    pub fn count(&self, fits: impl Fn(&Asked) -> bool) -> usize {
        self.asked().iter().filter(|asked| fits(asked)).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // The connections end with this task.
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        connections.spawn(serve(stream, shared.clone()));
        while connections.try_join_next().is_some() {}
    }
}

/// One request after the other, until one side ends the connection.
async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut read = Vec::new();
    while let Some(request) = request(&mut stream, &mut read).await {
        let asked = {
            let mut all = shared.asked.lock().unwrap();
            let asked = Asked { number: all.len() + 1, ..request };
            all.push(asked.clone());
            asked
        };
        let reply = (shared.handler)(asked).await;
        match reply {
            Reply::Answer { .. } => {
                let wire = reply.wire().unwrap();
                if stream.write_all(&wire).await.is_err() {
                    return;
                }
            }
            Reply::Bytes(bytes) => {
                // The client may have left.
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                return;
            }
            Reply::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
            Reply::Stall(bytes) => return stall(stream, &bytes).await,
            Reply::Silence => return stall(stream, &[]).await,
        }
    }
}

/// Sends these bytes and no more, until the client leaves.
async fn stall(mut stream: TcpStream, bytes: &[u8]) {
    // It may have left already.
    let _ = stream.write_all(bytes).await;
    let _ = stream.read(&mut [0; 1]).await;
}

/// The next request; `None` at the connection's end.
async fn request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<Asked> {
    let end = loop {
        if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        more(stream, read).await?;
    };
    let head = String::from_utf8(read[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.map_or(0, |(_, length)| length.parse().unwrap());
    while read.len() < end + length {
        more(stream, read).await?;
    }
    let body = String::from_utf8(read[end..end + length].to_vec()).unwrap();
    read.drain(..end + length);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query) = (path.to_owned(), parameters(query));
    Some(Asked { number: 0, method, path, query, headers, body, head: head.clone() })
}

async fn more(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<()> {
    let count = stream.read_buf(read).await.ok()?;
    (count > 0).then_some(())
}

fn parameters(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

/// Percent-decoded (RFC 3986 section 2.1), with `+` as a space.
pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex = std::str::from_utf8(&rest[..2]).unwrap();
                rest = &rest[2..];
                u8::from_str_radix(hex, 16).unwrap()
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).unwrap()
}
