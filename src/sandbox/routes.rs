//! The API's calls and what each of them answers.

use super::answer::{Refusal, json_text};
use super::fields::CustomerFields;
use super::lists::Page;
use super::paging::Side;
use super::settings::TokenStyle;
use super::world::World;
use axum::extract::Query;
use axum::http::header::{CONTENT_TYPE, HOST, LINK};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use axum::response::{AppendHeaders, IntoResponse, Response};

/// A call of the API; ids are decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    ListCustomers,
    CreateCustomer,
    RetrieveCustomer(String),
    UpdateCustomer(String),
    DeleteCustomer(String),
    ListEvents(String),
    RetrieveAccount,
    ListWebhooks,
    CreateWebhook,
    RetrieveWebhook(String),
    UpdateWebhook(String),
    DeleteWebhook(String),
}

impl Route {
    /// The call that a method and a path (still percent-encoded) mean.
    pub(super) fn of(method: &Method, path: &str) -> Result<Route, Refusal> {
        let unknown = || Refusal::new(404, "not_found", "there is no such path");
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let id = |text: &str| percent_decoded(text).filter(|id| !id.is_empty()).ok_or_else(unknown);
        match (method.as_str(), &segments[..]) {
            ("GET", ["customers"]) => Ok(Route::ListCustomers),
            ("POST", ["customers"]) => Ok(Route::CreateCustomer),
            ("GET", ["customers", customer]) => Ok(Route::RetrieveCustomer(id(customer)?)),
            ("PUT", ["customers", customer]) => Ok(Route::UpdateCustomer(id(customer)?)),
            ("DELETE", ["customers", customer]) => Ok(Route::DeleteCustomer(id(customer)?)),
            ("GET", ["customers", customer, "events"]) => Ok(Route::ListEvents(id(customer)?)),
            ("GET", ["accounts", "self"]) => Ok(Route::RetrieveAccount),
            ("GET", ["webhooks"]) => Ok(Route::ListWebhooks),
            ("POST", ["webhooks"]) => Ok(Route::CreateWebhook),
            ("GET", ["webhooks", webhook]) => Ok(Route::RetrieveWebhook(id(webhook)?)),
            ("PUT", ["webhooks", webhook]) => Ok(Route::UpdateWebhook(id(webhook)?)),
            ("DELETE", ["webhooks", webhook]) => Ok(Route::DeleteWebhook(id(webhook)?)),
            (_, ["customers" | "webhooks"]) => Err(Refusal::method("GET, POST")),
            (_, ["customers" | "webhooks", _]) => Err(Refusal::method("GET, PUT, DELETE")),
            (_, ["customers", _, "events"] | ["accounts", "self"]) => Err(Refusal::method("GET")),
            _ => Err(unknown()),
        }
    }

    /// Whether the call has a body.
    pub(super) fn takes_body(&self) -> bool {
        matches!(
            self,
            Route::CreateCustomer | Route::UpdateCustomer(_) | Route::CreateWebhook | Route::UpdateWebhook(_)
        )
    }
}

/// A request whose route is known.
pub(super) struct Call<'a> {
    pub(super) route: &'a Route,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    /// Counted from 0; links are absolute and relative by turns.
    pub(super) number: u64,
}

impl Call<'_> {
    /// Does what is asked for.
    pub(super) fn answer(&self, world: &World) -> Result<Response, Refusal> {
        match self.route {
            Route::ListCustomers => self.list(world, |cursor| world.customer_page(cursor)),
            Route::ListEvents(id) => self.list(world, |cursor| world.event_page(id, cursor)),
            Route::RetrieveCustomer(id) => customer(world, id),
            Route::CreateCustomer => {
                let id = world.create_customer(self.fields()?);
                customer(world, &id)
            }
            Route::UpdateCustomer(id) => {
                world.update_customer(id, self.fields()?);
                customer(world, id)
            }
            Route::DeleteCustomer(id) if world.delete_customer(id) => {
                Ok(StatusCode::NO_CONTENT.into_response())
            }
            Route::DeleteCustomer(_) => Err(Refusal::not_found("customer")),
            Route::RetrieveAccount if world.settings.account => Ok(json_text(world.account_json())),
            Route::RetrieveAccount => Err(Refusal::not_found("path")),
            Route::ListWebhooks => self.list(world, |cursor| world.webhook_page(cursor)),
            Route::RetrieveWebhook(id) => world.webhook(id).map(json_text),
            Route::CreateWebhook => world.create_webhook(self.json()?).map(json_text),
            Route::UpdateWebhook(id) => world.update_webhook(id, self.json()?).map(json_text),
            Route::DeleteWebhook(id) => {
                world.delete_webhook(id).map(|()| StatusCode::NO_CONTENT.into_response())
            }
        }
    }

    /// The body, which has to be said to be JSON.
    fn json(&self) -> Result<&[u8], Refusal> {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let message = "send the body with `Content-Type: application/json`";
            return Err(Refusal::new(400, "invalid_content_type", message));
        }
        Ok(self.body)
    }

    fn fields(&self) -> Result<CustomerFields, Refusal> {
        CustomerFields::from_body(self.json()?).map_err(|message| Refusal::new(400, "invalid_body", message))
    }

    fn list(
        &self,
        world: &World,
        page: impl FnOnce(Option<(Side, &str)>) -> Result<Page, Refusal>,
    ) -> Result<Response, Refusal> {
        let swapped = world.settings.swap_direction;
        let cursor = self.cursor(swapped)?;
        let page = page(cursor.as_ref().map(|(side, text)| (*side, text.as_str())))?;
        let header = match world.settings.token_style {
            TokenStyle::Link => self.links(&page, swapped),
            TokenStyle::Header => page.forward.map(|token| (HeaderName::from_static("x-next-cursor"), token)),
            TokenStyle::Envelope => {
                let next = serde_json::Value::from(page.forward);
                return Ok(json_text(format!(r#"{{"data":{},"next":{next}}}"#, page.json)));
            }
            TokenStyle::LastId => None,
        };
        Ok((AppendHeaders(header), json_text(page.json)).into_response())
    }

    /// The cursor in the query. Unswapped, `next` brings what follows it and `prev` what stands before it.
    fn cursor(&self, swapped: bool) -> Result<Option<(Side, String)>, Refusal> {
        let invalid = |message| Refusal::new(400, "invalid_cursor", message);
        let Query(parameters) = Query::<Vec<(String, String)>>::try_from_uri(self.uri)
            .map_err(|_| invalid("the query can't be read"))?;
        let mut found = None;
        for (name, text) in parameters {
            let side = match name.as_str() {
                "next" if !swapped => Side::After,
                "prev" if swapped => Side::After,
                "next" | "prev" => Side::Before,
                _ => continue,
            };
            if found.replace((side, text)).is_some() {
                return Err(invalid("send one cursor: either `next` or `prev`"));
            }
        }
        Ok(found)
    }

    /// A `Link` header (RFC 8288) for each end of the page where the list goes on.
    fn links(&self, page: &Page, swapped: bool) -> Option<(HeaderName, String)> {
        let (forward, backward) = if swapped { ("prev", "next") } else { ("next", "prev") };
        let host = self.headers.get(HOST).and_then(|host| host.to_str().ok());
        let origin = match host {
            Some(host) if self.number.is_multiple_of(2) => format!("http://{host}"),
            _ => String::new(),
        };
        let link = |token: &Option<String>, parameter: &str, relation: &str| {
            let token = encoded(token.as_deref()?);
            Some(format!("<{origin}{}?{parameter}={token}>; rel=\"{relation}\"", self.uri.path()))
        };
        let links = [link(&page.backward, backward, "prev"), link(&page.forward, forward, "next")];
        let links: Vec<String> = links.into_iter().flatten().collect();
        (!links.is_empty()).then(|| (LINK, links.join(", ")))
    }
}

fn customer(world: &World, id: &str) -> Result<Response, Refusal> {
    world.customer_json(id).map(json_text).ok_or_else(|| Refusal::not_found("customer"))
}

/// A token for a URL's query: of base64 only `+`, `/` and `=` mean something else there.
fn encoded(token: &str) -> String {
    token.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

/// A path segment without its percent-encoding (RFC 3986 section 2.1); `None` where that gives no text.
fn percent_decoded(segment: &str) -> Option<String> {
    let mut bytes = segment.bytes();
    let mut out = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        out.push((digit()? * 16 + digit()?) as u8);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_and_paths() {
        let route = |method: Method, path| Route::of(&method, path).map_err(|refusal| refusal.status);
        assert_eq!(route(Method::GET, "/customers"), Ok(Route::ListCustomers));
        assert_eq!(route(Method::POST, "/customers"), Ok(Route::CreateCustomer));
        assert_eq!(route(Method::GET, "/customers/a%2Fb%20%25"), Ok(Route::RetrieveCustomer("a/b %".into())));
        assert_eq!(route(Method::PUT, "/customers/x"), Ok(Route::UpdateCustomer("x".into())));
        assert_eq!(route(Method::DELETE, "/customers/x"), Ok(Route::DeleteCustomer("x".into())));
        assert_eq!(route(Method::GET, "/customers/x/events"), Ok(Route::ListEvents("x".into())));
        assert_eq!(route(Method::GET, "/accounts/self"), Ok(Route::RetrieveAccount));
        assert_eq!(route(Method::PUT, "/webhooks/x"), Ok(Route::UpdateWebhook("x".into())));
        assert_eq!(route(Method::PUT, "/webhooks"), Err(405));
        for path in [
            "/",
            "/accounts",
            "/accounts/other",
            "/customers/",
            "/customers//events",
            "/customers/x/events/y",
            "/orders",
            "/customers/%f",
        ] {
            assert_eq!(route(Method::GET, path), Err(404), "{path}");
        }
        assert_eq!(route(Method::DELETE, "/customers"), Err(405));
        assert_eq!(route(Method::POST, "/customers/x"), Err(405));
        assert_eq!(route(Method::PUT, "/customers/x/events"), Err(405));
        assert_eq!(route(Method::PUT, "/accounts/self"), Err(405));
    }
}
