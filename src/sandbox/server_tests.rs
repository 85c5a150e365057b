//! The server over a real socket.

use super::*;
use crate::sandbox::{Order, TokenStyle};
use reqwest::{Client, Method, Url};

async fn sandbox(settings: Settings) -> Sandbox {
    start("127.0.0.1:0".parse().unwrap(), settings).await.unwrap()
}

fn request(sandbox: &Sandbox, method: Method, path: &str) -> reqwest::RequestBuilder {
    Client::new()
        .request(method, format!("{}{path}", sandbox.base_url()))
        .header("authorization", "Bearer sk_test")
        .header("accept", "application/vnd.malomo+json; version=2")
}

async fn get(sandbox: &Sandbox, path: &str) -> (u16, String) {
    let response = request(sandbox, Method::GET, path).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn write(sandbox: &Sandbox, method: Method, path: &str, body: &'static str) -> (u16, String) {
    let call = request(sandbox, method, path).header("content-type", "application/json").body(body);
    let response = call.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn all_six_calls() {
    let sandbox = sandbox(Settings { customers: 3, ..Settings::default() }).await;
    let world = sandbox.world();
    let (status, made) =
        write(&sandbox, Method::POST, "/customers", r#"{"email":"a@example.com","first_name":"A\""}"#).await;
    assert_eq!(status, 200);
    let id = crate::record::peek_id(&made).unwrap();
    assert_eq!(world.customer_json(&id), Some(made.clone()));
    let path = format!("/customers/{id}");
    assert_eq!(get(&sandbox, &path).await, (200, made));
    let (status, changed) = write(&sandbox, Method::PUT, &path, r#"{"last_name":"B"}"#).await;
    assert_eq!(status, 200);
    assert!(changed.contains(r#""first_name":"A\"","last_name":"B""#), "{changed}");
    world.set_event_count(&id, 2);
    let events = format!("[{}]", world.events_json(&id).join(","));
    assert_eq!(get(&sandbox, &format!("{path}/events")).await, (200, events));
    assert_eq!(write(&sandbox, Method::PUT, &path, r#"{"email":1}"#).await.0, 400);
    assert_eq!(write(&sandbox, Method::DELETE, &path, "").await, (204, String::new()));
    assert_eq!(get(&sandbox, &path).await.0, 404);
    assert_eq!(get(&sandbox, &format!("{path}/events")).await.0, 404);
    assert_eq!(write(&sandbox, Method::PUT, &path, "{}").await.0, 404);
    assert_eq!(write(&sandbox, Method::DELETE, &path, "").await.0, 404);
    let counts = sandbox.requests();
    assert_eq!((counts.writes, counts.retrieves, counts.event_pages), (6, 2, 2));
    sandbox.stop().await;
}

#[tokio::test]
async fn the_account_has_a_name_unless_it_is_not_told() {
    async fn account(settings: Settings) -> (u16, serde_json::Value) {
        let sandbox = sandbox(Settings { customers: 1, ..settings }).await;
        let (status, text) = get(&sandbox, "/accounts/self").await;
        assert_eq!(sandbox.requests().accounts, 1);
        (status, serde_json::from_str(&text).unwrap())
    }
    let (status, one) = account(Settings::default()).await;
    assert_eq!((status, &one["name"]), (200, &"Sandbox shop 1".into()));
    assert!(uuid::Uuid::parse_str(one["id"].as_str().unwrap()).is_ok());
    assert_eq!(account(Settings { customers: 5, page_size: 3, ..Settings::default() }).await.1, one);
    let (_, two) = account(Settings { seed: 2, ..Settings::default() }).await;
    assert!(two["id"] != one["id"] && two["name"] != one["name"]);
    let (status, error) = account(Settings { account: false, ..Settings::default() }).await;
    assert_eq!((status, &error["code"]), (404, &"not_found".into()));
    let sandbox = sandbox(Settings::default()).await;
    let url = format!("{}/accounts/self", sandbox.base_url());
    assert_eq!(Client::new().get(url).bearer_auth("pk_1").send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_minute_is_a_day_where_the_clock_runs_that_fast() {
    async fn clock(sandbox: &Sandbox) -> std::time::SystemTime {
        let response = request(sandbox, Method::GET, "/customers").send().await.unwrap();
        httpdate::parse_http_date(response.headers()["date"].to_str().unwrap()).unwrap()
    }
    let sandbox = sandbox(Settings { time_factor: 1440.0, ..Settings::default() }).await;
    let world = sandbox.world();
    let before: Vec<_> = world.customer_ids().into_iter().map(|id| (world.event_ids(&id), id)).collect();
    let began = clock(&sandbox).await;
    world.live(Duration::from_secs(60));
    assert_eq!(clock(&sandbox).await.duration_since(began).unwrap(), Duration::from_secs(86_400));
    let (old, id) = before.into_iter().find(|(old, id)| *old != world.event_ids(id)).unwrap();
    let new = walk(&sandbox, &format!("/customers/{id}/events"), TokenStyle::Link, "next").await;
    assert!(new.starts_with(&old) && new.len() > old.len(), "what was under way went on");
}

#[tokio::test]
async fn awkward_ids_are_found() {
    let sandbox = sandbox(Settings { customers: 100, awkward: true, ..Settings::default() }).await;
    for id in sandbox.world().customer_ids().iter().filter(|id| id.len() != 36) {
        let found = get(&sandbox, &format!("/customers/{}", escaped(id))).await;
        assert_eq!(found, (200, sandbox.world().customer_json(id).unwrap()), "{id}");
        assert_eq!(get(&sandbox, &format!("/customers/{}/events", escaped(id))).await.0, 200, "{id}");
    }
}

#[tokio::test]
async fn what_is_refused() {
    let sandbox = sandbox(Settings { customers: 3, ..Settings::default() }).await;
    let url = format!("{}/customers", sandbox.base_url());
    assert_eq!(Client::new().get(&url).send().await.unwrap().status(), 401);
    assert_eq!(Client::new().get(&url).bearer_auth("sk_1").send().await.unwrap().status(), 400);
    for (path, status) in [
        ("/orders", 404),
        ("/customers?next=a&prev=b", 400),
        ("/customers?next=a", 400),
        ("/customers?prev=", 400),
    ] {
        let response = request(&sandbox, Method::GET, path).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path}");
        let request_id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let error: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!((&error["request_id"], &error["status"]), (&request_id.into(), &status.into()));
        assert!(error["code"].is_string() && error["message"].is_string());
    }
    assert_eq!(sandbox.requests().rejected, 3);
}

/// Records stay raw: not every number in them fits a float.
#[derive(serde::Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Vec<&'a serde_json::value::RawValue>,
    next: Option<String>,
}

/// A page's ids and how the list goes on: a URL, or a token for a parameter.
async fn page(sandbox: &Sandbox, url: &str, style: TokenStyle) -> (Vec<String>, Option<String>) {
    let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let response = request(sandbox, Method::GET, url).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path} {query:?}");
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (link, cursor) = (header("link"), header("x-next-cursor"));
    let text = response.text().await.unwrap();
    let page = match style {
        TokenStyle::Envelope => serde_json::from_str(&text).unwrap(),
        _ => Envelope { data: serde_json::from_str(&text).unwrap(), next: None },
    };
    let ids: Vec<String> =
        page.data.iter().map(|record| crate::record::peek_id(record.get()).unwrap()).collect();
    let next = match style {
        TokenStyle::Link => link.as_deref().and_then(|link| {
            let next = link.split(", ").find(|link| link.contains("rel=\"next\""))?;
            let target = next.trim_start_matches('<').split('>').next()?;
            let target = Url::parse(&sandbox.base_url()).unwrap().join(target).unwrap();
            Some(format!("{}?{}", target.path(), target.query().unwrap()))
        }),
        TokenStyle::Envelope => page.next,
        TokenStyle::Header => cursor,
        TokenStyle::LastId => ids.last().cloned(),
    };
    (ids, next)
}

async fn walk(sandbox: &Sandbox, path: &str, style: TokenStyle, forward: &str) -> Vec<String> {
    let (mut found, mut next) = page(sandbox, path, style).await;
    while let Some(token) = next {
        assert!(found.len() < 1000, "the walk ends");
        let url = match style {
            TokenStyle::Link => token,
            _ => format!("{path}?{forward}={}", escaped(&token)),
        };
        let (ids, following) = page(sandbox, &url, style).await;
        found.extend(ids);
        next = following;
    }
    found
}

#[tokio::test]
async fn every_style_brings_each_record_once() {
    const ORDERS: [Order; 4] = [Order::CreatedAsc, Order::CreatedDesc, Order::UpdatedDesc, Order::Id];
    for token_style in [TokenStyle::Link, TokenStyle::Envelope, TokenStyle::Header, TokenStyle::LastId] {
        for (swap_direction, forward, backward) in [(false, "next", "prev"), (true, "prev", "next")] {
            for (order, page_size) in
                ORDERS.into_iter().flat_map(|order| [1, 2, 50].map(|size| (order, size)))
            {
                let base = Settings { customers: 12, awkward: true, ..Settings::default() };
                let settings = Settings { token_style, swap_direction, order, page_size, ..base };
                let sandbox = sandbox(settings.clone()).await;
                let world = sandbox.world();
                let ids = world.customer_ids();
                assert_eq!(walk(&sandbox, "/customers", token_style, forward).await, ids, "{settings:?}");
                world.set_event_count(&ids[0], 4);
                let path = format!("/customers/{}/events", escaped(&ids[0]));
                let events = walk(&sandbox, &path, token_style, forward).await;
                assert_eq!(events, world.event_ids(&ids[0]), "{settings:?}");
                let end = position(&world, token_style, &ids[11]);
                let back = backwards(&sandbox, token_style, backward, &end).await;
                assert_eq!(back, ids[..11], "{settings:?}");
            }
        }
    }
}

/// What a client would send to stand at the customer of that id.
fn position(world: &World, style: TokenStyle, id: &str) -> String {
    if style == TokenStyle::LastId {
        return id.to_owned();
    }
    let settings = &world.settings;
    let place = world.read().position(id, settings.order).unwrap();
    super::super::paging::Tokens::new(settings.seed, settings.order, 0).write(&place)
}

async fn backwards(sandbox: &Sandbox, style: TokenStyle, parameter: &str, end: &str) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), end.to_owned());
    loop {
        let (ids, _) = page(sandbox, &format!("/customers?{parameter}={}", escaped(&cursor)), style).await;
        let Some(first) = ids.first() else { return found };
        cursor = position(&sandbox.world(), style, first);
        found = [ids, found].concat();
        assert!(found.len() < 1000, "the walk ends");
    }
}

#[tokio::test]
async fn links_lead_back_too() {
    let sandbox = sandbox(Settings { customers: 6, page_size: 2, ..Settings::default() }).await;
    let ids = sandbox.world().customer_ids();
    let (_, second) = page(&sandbox, "/customers", TokenStyle::Link).await;
    let response = request(&sandbox, Method::GET, &second.unwrap()).send().await.unwrap();
    let link = response.headers()["link"].to_str().unwrap().to_owned();
    let target = link.split(", ").find(|link| link.contains("rel=\"prev\"")).unwrap();
    let query = target.split(['?', '>']).nth(1).unwrap();
    let (first, _) = page(&sandbox, &format!("/customers?{query}"), TokenStyle::Link).await;
    assert_eq!(first, ids[..2]);
}

#[tokio::test]
async fn faults_reach_the_client_and_are_the_same_each_time() {
    async fn outcomes() -> (Vec<String>, RequestCounts) {
        let settings = Settings { customers: 60, fault_rate: 1.0, ..Settings::default() };
        let sandbox = sandbox(settings).await;
        let mut outcomes = Vec::new();
        for _ in 0..80 {
            outcomes.push(match request(&sandbox, Method::GET, "/customers").send().await {
                Err(_) => "no answer".to_owned(),
                Ok(response) => {
                    let status = response.status().as_u16();
                    let wait = response.headers().contains_key("retry-after");
                    match response.text().await {
                        Err(_) => "half an answer".to_owned(),
                        Ok(text) => format!("{status} {wait} {}", text.starts_with('<')),
                    }
                }
            });
        }
        (outcomes, sandbox.requests())
    }
    let (first, counts) = outcomes().await;
    assert_eq!(first, outcomes().await.0);
    assert_eq!((counts.faults, counts.customer_pages), (80, 80));
    for kind in [
        "no answer",
        "half an answer",
        "200 false true",
        "429 false false",
        "429 true false",
        "504 false false",
    ] {
        assert!(first.iter().any(|outcome| outcome == kind), "{kind}: {first:?}");
    }
    assert!(!first.iter().any(|outcome| outcome == "200 false false"), "{first:?}");
}

#[tokio::test]
async fn a_write_takes_effect_only_where_its_answer_is_lost_or_good() {
    let sandbox = sandbox(Settings { customers: 0, fault_rate: 0.7, ..Settings::default() }).await;
    let mut possible = 0;
    for _ in 0..80 {
        let call = request(&sandbox, Method::POST, "/customers").header("content-type", "application/json");
        let done = match call.body("{}").send().await {
            Err(_) => true,
            Ok(response) => {
                let good = response.status() == 200;
                response.text().await.map_or(true, |text| good && text.starts_with('{'))
            }
        };
        possible += usize::from(done);
    }
    assert_eq!(sandbox.world().customer_count(), possible);
}

#[tokio::test]
async fn limits_answer_429() {
    let slow = sandbox(Settings { rate_limit: Some(0.001), ..Settings::default() }).await;
    assert_eq!(get(&slow, "/customers").await.0, 200);
    let refused = request(&slow, Method::GET, "/customers").send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    assert_eq!((slow.requests().refused, slow.requests().customer_pages), (1, 1));

    let latency = Duration::from_millis(200);
    let narrow = sandbox(Settings { concurrency_limit: Some(1), latency, ..Settings::default() }).await;
    let both = tokio::join!(
        request(&narrow, Method::GET, "/customers").send(),
        request(&narrow, Method::GET, "/customers").send()
    );
    let (one, two) = (both.0.unwrap(), both.1.unwrap());
    let refused = if one.status() == 429 { one } else { two };
    assert_eq!((refused.status().as_u16(), refused.headers().get("retry-after")), (429, None));
}

#[tokio::test]
async fn it_stops_when_told_or_dropped() {
    let stopped = sandbox(Settings::default()).await;
    let url = format!("{}/customers", stopped.base_url());
    let kept = Client::new();
    assert_eq!(kept.get(&url).send().await.unwrap().status(), 401);
    stopped.stop().await;
    assert!(kept.get(&url).send().await.is_err());
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let taken = sandbox(Settings::default()).await;
    let error = start(taken.address, Settings::default()).await.unwrap_err();
    assert!(error.to_string().contains("port 0") && std::error::Error::source(&error).is_some());
    let settings = Settings { page_size: 0, ..Settings::default() };
    let error = start("127.0.0.1:0".parse().unwrap(), settings).await.unwrap_err();
    assert!(error.to_string().contains("page_size"));
}
