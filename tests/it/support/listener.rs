//! What the daemon's listener answers.

use super::program::Running;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Waits until the daemon serves, on a port of its choice, and returns where.
pub async fn address(daemon: &mut Running) -> String {
    address_in(&daemon.logs("serving /metrics").await)
}

/// Waits until the daemon takes deliveries of webhooks, on a port of its choice, and returns where.
pub async fn address_for_webhooks(daemon: &mut Running) -> String {
    address_in(&daemon.logs("taking deliveries of webhooks").await)
}

fn address_in(line: &str) -> String {
    let port: String =
        line.split("127.0.0.1:").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
    format!("127.0.0.1:{port}")
}

/// Sends a request as it stands; the status, and whether more than a head came. `None`: no answer came.
pub async fn post(address: &str, request: &[u8]) -> Option<(u16, bool)> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Whoever doesn't read to the end may close the connection before.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1).unwrap().parse().unwrap(), !body.is_empty()))
}

/// The whole answer, as it came.
pub async fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
