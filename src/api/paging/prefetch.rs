//! Requests the next pages of a list while earlier ones are still being decoded. That is possible where a `Link` header names
//! the next page (`api-contract` point 1 a): the body need not be read first. Otherwise each page's decoding would delay the
//! next request.

use super::cursor::Cursor;
use super::headers::read_headers;
use super::list_hints::ListHints;
use super::next_page::{Next, Offer};
use super::token_style::TokenStyle;
use crate::api::calls::{Call, Client};
use crate::api::errors::ApiError;
use crate::api::transport::Answer;
use crate::record::Stream;
use reqwest::Url;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// How many pages are requested before the current one is decoded. With one alone, the request after it would have to wait
/// until that decoding is done.
const PAGES: usize = 2;

/// The result of a request made in advance. Nothing but the answer's status has been checked.
struct Prefetched {
    cursor: Cursor,
    result: Result<Answer, ApiError>,
}

/// The pages that follow one page of a list. Dropping it ends its request.
pub(super) struct Prefetch {
    pages: mpsc::Receiver<Prefetched>,
    _reading: AbortOnDropHandle<()>,
}

impl Prefetch {
    /// Follows the links from `url`, until a page has none, a request fails for good, or `until` is cancelled.
    pub(super) fn start(client: &Client, stream: Stream, url: Url, until: CancellationToken) -> Prefetch {
        let (sender, pages) = mpsc::channel(PAGES);
        let reading = tokio::spawn(read(client.clone(), stream, url, sender, until));
        Prefetch { pages, _reading: AbortOnDropHandle::new(reading) }
    }

    /// The answer to the request for `cursor`. `None` if another page was requested in its place: the prefetch is then
    /// useless.
    pub(super) async fn next(&mut self, cursor: &Cursor) -> Option<Result<Answer, ApiError>> {
        let prefetched = self.pages.recv().await?;
        (prefetched.cursor == *cursor).then_some(prefetched.result)
    }
}

async fn read(
    client: Client,
    stream: Stream,
    mut url: Url,
    pages: mpsc::Sender<Prefetched>,
    until: CancellationToken,
) {
    while let Ok(place) = pages.reserve().await
        && !until.is_cancelled()
    {
        let cursor = Cursor::of_url(&url);
        let result = client.fetch(Call::list(url, stream), Ok).await;
        let next = result.as_ref().ok().and_then(|answer| linked(&client, answer));
        place.send(Prefetched { cursor, result });
        match next {
            Some(next) => url = next,
            None => return,
        }
    }
}

/// The next page by the answer's `Link` header. None behind a page without records: there the walk decides.
fn linked(client: &Client, answer: &Answer) -> Option<Url> {
    let only = Some(TokenStyle::Link);
    match read_headers(&answer.headers, &answer.url).offer(None, ListHints::default(), only) {
        (Some(Offer { next: Next::Url(reference), .. }), _) if answer.body.trim_ascii() != b"[]" => {
            client.origin_resolve(&answer.url, &reference).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{Reply, Server};
    use crate::api::{KnownPaging, List, Pager, Turn};
    use crate::record::{Record, Stream};
    use std::collections::HashMap;
    use std::sync::Mutex;

    const END: usize = 6;

    fn page(number: usize) -> Reply {
        let link = format!("Link: </customers?next={}>; rel=\"next\"", number + 1);
        let headers: &[&str] = if number < END { &[&link] } else { &[] };
        Reply::with_headers(200, headers, format!(r#"[{{"id":"c{number}"}}]"#).as_bytes())
    }

    /// Pages 1 to [`END`], but for what `odd` answers to the n-th request for a page.
    async fn server(odd: fn(usize, usize) -> Option<Reply>) -> Server {
        let asked: Mutex<HashMap<usize, usize>> = Mutex::default();
        Server::answering(move |request| {
            let number = request.target().rsplit_once('=').map_or(1, |(_, number)| number.parse().unwrap());
            let mut asked = asked.lock().unwrap();
            let times = asked.entry(number).or_default();
            *times += 1;
            odd(number, *times).unwrap_or_else(|| page(number))
        })
        .await
    }

    fn pager(server: &Server, until: CancellationToken) -> Pager<Record> {
        let (known, decode) = (KnownPaging::default(), |list: &List, text: &str| {
            Record::decode(list.stream(), list.parent(), text)
        });
        Pager::new(server.client().0, known, List::of(Stream::Customers), Cursor::Start, decode)
            .prefetching(until)
    }

    /// The records, with `*` where the walk began again, and how it ended; and each request.
    async fn walk(server: &Server, until: CancellationToken) -> (String, Vec<String>) {
        let (mut pager, mut seen) = (pager(server, until), String::new());
        loop {
            match pager.next().await {
                Ok(Turn::Page(page)) => page.items.iter().for_each(|item| match item.record() {
                    Some(customer) => seen.push_str(&format!("{} ", customer.id())),
                    None => seen.push_str("? "),
                }),
                Ok(Turn::Restarted) => seen.push_str("* "),
                Ok(Turn::End(end)) => seen.push_str(if end.is_proven() { "end" } else { "end?" }),
                Err(error) => match error.api() {
                    Some(error) => seen.push_str(&format!("{:?}", error.kind())),
                    None => seen.push_str(&error.log_form()),
                },
            }
            if !seen.ends_with(' ') {
                let targets = server.requests().iter().map(|request| request.target().to_owned()).collect();
                return (seen, targets);
            }
        }
    }

    fn cancelled() -> CancellationToken {
        let token = CancellationToken::new();
        token.cancel();
        token
    }

    #[tokio::test]
    async fn a_list_is_the_same_and_asked_for_in_the_same_way() {
        let odd: [fn(usize, usize) -> Option<Reply>; 8] = [
            |_, _| None,
            // Faults that pass.
            |_, times| (times == 1).then(|| Reply::json(503, "{}")),
            |number, times| (number == 3 && times < 3).then(|| Reply::with_headers(200, &[], b"<html>")),
            |number, times| (number == 3 && times < 3).then(|| page(3).cut_by(4)),
            // A token that is refused once, and always.
            |number, times| (number == 4 && times == 1).then(|| Reply::json(400, "{}")),
            |number, _| (number == 4).then(|| Reply::json(400, "{}")),
            // An empty page that names a next one.
            |number, _| {
                let headers = ["Link: </customers?next=5>; rel=next"];
                (number == 4).then(|| Reply::with_headers(200, &headers, b"[]\n"))
            },
            // A next page elsewhere.
            |number, _| {
                let headers = ["Link: <http://127.0.0.2/customers?next=5>; rel=next"];
                (number == 4).then(|| Reply::with_headers(200, &headers, br#"[{"id":"c4"}]"#))
            },
        ];
        for (case, odd) in odd.into_iter().enumerate() {
            let plain = walk(&server(odd).await, cancelled()).await;
            let ahead = walk(&server(odd).await, CancellationToken::new()).await;
            assert!(plain.0.starts_with("c1 c2 "), "{case}: {plain:?}");
            assert_eq!(plain.0, ahead.0, "{case}");
            let sorted = |mut targets: Vec<String>| {
                targets.sort();
                targets
            };
            assert_eq!(sorted(plain.1), sorted(ahead.1), "{case}");
        }
    }

    #[tokio::test]
    async fn pages_come_before_they_are_wanted() {
        let server = server(|_, _| None).await;
        let until = CancellationToken::new();
        let mut pager = pager(&server, until.clone());
        let Ok(Turn::Page(_)) = pager.next().await else { panic!("no page") };
        // Nobody asks for these.
        while server.requests().len() < 1 + PAGES {
            tokio::task::yield_now().await;
        }
        until.cancel();
        while let Ok(Turn::Page(_)) = pager.next().await {}
        assert_eq!(server.requests().len(), END);
    }

    #[tokio::test]
    async fn what_is_not_wanted_is_let_go_of() {
        let server = Server::answering(|request| match request.target() {
            "/customers" => page(1),
            _ => Reply::Hang(Vec::new()),
        })
        .await;
        let (client, mut reports) = server.client();
        let decode = |list: &List, text: &str| Record::decode(list.stream(), list.parent(), text);
        let pager =
            Pager::new(client, KnownPaging::default(), List::of(Stream::Customers), Cursor::Start, decode);
        let mut pager = pager.prefetching(CancellationToken::new());
        let Ok(Turn::Page(_)) = pager.next().await else { panic!("no page") };
        while server.requests().len() < 2 {
            tokio::task::yield_now().await;
        }
        drop(pager);
        // All that held the client is gone: its reports end.
        while reports.next_report().await.is_some() {}
    }
}
