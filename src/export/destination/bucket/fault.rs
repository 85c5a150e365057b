//! What a store's errors mean, and what to do about them.

use super::written_by_others;
use object_store::Error;
use std::fmt;
use std::io::{self, ErrorKind};

/// The longest text of a store that a message quotes.
const LONGEST: usize = 300;

/// An error of a store, with what to do.
#[derive(Debug)]
pub(in crate::export) struct StoreFault(String);

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StoreFault {}

/// What became of a call, as far as it has to be told.
enum Kind {
    Missing,
    Unknown,
    Refused,
    Lacking,
    Other,
}

impl Kind {
    fn of(error: &Error) -> Kind {
        match error {
            Error::NotFound { .. } => Kind::Missing,
            Error::Unauthenticated { .. } => Kind::Unknown,
            Error::PermissionDenied { .. } => Kind::Refused,
            Error::NotSupported { .. } | Error::NotImplemented { .. } => Kind::Lacking,
            // Of lists the crate tells no more than the text.
            error => {
                let text = error.to_string();
                let statuses = [("404", Kind::Missing), ("401", Kind::Unknown), ("403", Kind::Refused)];
                let is_it = |status: &str| text.contains(&format!("status code: {status}"));
                statuses.into_iter().find(|(status, _)| is_it(status)).map_or(Kind::Other, |(_, kind)| kind)
            }
        }
    }
}

/// The error of a call, as the rest of the export knows errors.
pub(super) fn failed(error: Error) -> io::Error {
    if matches!(error, Error::Precondition { .. } | Error::AlreadyExists { .. }) {
        return written_by_others();
    }
    let (kind, what) = match Kind::of(&error) {
        Kind::Missing => (
            ErrorKind::NotFound,
            "there is no such bucket or object: create the bucket, or correct the url of the destination",
        ),
        Kind::Unknown => (
            ErrorKind::PermissionDenied,
            "the store doesn't know who asks: set its credentials in the environment (AWS_*, GOOGLE_*, AZURE_*)",
        ),
        Kind::Refused => (
            ErrorKind::PermissionDenied,
            "the store refused the credentials: check those in the environment (AWS_*, GOOGLE_*, AZURE_*), and that they \
             may list, read, write and delete there",
        ),
        Kind::Lacking => {
            (ErrorKind::Unsupported, "the store lacks what an export needs, such as conditional writes")
        }
        Kind::Other => (
            ErrorKind::ConnectionAborted,
            "the store doesn't answer as it should: check the network, the endpoint and the store's own status; the next \
             run tries again",
        ),
    };
    io::Error::new(kind, StoreFault(format!("{what} ({})", brief(&error.to_string()))))
}

/// The error of a store that can't be asked at all.
pub(super) fn unusable(why: &str) -> io::Error {
    let what = "the store's settings in the environment (AWS_*, GOOGLE_*, AZURE_*) can't be used";
    io::Error::new(ErrorKind::InvalidInput, StoreFault(format!("{what}: {}", brief(why))))
}

/// A store's text on one line: without queries of addresses, where signatures stand, and of an answer's XML its code alone.
fn brief(text: &str) -> String {
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    let head = text.split('<').next().unwrap_or_default();
    let text = code.map_or_else(|| text.to_owned(), |(code, _)| format!("{head}{code}"));
    let words = text.split_whitespace().map(|word| match word.split_once('?') {
        Some((front, _)) if front.contains("://") => format!("{front}?…"),
        _ => word.to_owned(),
    });
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_brief_and_without_signatures() {
        let xml = "Server returned non-2xx status code: 403: <?xml version=\"1.0\"?>\n<Error><Code>SignatureDoesNotMatch</Code>\
                   <StringToSign>secret</StringToSign></Error>";
        assert_eq!(brief(xml), "Server returned non-2xx status code: 403: SignatureDoesNotMatch");
        let url =
            "error sending request for url (https://a.blob.core.windows.net/c/f?sv=1&sig=secret): timed out";
        let found = brief(url);
        assert!(found.contains("windows.net/c/f?…") && !found.contains("secret"), "{found}");
        assert!(brief(&"ä".repeat(1000)).chars().count() == LONGEST + 1);
    }

    #[test]
    fn each_error_says_what_to_do() {
        let source = || "why".into();
        let answered =
            |status: &str| Error::Generic { store: "S3", source: format!("status code: {status}").into() };
        let path = || "p".to_owned();
        for (error, kind, text) in [
            (Error::NotFound { path: path(), source: source() }, ErrorKind::NotFound, "create the bucket"),
            (Error::Unauthenticated { path: path(), source: source() }, ErrorKind::PermissionDenied, "AWS_*"),
            (
                Error::PermissionDenied { path: path(), source: source() },
                ErrorKind::PermissionDenied,
                "may list",
            ),
            (Error::Precondition { path: path(), source: source() }, ErrorKind::Other, "somebody else"),
            (Error::Generic { store: "S3", source: source() }, ErrorKind::ConnectionAborted, "next run"),
            (answered("503"), ErrorKind::ConnectionAborted, "next run"),
            (answered("404"), ErrorKind::NotFound, "create the bucket"),
            (answered("401"), ErrorKind::PermissionDenied, "who asks"),
            (answered("403"), ErrorKind::PermissionDenied, "refused"),
        ] {
            let found = failed(error);
            assert!(found.kind() == kind && found.to_string().contains(text), "{found:?}");
        }
    }
}
