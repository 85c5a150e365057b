//! What an answer says of how its list goes on: where the next page is named, that there is more, and that there is no
//! more (api-contract points 1 and 3).

use crate::support::{Account, Asked, Place, Reply, Server, World, assert_everything_equals};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const CUSTOMERS: usize = 7;
const PAGE_SIZE: usize = 2;

/// A page of these records, before the one with that token; `None` on the last page.
type Form = fn(&str, Option<&str>) -> Reply;

fn enveloped(records: &str, members: &str) -> Reply {
    Reply::json(200, &format!(r#"{{"data":{records}{members}}}"#))
}

/// The account's customer list in pages of that form, by opaque tokens under `next`.
fn page(account: &Account, form: Form, token: impl Fn(usize) -> String, asked: &Asked) -> Reply {
    let from = match (asked.parameter("next"), asked.parameter("prev")) {
        (None, None) => Some(0),
        (Some(given), None) => (1..CUSTOMERS).find(|at| token(*at) == given),
        _ => None,
    };
    let Some(from) = from else { return Reply::error(400, "invalid_cursor", "there is no such cursor") };
    let to = (from + PAGE_SIZE).min(CUSTOMERS);
    let records: Vec<&str> = account.customers[from..to].iter().map(|(_, record)| record.as_str()).collect();
    let next = (to < CUSTOMERS).then(|| token(to));
    form(&format!("[{}]", records.join(",")), next.as_deref())
}

/// A full sync of the list in that form, which must bring everything.
async fn brings_everything(name: &str, form: Form, token: impl Fn(usize) -> String + Send + Sync + 'static) {
    let account = Account::of(CUSTOMERS, 1, 9);
    let world = World::but(account.clone(), move |asked| {
        asked.is_customer_list().then(|| page(&account, form, &token, asked))
    })
    .await;
    let ran = world.program.run(&["sync", "--full"]).await;
    assert_eq!(ran.code(), Some(0), "{name}: {}", ran.stderr);
    assert_everything_equals(&world.account.state(), &world.place);
}

fn token(at: usize) -> String {
    format!("t{at}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_page_is_found_wherever_it_is_named() {
    let forms: [(&str, Form); 12] = [
        ("NextPageToken", |records, next| with_header(Reply::json(200, records), "NextPageToken", next)),
        ("X-Continuation-Token", |records, next| {
            with_header(Reply::json(200, records), "X-Continuation-Token", next)
        }),
        ("X-Next-Page", |records, next| {
            Reply::json(200, records).with_header("X-Next-Page", next.unwrap_or_default())
        }),
        ("X-Cursor", |records, next| with_header(Reply::json(200, records), "X-Cursor", next)),
        ("Link without brackets", |records, next| {
            let link = next.map(|next| format!("/customers?next={next}; rel=next"));
            with_header(Reply::json(200, records), "Link", link.as_deref())
        }),
        ("Link with single quotes", |records, next| {
            let link = next.map(|next| format!("</customers?next={next}>; rel='next'"));
            with_header(Reply::json(200, records), "Link", link.as_deref())
        }),
        ("links with relations", |records, next| {
            let link = |next| format!(r#"{{"rel":"next","href":"/customers?next={next}"}}"#);
            enveloped(records, &format!(r#","links":[{}]"#, next.map(link).unwrap_or_default()))
        }),
        ("next_marker", |records, next| enveloped(records, &member("next_marker", next))),
        ("continuationToken", |records, next| enveloped(records, &member("continuationToken", next))),
        ("a cursor beside the page before", |records, next| {
            enveloped(records, &(member("cursor", next) + r#","previous_cursor":"p""#))
        }),
        ("end_cursor", |records, next| {
            let info = member("end_cursor", next.or(Some("t1"))).replacen(',', "", 1);
            enveloped(records, &format!(r#","page_info":{{"has_next_page":{},{info}}}"#, next.is_some()))
        }),
        ("an object", |records, next| {
            let next = next.map_or("null".to_owned(), |next| format!(r#"{{"after":"{next}"}}"#));
            enveloped(records, &format!(r#","paging":{{"next":{next}}}"#))
        }),
    ];
    for (name, form) in forms {
        brings_everything(name, form, token).await;
    }
}

fn with_header(reply: Reply, name: &str, value: Option<&str>) -> Reply {
    value.into_iter().fold(reply, |reply, value| reply.with_header(name, value))
}

/// `,"name":"value"`
fn member(name: &str, value: Option<&str>) -> String {
    format!(",\"{name}\":{}", serde_json::to_string(&value).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_go_back_byte_for_byte() {
    let tokens: [fn(usize) -> String; 8] = [
        |at| format!("gid://shop/Customer/{at}"),
        |at| format!("q?k={at}"),
        |at| format!("/customers{at}"),
        |at| format!(" {at} "),
        |at| format!("urn:customer:{at}"),
        |at| format!("a=b&c={at}"),
        |at| format!("//{at}//+%2F"),
        |at| format!("#{at}é"),
    ];
    for token in tokens {
        brings_everything(&token(2), |records, next| enveloped(records, &member("next", next)), token).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_there_is_no_more_ends_the_list() {
    let forms: [(&str, Form); 5] = [
        ("has_more beside a token", |records, next| {
            let more = format!(r#","has_more":{}"#, next.is_some());
            enveloped(records, &(member("next", next.or(Some("t2"))) + &more))
        }),
        ("zero", |records, next| {
            let next = next.map_or(r#","next":0"#.to_owned(), |next| member("next", Some(next)));
            enveloped(records, &next)
        }),
        ("less than zero", |records, next| {
            let next = next.map_or(r#","next":-1"#.to_owned(), |next| member("next", Some(next)));
            enveloped(records, &next)
        }),
        ("a total", |records, next| {
            enveloped(records, &format!(r#"{},"total":{CUSTOMERS}"#, member("next", next)))
        }),
        ("is_last", |records, next| {
            let last = format!(r#","meta":{{"is_last_page":{}}}"#, next.is_none());
            enveloped(records, &(member("next", next.or(Some("t9"))) + &last))
        }),
    ];
    for (name, form) in forms {
        brings_everything(name, form, token).await;
    }
}

/// The page that the last token names holds `null`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn null_is_an_empty_last_page() {
    let account = Account::of(CUSTOMERS, 1, 9);
    let world = World::but(account.clone(), move |asked| {
        let past_end = asked.parameter("next") == Some("end");
        let form: Form = |records, next| enveloped(records, &member("next", next.or(Some("end"))));
        asked.is_customer_list().then(|| match past_end {
            true => Reply::json(200, r#"{"data": null}"#),
            false => page(&account, form, token, asked),
        })
    })
    .await;
    world.program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&world.account.state(), &world.place);
}

/// The ways in which page 1 says that there is more without a way on that is understood, with what the run tells.
fn cut_short() -> Vec<(Reply, &'static str)> {
    let records = |records: &str| enveloped("RECORDS", records);
    let header = |name, value| Reply::json(200, "RECORDS").with_header(name, value);
    vec![
        (records(r#","has_more":true,"next":null"#), "says that there are further ones"),
        (records(r#","has_more":true"#), "says that there are further ones"),
        (records(r#","meta":{"pagination":{"more":true}}"#), "says that there are further ones"),
        (records(r#","pageInfo":{"hasNextPage":true,"endCursor":null}"#), "says that there are further ones"),
        (records(r#","page":1,"total_pages":4"#), "says that there are further ones"),
        (records(r#","last":false"#), "says that there are further ones"),
        (records(r#","total_count":7"#), "2 records came, but the answers tell of 7"),
        (records(r#","count":7,"next":null"#), "2 records came, but the answers tell of 7"),
        (records(r#","has_more":false,"total":7"#), "2 records came, but the answers tell of 7"),
        (records(r#","next":null,"meta":{"totalItems":"7"}"#), "2 records came, but the answers tell of 7"),
        (header("X-Total-Count", "7"), "2 records came, but the answers tell of 7"),
        (header("X-Has-More", "true"), "says that there are further ones"),
        (header("X-Next-Thing", "t2"), "the header x-next-thing"),
        (header("Link", "<?next=t2; rel=next"), "a Link header with the relation next"),
        (records(r#","next_thing":"t2""#), "the member next_thing"),
        (records(r#","next":{"somewhere":"t2"}"#), "the member next"),
        (records(r#","cursor":"own""#), "a cursor"),
    ]
}

fn filled(reply: &Reply, records: &[&str]) -> Reply {
    let Reply::Answer { status, headers, body } = reply.clone() else { panic!() };
    let text = String::from_utf8(body).unwrap().replace("RECORDS", &format!("[{}]", records.join(",")));
    Reply::Answer { status, headers, body: text.into() }
}

/// Refuses tokens, like a server that has its own ones.
async fn serving_first_page(account: &Account, is_list: fn(&Asked) -> bool, first: Reply) -> Server {
    let shared = account.clone().shared();
    shared
        .serve_but(move |asked| {
            is_list(asked).then(|| match asked.query.is_empty() {
                true => first.clone(),
                false => Reply::error(400, "invalid_cursor", "there is no such cursor"),
            })
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_says_more_is_not_taken_for_whole() {
    let account = Account::of(CUSTOMERS, 1, 9);
    let honest = account.clone().shared().serve_but(|_| None).await;
    let first: Vec<&str> = account.customers[..PAGE_SIZE].iter().map(|(_, record)| record.as_str()).collect();
    for (reply, reason) in cut_short() {
        let server = serving_first_page(&account, Asked::is_customer_list, filled(&reply, &first)).await;
        // A new mirror, and one that knows more already.
        let (new, old) = (Place::new(), Place::new());
        old.program(&honest.base_url()).ends(0, &["sync", "--full"]).await;
        for (place, rows) in [(&new, PAGE_SIZE), (&old, CUSTOMERS)] {
            for arguments in [&["sync"][..], &["sync", "--full"]] {
                let ran = place.program(&server.base_url()).ends(5, arguments).await;
                ran.tells(&[reason, "api.paging.customers.token_style", "Nothing was deleted"]);
                assert_eq!(place.number("SELECT count(*) FROM customers"), rows as i64, "{reason}");
            }
        }
        assert_everything_equals(&account.state(), &old);
        new.program(&server.base_url()).ends(5, &["customers", "list"]).await.tells(&[reason]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_is_a_customers_list_of_events() {
    let account = Account::of(3, 5, 9);
    let honest = account.clone().shared().serve_but(|_| None).await;
    let events: Vec<&str> = account.events["c-02"][..2].iter().map(String::as_str).collect();
    for (reply, reason) in cut_short() {
        let reason = reason.replace('7', "5");
        let body = filled(&reply, &events);
        let Reply::Answer { status, headers, body } = body else { panic!() };
        let told = String::from_utf8(body).unwrap().replace(":7", ":5").replace("\"7\"", "\"5\"");
        let headers = headers.into_iter().map(|(name, value)| (name, value.replace('7', "5"))).collect();
        let first = Reply::Answer { status, headers, body: told.into() };
        let server =
            serving_first_page(&account, |asked| asked.path == "/customers/c-02/events", first).await;
        let place = Place::new();
        place.program(&honest.base_url()).ends(0, &["sync", "--full"]).await;
        let ran = place.program(&server.base_url()).ends(5, &["sync", "--full"]).await;
        ran.tells(&[&reason, "api.paging.events.token_style"]);
        assert_everything_equals(&account.state(), &place);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ordinary_answers_stay_proven() {
    let account = Account::of(2, 1, 9);
    let records: Vec<&str> = account.customers.iter().map(|(_, record)| record.as_str()).collect();
    let ordinary = Reply::json(200, "RECORDS")
        .with_header("ETag", "W/\"next\"")
        .with_header("X-Request-Id", "next-cursor")
        .with_header("Set-Cookie", "cursor=next; Path=/")
        .with_header("X-RateLimit-Remaining", "29")
        .with_header("Link", "</customers?prev=a>; rel=\"prev\"");
    let enveloped = |members| enveloped("RECORDS", members);
    for reply in [
        ordinary,
        enveloped(r#","page":1,"per_page":50,"count":2,"limit":50,"offset":0,"prev":"p""#),
        enveloped(
            r#","total":2,"total_pages":1,"links":{"self":"/customers","first":"/customers","prev":null}"#,
        ),
    ] {
        let server = serving_first_page(&account, Asked::is_customer_list, filled(&reply, &records)).await;
        let place = Place::new();
        place.program(&server.base_url()).ends(0, &["sync", "--full"]).await;
        assert_everything_equals(&account.state(), &place);
    }
}

/// Whoever doesn't pay, or asks too much, hears of it: the cursor isn't to blame, and the list has not ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_of_a_cursor_is_400_404_or_410() {
    for (status, beginnings) in [(400, 3), (404, 3), (410, 3), (402, 1), (409, 1), (422, 1), (451, 1)] {
        let world = World::but(Account::of(9, 1, 2), move |asked| {
            let refused = asked.is_customer_list() && asked.parameter("next") == Some("at-4");
            refused.then(|| Reply::error(status, "refused", "not so"))
        })
        .await;
        let ran = world.program.ends(1, &["sync"]).await;
        ran.tells(&[if beginnings == 1 { "not so" } else { "refused its own page tokens" }]);
        let begun = world.server.count(|asked| asked.is_customer_list() && asked.query.is_empty());
        assert_eq!(begun, beginnings, "{status}");
        assert_eq!(world.place.number("SELECT count(*) FROM customers"), 4, "{status}");
    }
}

/// Also where nothing but an attempt with a record's id was made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_refusals_of_a_trial_are_no_end() {
    let world = World::but(Account::of(3, 0, 9), |asked| {
        let tried = asked.is_customer_list() && !asked.query.is_empty();
        tried.then(|| Reply::error(402, "payment_required", "the plan has ended"))
    })
    .await;
    world.program.ends(1, &["sync"]).await.tells(&["the plan has ended"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_begins_with_two_slashes_is_followed_as_it_stands() {
    let account = Account::of(CUSTOMERS, 1, 9);
    let (state, shared) = (account.state(), account.clone().shared());
    let port = Arc::new(AtomicUsize::new(0));
    let own = port.clone();
    let server = shared
        .serve_but(move |asked| {
            if asked.method != "GET" || !matches!(asked.path.as_str(), "/customers" | "//customers") {
                return None;
            }
            let reply = page(
                &account,
                |records, next| with_header(Reply::json(200, records), "X-To", next),
                token,
                asked,
            );
            let Reply::Answer { status, mut headers, body } = reply else { panic!() };
            if let Some((name, value)) = headers.iter_mut().find(|(name, _)| name == "X-To") {
                "Link".clone_into(name);
                let port = own.load(Ordering::SeqCst);
                *value = format!("<http://127.0.0.1:{port}//customers?next={value}>; rel=\"next\"");
            }
            Some(Reply::Answer { status, headers, body })
        })
        .await;
    let base_url = server.base_url();
    port.store(base_url.rsplit(':').next().unwrap().parse().unwrap(), Ordering::SeqCst);
    let place = Place::new();
    place.program(&base_url).ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&state, &place);
    assert_eq!(server.count(|asked| asked.path == "//customers"), 3);
}
