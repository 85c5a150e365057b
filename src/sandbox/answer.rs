//! Answers and refusals, in the form that the documentation gives them.

use super::draw::{Draw, Purpose};
use super::faults::Wait;
use axum::Json;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, StatusCode};
use axum::response::{AppendHeaders, Html, IntoResponse, Response};
use serde_json::{Value, json};
use std::time::SystemTime;

/// 200 with a JSON text.
pub(super) fn json_text(text: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

/// What a proxy on the way might say instead of the server.
pub(super) fn html_page() -> Response {
    const PAGE: &str = "<!doctype html>\n<html><head><title>One moment</title></head>\n\
                        <body><h1>Checking your browser</h1></body></html>\n";
    Html(PAGE).into_response()
}

/// Why a request isn't answered with what it asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
    header: Option<(HeaderName, String)>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, code, message: message.into(), header: None }
    }

    /// 404 for a record.
    pub(super) fn not_found(what: &str) -> Refusal {
        Refusal::new(404, "not_found", format!("there is no such {what}"))
    }

    /// 405 with the methods that the path has (RFC 9110 section 15.5.6).
    pub(super) fn method(allowed: &str) -> Refusal {
        let message = format!("this path answers to {allowed}");
        let header = Some((ALLOW, allowed.to_owned()));
        Refusal { header, ..Refusal::new(405, "method_not_allowed", message) }
    }

    /// A refusal for which the request can't be blamed: by a limit, the server, or a gateway before it.
    pub(super) fn of_status(status: u16, wait: Option<Wait>) -> Refusal {
        let (code, message) = match status {
            429 => ("too_many_requests", "too many requests; slow down"),
            502 => ("bad_gateway", "the gateway got no valid answer"),
            503 => ("service_unavailable", "the service is not available at the moment"),
            504 => ("gateway_timeout", "the gateway got no answer in time"),
            _ => ("internal_server_error", "something went wrong on our side"),
        };
        let value = wait.map(|wait| match wait {
            Wait::Seconds(seconds) => seconds.to_string(),
            Wait::UntilNow => httpdate::fmt_http_date(SystemTime::now()),
        });
        let header = value.map(|value| (RETRY_AFTER, value));
        Refusal { header, ..Refusal::new(status, code, message) }
    }

    /// The documented error object.
    fn object(&self, request_id: &str) -> Value {
        let Refusal { status, code, message, .. } = self;
        json!({ "code": code, "message": message, "request_id": request_id, "status": status })
    }

    /// The answer to the request with that id.
    pub(super) fn into_response(self, request_id: &str) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let object = self.object(request_id);
        (status, AppendHeaders(self.header), Json(object)).into_response()
    }
}

/// The id of the request of that number.
pub(super) fn request_id(seed: u64, number: u64) -> String {
    format!("req_{:016x}", Draw::new(seed, Purpose::RequestId, number, 0).next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_documented_members() {
        let refusal = Refusal::new(400, "invalid_cursor", "no \"token\"");
        let expected =
            r#"{"code":"invalid_cursor","message":"no \"token\"","request_id":"req_1","status":400}"#;
        assert_eq!(refusal.object("req_1").to_string(), expected);
        assert_eq!(refusal.into_response("req_1").status(), 400);
    }

    #[test]
    fn waits_have_two_forms() {
        let header = |wait| {
            let response = Refusal::of_status(429, wait).into_response("r");
            response.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(header(None), None);
        assert_eq!(header(Some(Wait::Seconds(1))).as_deref(), Some("1"));
        assert!(httpdate::parse_http_date(&header(Some(Wait::UntilNow)).unwrap()).is_ok());
    }

    #[test]
    fn every_request_has_an_id_of_its_own() {
        assert_ne!(request_id(1, 2), request_id(1, 3));
    }
}
