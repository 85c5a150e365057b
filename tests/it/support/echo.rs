//! Faults that repeat the key, an address and a telephone number wherever a server can say anything.

use super::server::{Asked, Reply};

/// The key of a program that is to be answered so.
pub const KEY: &str = "sk_live_neverToBeSeen";

/// Parts of what is echoed, in every form in which it is.
pub const ECHOED: [&str; 8] = [
    "neverToBeSeen",
    "%65verToBeSeen",
    "ann.private",
    "private%40",
    "example.org",
    "010-9999",
    "\u{1b}[31m",
    "\u{202e}",
];

/// What the server repeats: the key as it came, a person's address and number, as they are and percent-encoded.
fn echo(asked: &Asked) -> String {
    let authorization = asked.header("authorization").unwrap();
    assert_eq!(authorization, format!("Bearer {KEY}"));
    format!(
        "{authorization} {KEY}/sk%5flive_n%65verToBeSeen ann.private@example.org, ann.private%40example.org tel:+1-555-010-9999 \
         %2B1-555-010-9999 \u{1b}[31m \u{202e} end"
    )
}

/// Headers hold ASCII.
pub fn header_echo(asked: &Asked) -> String {
    echo(asked).replace(['\u{1b}', '\u{202e}'], " ")
}

/// An error, or a redirect, that repeats it in its body and in its headers.
pub fn everywhere(status: u16, asked: &Asked) -> Reply {
    let (text, header) = (echo(asked), header_echo(asked));
    let body = serde_json::json!({
        "code": text, "message": text, "request_id": text, "status": status, "error": {"code": text, "message": text},
        "errors": [text], text.clone(): text
    });
    in_headers(Reply::json(status, &body.to_string()), &header)
}

pub fn in_headers(mut reply: Reply, text: &str) -> Reply {
    for name in [
        "X-Request-Id",
        "Retry-After",
        "Content-Language",
        "X-Next-Cursor",
        "Link",
        "Date",
        "WWW-Authenticate",
    ] {
        reply = reply.with_header(name, text);
    }
    reply
}

/// The faults that carry text, each by its own way.
pub fn faults(asked: &Asked) -> Vec<Reply> {
    let (text, header) = (echo(asked), header_echo(asked));
    let host = header.replace(' ', "-");
    let json = |text: &str| serde_json::json!(text).to_string();
    let mut replies: Vec<Reply> =
        [400, 401, 403, 404, 410, 422, 429, 500, 503].map(|s| everywhere(s, asked)).into();
    replies.extend([
        everywhere(302, asked),
        everywhere(302, asked).with_header("Location", &header),
        everywhere(302, asked)
            .with_header("Location", &format!("https://{KEY}.elsewhere.test/ann.private@example.org")),
        everywhere(302, asked).with_header("Location", &format!("https://ann.private@{KEY}.elsewhere.test/")),
        everywhere(302, asked)
            .with_header("Location", &format!("/customers/{host}?{KEY}=ann.private%40example.org")),
        Reply::json(200, &json(&text)),
        Reply::json(200, &format!("[{}", json(&text))),
        Reply::json(200, &format!("<html>{text}</html>")),
        Reply::json(500, &json(&text)),
        Reply::Bytes(format!("HTTP/1.1 200 {header}\r\n{header}\r\n\r\n").into_bytes()),
        Reply::Bytes(text.into_bytes()),
    ]);
    replies
}
