//! The hand-made server behind TLS, over HTTP/1.1 or HTTP/2, with certificates by an authority of the test's own.

use super::account::Shared as Account;
use super::place::Place;
use super::program::Program;
use super::server::{Asked, Connection, Reply, Server, Shared, parameters, serve};
use axum::http::{HeaderName, HeaderValue, Request, Response};
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

/// An authority that nobody knows, unless told of it.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("authority.pem"), issuer.pem()).unwrap();
        Authority { issuer, folder }
    }

    /// The folder that holds its certificate alone.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Its certificate, PEM.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// A program that trusts it alone.
    pub fn program(&self, place: &Place, base_url: &str) -> Program {
        place.program(base_url).variable("SSL_CERT_FILE", self.file().to_str().unwrap())
    }

    /// TLS by a good certificate for this host.
    pub fn tls(&self, host: &str, protocols: &[&str]) -> Tls {
        self.tls_by(CertificateParams::new([host.to_owned()]).unwrap(), protocols)
    }

    /// TLS by a certificate that expired long ago.
    pub fn expired(&self, host: &str) -> Tls {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
        self.tls_by(params, &["h2"])
    }

    /// TLS by a certificate that says it is an authority's.
    pub fn as_authority(&self, host: &str) -> Tls {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        self.tls_by(params, &["h2"])
    }

    fn tls_by(&self, params: CertificateParams, protocols: &[&str]) -> Tls {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let mut config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Tls { config: Arc::new(config), streams: None, goodbye: None, connections: Arc::default() }
    }
}

/// How a connection is ended by the server's will.
#[derive(Clone, Copy)]
pub enum Goodbye {
    /// GOAWAY after so many requests; those that came are answered.
    Polite(usize),
    /// GOAWAY after so many requests, once, which leaves those without an answer that have none.
    Abrupt(usize),
    /// A stream is refused, unlooked at, at each so many requests.
    Refusing(usize),
}

/// What a server behind TLS is like.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    streams: Option<u32>,
    goodbye: Option<Goodbye>,
    connections: Arc<AtomicUsize>,
}

impl Tls {
    /// Allowing so many streams at once.
    pub fn streams(self, streams: u32) -> Tls {
        Tls { streams: Some(streams), ..self }
    }

    pub fn goodbye(self, goodbye: Goodbye) -> Tls {
        Tls { goodbye: Some(goodbye), ..self }
    }

    /// How many connections were made so far, whatever became of them.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Answers every request by `handler`. Over HTTP/2 anything but an answer is a stream's reset.
    pub async fn serve<F>(&self, handler: impl Fn(Asked) -> F + Send + Sync + 'static) -> Server
    where
        F: Future<Output = Reply> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base_url = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let shared = Shared::new(handler);
        let accepting = tokio::spawn(accept(listener, self.clone(), shared.clone()));
        Server { base_url, shared, accepting }
    }

    /// Answers honestly from an account.
    pub async fn serve_account(&self, account: &Account) -> Server {
        let account = account.clone();
        self.serve(move |asked| std::future::ready(account.lock().answer(&asked))).await
    }
}

impl Connection for TlsStream<TcpStream> {
    fn reset(&mut self) {
        self.get_ref().0.set_zero_linger().unwrap();
    }
}

async fn accept(listener: TcpListener, tls: Tls, shared: Arc<Shared>) {
    // The connections end with this task.
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tls.connections.fetch_add(1, Ordering::SeqCst);
        let (tls, shared) = (tls.clone(), shared.clone());
        connections.spawn(async move {
            // A client that doesn't trust the certificate leaves.
            let Ok(stream) = TlsAcceptor::from(tls.config.clone()).accept(stream).await else { return };
            match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => multiplexed(stream, tls, shared).await,
                _ => serve(stream, shared).await,
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// One connection of HTTP/2, until the client leaves or is sent away.
async fn multiplexed(stream: TlsStream<TcpStream>, tls: Tls, shared: Arc<Shared>) {
    let mut builder = h2::server::Builder::new();
    if let Some(streams) = tls.streams {
        builder.max_concurrent_streams(streams);
    }
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
    let mut answering = JoinSet::new();
    let mut count = 0;
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        count += 1;
        match tls.goodbye {
            Some(Goodbye::Polite(after)) if count == after => connection.graceful_shutdown(),
            Some(Goodbye::Abrupt(after)) if count == after && tls.connections() == 1 => {
                connection.abrupt_shutdown(Reason::NO_ERROR);
            }
            Some(Goodbye::Refusing(each)) if count % each == 0 => {
                respond.send_reset(Reason::REFUSED_STREAM);
                continue;
            }
            _ => {}
        }
        answering.spawn(answer(request, respond, shared.clone()));
    }
}

async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>, shared: Arc<Shared>) {
    let (head, mut sent) = request.into_parts();
    let mut body = Vec::new();
    while let Some(Ok(part)) = sent.data().await {
        body.extend_from_slice(&part);
    }
    let headers: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let asked = Asked {
        number: 0,
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: parameters(head.uri.query().unwrap_or_default()),
        headers,
        body: String::from_utf8(body).unwrap(),
        head: format!("{:?}", head.uri),
    };
    let reply: Pin<Box<dyn Future<Output = Reply> + Send>> = (shared.handler)(shared.keep(asked));
    let Reply::Answer { status, headers, body } = reply.await else {
        return respond.send_reset(Reason::INTERNAL_ERROR);
    };
    let mut response = Response::builder().status(status).body(()).unwrap();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        response.headers_mut().append(name, HeaderValue::from_str(&value).unwrap());
    }
    // The client may have left.
    if let Ok(mut stream) = respond.send_response(response, body.is_empty())
        && !body.is_empty()
    {
        let _ = stream.send_data(body.into(), true);
    }
}
