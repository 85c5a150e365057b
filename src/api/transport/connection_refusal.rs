//! Why a request was refused before the server took it: found deep inside the HTTP libraries' errors.

use crate::api::errors::ErrorKind;
use rustls::CertificateError::{
    BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
    NotValidYetContext, Revoked, UnknownIssuer,
};
use std::error::Error;
use std::io;

/// What hyper-util says of a proxy's 407; the error's type is private.
const PROXY_CREDENTIALS: &str = "proxy authorization required";

/// What webpki says of an authority's certificate that a server uses for itself; the error's type is another crate's.
const AUTHORITYS_OWN: &str = "CaUsedAsEndEntity";

/// Why there is no connection, where trying again would end the same way; of a certificate also what is wrong with it.
pub(super) fn of(error: &(dyn Error + 'static)) -> Option<(ErrorKind, Option<String>)> {
    causes(error).find_map(|cause| match cause.downcast_ref::<rustls::Error>() {
        Some(rustls::Error::InvalidCertificate(fault)) => {
            Some((ErrorKind::Certificate, Some(certificate_fault(fault))))
        }
        _ if cause.to_string().ends_with(PROXY_CREDENTIALS) => Some((ErrorKind::ProxyRefused, None)),
        _ => None,
    })
}

/// Whether the server says that it has not processed the request, so that even a POST may be sent again at once (RFC 9113
/// section 8.7). A server says so when it shuts down, and when it allows fewer streams than were already opened.
pub(super) fn is_unprocessed(error: &(dyn Error + 'static)) -> bool {
    causes(error).filter_map(|cause| cause.downcast_ref::<h2::Error>()).any(|error| {
        let is_shutdown = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
        let is_refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        error.is_remote() && (is_shutdown || is_refused)
    })
}

/// Messages of the HTTP libraries, whose error types are private, for a request that they gave up before they sent it: it
/// waited for a stream, or was about to take a pooled connection that had ended, or opened one of its own while another
/// request's had already been found to carry all of them.
const NEVER_SENT: [&str; 4] = [
    "dispatch task is gone",
    "checked out connection was closed",
    "request was canceled",
    "client error (Canceled)",
];

/// Whether the connection ended before the request was sent over it. A request whose stream was already open fails with the
/// connection's own error instead. The answer relies partly on the wording of messages, which is too little evidence to
/// repeat a request that must not be carried out twice.
pub(super) fn was_never_sent(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| match cause.downcast_ref::<hyper::Error>() {
        Some(error) if error.is_canceled() => true,
        _ => NEVER_SENT.contains(&cause.to_string().as_str()),
    })
}

/// The error and its causes, the outermost first. An [`io::Error`] hides the one that it was made from.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(
        Some(error),
        |error: &&'a (dyn Error + 'static)| -> Option<&'a (dyn Error + 'static)> {
            let error: &'a (dyn Error + 'static) = *error;
            let hidden = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            hidden.map(|hidden| hidden as &(dyn Error + 'static)).or_else(|| error.source())
        },
    )
}

fn certificate_fault(fault: &rustls::CertificateError) -> String {
    match fault {
        Expired | ExpiredContext { .. } => "by this machine's clock it has expired".to_owned(),
        NotValidYet | NotValidYetContext { .. } => "by this machine's clock it is not valid yet".to_owned(),
        NotValidForName | NotValidForNameContext { .. } => "it is another host's".to_owned(),
        // An authority of the same name, but with another key.
        UnknownIssuer | BadSignature => "no authority known to this machine has signed it".to_owned(),
        Revoked => "it has been revoked".to_owned(),
        // Self-signed, as `openssl req -x509` makes them.
        other if format!("{other:?}").contains(AUTHORITYS_OWN) => {
            "it is an authority's own, and no server's (CA:TRUE)".to_owned()
        }
        other => other.to_string(),
    }
}
