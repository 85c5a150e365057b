//! Answers and refusals, in the form that the documentation gives them.

use super::draw::{Draw, Purpose};
use super::faults::Wait;
use super::text::{push_number, push_string};
use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, DATE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use std::time::SystemTime;

/// An answer before it has its request id.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: Option<&'static str>,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) body: String,
}

impl Answer {
    /// 200 with a JSON text.
    pub(super) fn json(body: String) -> Answer {
        Answer { status: 200, content_type: Some("application/json"), headers: Vec::new(), body }
    }

    /// 204: done, and nothing to show.
    pub(super) fn done() -> Answer {
        Answer { status: 204, content_type: None, headers: Vec::new(), body: String::new() }
    }

    /// What a proxy on the way might say instead of the server.
    pub(super) fn html_page() -> Answer {
        let body = "<!doctype html>\n<html><head><title>One moment</title></head>\n\
                    <body><h1>Checking your browser</h1></body></html>\n";
        Answer { content_type: Some("text/html; charset=utf-8"), ..Answer::json(body.to_owned()) }
    }

    /// The HTTP response, with its request id and the world's time in headers: records carry times of that clock.
    pub(super) fn into_response(self, request_id: &str, time: SystemTime) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(content_type) = self.content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        let request_id = (HeaderName::from_static("x-request-id"), request_id.to_owned());
        let date = (DATE, httpdate::fmt_http_date(time));
        for (name, value) in self.headers.into_iter().chain([request_id, date]) {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.append(name, value);
            }
        }
        response
    }
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

    /// 429.
    pub(super) fn too_many(wait: Option<Wait>) -> Refusal {
        Refusal::new(429, "too_many_requests", "too many requests; slow down").waiting(wait)
    }

    /// An error of the server or of a gateway before it.
    pub(super) fn server_error(status: u16, wait: Option<Wait>) -> Refusal {
        let (code, message) = match status {
            502 => ("bad_gateway", "the gateway got no valid answer"),
            503 => ("service_unavailable", "the service is not available at the moment"),
            504 => ("gateway_timeout", "the gateway got no answer in time"),
            _ => ("internal_server_error", "something went wrong on our side"),
        };
        Refusal::new(status, code, message).waiting(wait)
    }

    fn waiting(self, wait: Option<Wait>) -> Refusal {
        let value = wait.map(|wait| match wait {
            Wait::Seconds(seconds) => seconds.to_string(),
            Wait::UntilNow => httpdate::fmt_http_date(SystemTime::now()),
        });
        Refusal { header: value.map(|value| (RETRY_AFTER, value)), ..self }
    }

    /// The documented error object.
    pub(super) fn into_answer(self, request_id: &str) -> Answer {
        let mut body = String::from("{\"code\":");
        push_string(&mut body, self.code);
        body.push_str(",\"message\":");
        push_string(&mut body, &self.message);
        body.push_str(",\"request_id\":");
        push_string(&mut body, request_id);
        body.push_str(",\"status\":");
        push_number(&mut body, i64::from(self.status));
        body.push('}');
        Answer { status: self.status, headers: self.header.into_iter().collect(), ..Answer::json(body) }
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
        let answer = Refusal::new(400, "invalid_cursor", "no \"token\"").into_answer("req_1");
        assert_eq!(answer.status, 400);
        let expected =
            r#"{"code":"invalid_cursor","message":"no \"token\"","request_id":"req_1","status":400}"#;
        assert_eq!(answer.body, expected);
    }

    #[test]
    fn waits_have_two_forms() {
        let header = |wait| Refusal::too_many(wait).into_answer("r").headers;
        assert_eq!(header(None), []);
        assert_eq!(header(Some(Wait::Seconds(1))), [(RETRY_AFTER, "1".to_owned())]);
        assert!(httpdate::parse_http_date(&header(Some(Wait::UntilNow))[0].1).is_ok());
    }

    #[test]
    fn every_response_has_its_request_id() {
        let id = request_id(1, 2);
        assert_ne!(id, request_id(1, 3));
        let response = Answer::done().into_response(&id, SystemTime::UNIX_EPOCH);
        assert_eq!(response.headers()["x-request-id"], id.as_str());
        assert_eq!(response.headers()["date"], "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
