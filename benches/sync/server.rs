//! The sandbox as a process of its own.

use crate::Outcome;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// A running sandbox; stopped when dropped.
pub struct Server {
    child: Child,
    /// Where it answers, without a slash at the end.
    pub url: String,
}

impl Server {
    /// Starts it and waits until it answers.
    pub fn start(arguments: &[&str]) -> Outcome<Server> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_malomo-mirror"))
            .args(["sandbox", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        let url = line.split_whitespace().nth(1).ok_or_else(|| format!("the sandbox said {line:?}"))?;
        Ok(Server { url: url.to_owned(), child })
    }

    /// Where it listens, as host and port.
    pub fn address(&self) -> Outcome<&str> {
        Ok(self.url.strip_prefix("http://").ok_or("the sandbox speaks plain HTTP")?)
    }

    /// Gives each of these customers another name.
    pub fn rename(&self, customers: &[String]) -> Outcome<()> {
        let mut stream = BufReader::new(TcpStream::connect(self.address()?)?);
        for (n, customer) in customers.iter().enumerate() {
            let body = format!("{{\"first_name\":\"Renamed {n} at {:?}\"}}", std::time::SystemTime::now());
            let body = body.replace('\\', "");
            let request = format!(
                "PUT /customers/{customer} HTTP/1.1\r\nhost: sandbox\r\nauthorization: Bearer sk_bench\r\n\
                 accept: application/vnd.malomo+json; version=2\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.get_mut().write_all(request.as_bytes())?;
            answered(&mut stream)?;
        }
        Ok(())
    }
}

/// Reads an answer with a length to its end.
fn answered(stream: &mut BufReader<TcpStream>) -> Outcome<()> {
    let (mut length, mut status) = (0, String::new());
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        if status.is_empty() {
            status.clone_from(&line);
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    std::io::Read::read_exact(stream, &mut vec![0; length])?;
    if status.contains(" 200 ") { Ok(()) } else { Err(format!("the sandbox answered {status}").into()) }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
