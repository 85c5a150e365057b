//! A list of the API, page by page, with its records decoded.

use super::cursor::Cursor;
use super::direction_probe::AnswerKind;
use super::headers::read_headers;
use super::known_paging::KnownPaging;
use super::list::List;
use super::next_page::{Next, Offer};
use super::page::{Item, Page, RepairedItem, Turn};
use super::page_body::read_page;
use super::page_outcome::{ListEnd, NextStep, PageOutcome};
use super::page_summary::{PageSummary, RecordKey};
use super::token_style::TokenStyle;
use super::walk::Walk;
use super::walk_error::WalkError;
use crate::api::calls::{Call, Client, NotDocumented};
use crate::api::errors::{ApiError, ErrorKind};
use crate::api::transport::Answer;
use crate::record::{Decoded, Keyed, Record, Rejection};
use reqwest::Url;

/// How often a walk is started, the first time included, if the server refuses its own tokens (`api-contract` point 6).
const MAX_STARTS: u32 = 3;

/// How often a probe is attempted before the server's failure counts as the answer to it (points 2 and 7).
const PROBE_ATTEMPTS: u32 = 5;

/// A list of the API, page by page. The future of [`Pager::next`] may be dropped; the page is then asked for again.
pub struct Pager<R> {
    client: Client,
    known: KnownPaging,
    list: List,
    decode: fn(&List, &str) -> Result<Decoded<R>, Rejection>,
    walk: Walk,
    cursor: Option<Cursor>,
    starts: u32,
    held_page: Option<Vec<Item<R>>>,
    failed_probe: Option<ApiError>,
    end: ListEnd,
    /// The walk began at a remembered token, and no page has arrived yet.
    is_start_untested: bool,
    /// The error that ends the walk after the page that was just returned.
    pending: Option<WalkError>,
}

/// A page that was read from an answer.
struct Arrived<R> {
    url: Url,
    summary: PageSummary,
    items: Vec<Item<R>>,
}

impl Pager<Record> {
    /// A walk through `list` from `from`, whose records are decoded as their stream declares.
    pub fn of_records(client: &Client, known: &KnownPaging, list: List, from: Cursor) -> Pager<Record> {
        Pager::new(client.clone(), known.clone(), list, from, |list, text| {
            Record::decode(list.stream(), list.parent(), text)
        })
    }
}

impl<R: Keyed> Pager<R> {
    /// A walk through `list` from `from`; `decode` reads its records.
    pub fn new(
        client: Client,
        known: KnownPaging,
        list: List,
        from: Cursor,
        decode: fn(&List, &str) -> Result<Decoded<R>, Rejection>,
    ) -> Pager<R> {
        Pager {
            client,
            known,
            list,
            decode,
            walk: Walk::resume(&from),
            cursor: Some(from),
            starts: 1,
            held_page: None,
            failed_probe: None,
            end: ListEnd::Proven,
            is_start_untested: false,
            pending: None,
        }
    }

    /// The same walk, which finds out the list's direction anew because it decides whether records were deleted.
    #[must_use]
    pub fn rechecking_direction(self) -> Pager<R> {
        Pager { walk: self.walk.rechecking_direction(), ..self }
    }

    /// The same walk, begun at a token of an earlier walk: fewer attempts are made if the server fails on it.
    #[must_use]
    pub fn from_remembered_token(self) -> Pager<R> {
        Pager { is_start_untested: true, ..self }
    }

    /// The next page, the list's end, or that the walk starts again.
    ///
    /// # Errors
    /// When a request failed for good, or the list makes no progress. Pages handed over before are good.
    pub async fn next(&mut self) -> Result<Turn<R>, WalkError> {
        let (known, stream) = (self.known.clone(), self.list.stream());
        loop {
            if let Some(error) = self.pending.take() {
                return Err(error);
            }
            let Some(cursor) = self.cursor.clone() else {
                return Ok(Turn::End(self.end.clone()));
            };
            let (outcome, url, items) = match self.fetch(&cursor).await {
                Ok(Arrived { url, summary, items }) => {
                    self.is_start_untested = false;
                    self.check_next_origin(&url, &summary)?;
                    let outcome = known.with(stream, |paging| self.walk.page_arrived(paging, summary));
                    (outcome, Some(url), Some(items))
                }
                Err(error) => {
                    let kind = if self.is_refusal(&error, &cursor) {
                        AnswerKind::Refused
                    } else if self.walk.is_probing() && is_servers_failure(&error) {
                        self.failed_probe = Some(error);
                        AnswerKind::Failed
                    } else {
                        return Err(error.into());
                    };
                    (known.with(stream, |paging| self.walk.no_page(paging, kind)), None, None)
                }
            };
            let (items, step) = match outcome {
                PageOutcome::Accept(step) => (items, step),
                PageOutcome::Skip(step) => (None, step),
                PageOutcome::AcceptHeld(step) => (self.held_page.take(), step),
                PageOutcome::Hold(cursor) => {
                    self.held_page = items;
                    (None, NextStep::Request(cursor))
                }
            };
            if self.apply(step, url)? {
                return Ok(Turn::Restarted);
            }
            if let Some(items) = items {
                let checkpoint = self.cursor.clone().filter(|_| !self.walk.is_probing());
                return Ok(Turn::Page(Page { items, checkpoint }));
            }
        }
    }

    /// Applies the walk's next step; `true` if the walk starts again. An error that follows a good page is kept until that
    /// page was returned.
    fn apply(&mut self, step: NextStep, url: Option<Url>) -> Result<bool, WalkError> {
        let stream = self.list.stream();
        self.cursor = None;
        match step {
            NextStep::Request(Cursor::Url(reference)) => match self.resolve(&reference, url) {
                Ok(cursor) => self.cursor = Some(cursor),
                Err(error) => self.pending = Some(error.into()),
            },
            NextStep::Request(cursor) => self.cursor = Some(cursor),
            NextStep::End(end) => self.end = end,
            NextStep::Stuck(reason) => self.pending = Some(WalkError::NoProgress { stream, reason }),
            NextStep::Fail => self.pending = self.failed_probe.take().map(WalkError::from),
            NextStep::Restart if self.starts >= MAX_STARTS => {
                return Err(WalkError::TokensRefused { stream, times: self.starts });
            }
            NextStep::Restart => {
                self.starts += 1;
                self.walk = Walk::default();
                self.end = ListEnd::Proven;
                self.cursor = Some(Cursor::Start);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Resolves a reference that the answer from `url` gave.
    fn resolve(&self, reference: &str, url: Option<Url>) -> Result<Cursor, ApiError> {
        let url = url.map_or_else(|| self.list.url(&self.client), Ok)?;
        Ok(Cursor::of_url(&self.client.origin_resolve(&url, reference)?))
    }

    /// An answer that names a next page at another origin is faulty (`api-contract` point 12). Its records are good and are
    /// returned first. If it has none, or answers a probe, it must not be taken for the list's end.
    fn check_next_origin(&self, url: &Url, summary: &PageSummary) -> Result<(), ApiError> {
        match &summary.offer {
            Some(Offer { next: Next::Url(reference), .. })
                if summary.keys.is_empty() || self.walk.is_probing() =>
            {
                self.client.origin_resolve(url, reference).map(drop)
            }
            _ => Ok(()),
        }
    }

    async fn fetch(&self, cursor: &Cursor) -> Result<Arrived<R>, ApiError> {
        let mut url = self.list.url(&self.client)?;
        match cursor {
            Cursor::Start => {}
            Cursor::Url(reference) => url = self.client.origin_resolve(&url, reference)?,
            Cursor::Bare { parameter, token } => {
                url.query_pairs_mut().append_pair(parameter.name(), token);
            }
        }
        let mut call = Call::list(url, self.list.stream());
        if self.walk.is_probing() || self.is_start_untested {
            call = call.attempts_at_most(PROBE_ATTEMPTS);
        }
        let only = self.known.with(self.list.stream(), |paging| paging.only_style());
        self.client.fetch(call, |answer| self.read(&answer, only)).await
    }

    fn read(&self, answer: &Answer, only: Option<TokenStyle>) -> Result<Arrived<R>, NotDocumented> {
        let page = read_page(&answer.body, &answer.url)?;
        let items: Vec<Item<R>> = page.records.iter().map(|record| self.item(record.get())).collect();
        let keys = items.iter().map(|item| match item {
            Item::Record(record) | Item::Repaired(RepairedItem { record, .. }) => {
                RecordKey::Id(record.id().to_owned())
            }
            Item::Rejected(rejected) => match &rejected.id {
                Some(id) => RecordKey::Id(id.clone()),
                None => RecordKey::Text(rejected.raw.clone()),
            },
        });
        let (offer, hints) = read_headers(&answer.headers, &answer.url).offer(page.next, page.hints, only);
        let summary = PageSummary { keys: keys.collect(), offer, hints };
        Ok(Arrived { url: answer.url.clone(), summary, items })
    }

    fn item(&self, raw: &str) -> Item<R> {
        Item::of(raw, (self.decode)(&self.list, raw))
    }

    /// Whether the server refuses the cursor, not the list (points 6 and 9). A 404 for a page of a parent's children means that
    /// the parent is gone, unless the request was a probe.
    fn is_refusal(&self, error: &ApiError, cursor: &Cursor) -> bool {
        let list_may_be_gone = self.list.parent().is_some() && !self.walk.is_probing();
        match error.status() {
            _ if *cursor == Cursor::Start => false,
            Some(400) => true,
            Some(404 | 410) => !list_may_be_gone,
            // Other statuses (402, 409, 422, 451) are not about the cursor.
            _ => false,
        }
    }
}

fn is_servers_failure(error: &ApiError) -> bool {
    matches!(error.kind(), ErrorKind::ServerFault | ErrorKind::NotDocumented | ErrorKind::BrokenAnswer)
}
