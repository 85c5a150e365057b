//! A list of the API, page by page, with its records decoded.

use super::cursor::Cursor;
use super::headers::read_headers;
use super::known_paging::KnownPaging;
use super::next_page::{Next, Offer};
use super::page_body::read_page;
use super::page_outcome::{ListEnd, NextStep, NoProgress, PageOutcome};
use super::page_summary::{PageSummary, RecordKey};
use super::prefetch::Prefetch;
use super::token_style::TokenStyle;
use super::walk::Walk;
use crate::api::calls::{Call, Client, NotDocumented};
use crate::api::errors::{ApiError, ErrorKind};
use crate::api::transport::Answer;
use crate::record::{Decoded, Record, Rejection, Repairs, Stream, peek_id};
use reqwest::Url;
use tokio_util::sync::CancellationToken;

/// A list of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum List {
    /// `GET /customers`
    Customers,
    /// `GET /customers/:customer_id/events`
    Events {
        /// Whose events.
        customer_id: String,
    },
}

impl List {
    /// What the list holds.
    pub const fn stream(&self) -> Stream {
        match self {
            List::Customers => Stream::Customers,
            List::Events { .. } => Stream::Events,
        }
    }

    /// Whose list it is; `None` for the list of customers.
    pub fn customer_id(&self) -> Option<&str> {
        match self {
            List::Customers => None,
            List::Events { customer_id } => Some(customer_id),
        }
    }

    fn url(&self, client: &Client) -> Result<Url, ApiError> {
        match self {
            List::Customers => client.url(&["customers"]),
            List::Events { customer_id } => client.url(&["customers", customer_id, "events"]),
        }
    }
}

/// A record of a page.
#[derive(Debug)]
pub enum Item<R> {
    /// It could be decoded.
    Record(R),
    /// It could be decoded with a repair.
    Repaired(RepairedItem<R>),
    /// It could not.
    Rejected(RejectedItem),
}

impl<R> Item<R> {
    /// What decoding `raw` has come to.
    pub fn of(raw: &str, decoded: Result<Decoded<R>, Rejection>) -> Item<R> {
        let text = || raw.to_owned();
        match decoded {
            Ok(Decoded { record, repairs }) if repairs.is_empty() => Item::Record(record),
            Ok(Decoded { record, repairs }) => Item::Repaired(RepairedItem { record, repairs, raw: text() }),
            Err(reason) => Item::Rejected(RejectedItem { id: peek_id(raw), reason, raw: text() }),
        }
    }

    /// The record, unless it could not be decoded.
    pub fn record(&self) -> Option<&R> {
        match self {
            Item::Record(record) | Item::Repaired(RepairedItem { record, .. }) => Some(record),
            Item::Rejected(_) => None,
        }
    }
}

/// A record that was decoded with a repair. `raw` may hold personal data: not for logs.
pub struct RepairedItem<R> {
    /// The record.
    pub record: R,
    /// What was repaired.
    pub repairs: Repairs,
    /// The record as the API gave it.
    pub raw: String,
}

impl<R> std::fmt::Debug for RepairedItem<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RepairedItem").field("repairs", &self.repairs).finish_non_exhaustive()
    }
}

/// A record that could not be decoded. `raw` may hold personal data: not for logs.
pub struct RejectedItem {
    /// Its id, where it has a usable one.
    pub id: Option<String>,
    /// Why.
    pub reason: Rejection,
    /// The record as the API gave it.
    pub raw: String,
}

impl std::fmt::Debug for RejectedItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RejectedItem")
            .field("id", &self.id)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

/// A page of a list.
#[derive(Debug)]
pub struct Page<R> {
    /// Its records, in the list's order.
    pub items: Vec<Item<R>>,
    /// The request for the page after it; `None` where the list ends here, or where it isn't yet known which
    /// parameter moves forward: a walk can't be taken up there.
    pub checkpoint: Option<Cursor>,
}

/// What a step through a list brought.
#[derive(Debug)]
pub enum Turn<R> {
    /// The next page.
    Page(Page<R>),
    /// The server refused a token. The walk starts again from the list's beginning: what came so far counts no longer
    /// as walked (`api-contract` point 6).
    Restarted,
    /// The list has come to its end.
    End(ListEnd),
}

/// Why a walk ended before its list did.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// A request failed.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The list does not go on.
    #[error("the list of {stream} can't be read to its end: {reason}")]
    NoProgress {
        /// Of what.
        stream: Stream,
        /// How it shows.
        reason: NoProgress,
    },
    /// The server went on refusing its own tokens.
    #[error(
        "the list of {stream} can't be read to its end: the server refused its own page tokens {times} times"
    )]
    TokensRefused {
        /// Of what.
        stream: Stream,
        /// How often the walk was begun.
        times: u32,
    },
}

impl WalkError {
    /// The request's error, where one failed.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            WalkError::Api(error) => Some(error),
            _ => None,
        }
    }

    /// What to do now, in one or two sentences.
    pub fn hint(&self) -> &'static str {
        match self {
            WalkError::Api(error) => error.hint(),
            WalkError::NoProgress { .. } => {
                "Run again: a list may shift while it is walked. If it stays, set `api.paging` to the way in which \
                 this server names the next page; `malomo-mirror status` shows what was found out."
            }
            WalkError::TokensRefused { .. } => {
                "Run again later; if it stays, report it to the vendor's support."
            }
        }
    }

    /// The line for logs and for the mirror: without the vendor's message.
    pub fn log_form(&self) -> String {
        self.api().map_or_else(|| self.to_string(), ApiError::log_form)
    }
}

/// A walk is begun so often at most.
const MAX_STARTS: u32 = 3;

/// A probe is sent so often at most before the server's failure over it counts as its answer.
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
    /// No page has come yet from the remembered token that the walk began at.
    is_start_untested: bool,
    ahead: Option<Prefetch>,
    /// Until then pages may be read ahead.
    prefetch_until: Option<CancellationToken>,
    /// What ends the walk after the page that was just handed over.
    pending: Option<WalkError>,
}

/// An answer, read.
struct Arrived<R> {
    url: Url,
    facts: PageSummary,
    items: Vec<Item<R>>,
}

impl<R: Record> Pager<R> {
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
            ahead: None,
            prefetch_until: None,
            pending: None,
        }
    }

    /// The same walk, but finding out the list's direction for itself: it is to decide whether records are gone.
    #[must_use]
    pub fn rechecking_direction(self) -> Pager<R> {
        Pager { walk: self.walk.rechecking_direction(), ..self }
    }

    /// The same walk, but begun at a token that an earlier walk was given: a server that fails over it is not asked
    /// again as often as over one of its own.
    #[must_use]
    pub fn from_remembered_token(self) -> Pager<R> {
        Pager { is_start_untested: true, ..self }
    }

    /// The same walk, with pages asked for before those in front of them are taken, where links lead to them. A walk that
    /// ends before its list does has then asked for up to three pages in vain. Not so after `until`.
    #[must_use]
    pub fn prefetching(self, until: CancellationToken) -> Pager<R> {
        Pager { prefetch_until: Some(until), ..self }
    }

    /// The next page, the list's end, or that the walk starts again.
    ///
    /// # Errors
    /// When a request failed for good, or the list makes no progress. Pages handed over before are good.
    pub async fn next(&mut self) -> Result<Turn<R>, WalkError> {
        let (known, stream) = (self.known.clone(), self.list.stream());
        // Kept to the probe's end, which may take several requests: what it shows spares others theirs.
        let mut probe = None;
        loop {
            if let Some(error) = self.pending.take() {
                return Err(error);
            }
            match self.walk.is_probing() {
                true if probe.is_none() && self.walk.is_first_probe() => probe = known.probe(stream).await,
                true => {}
                false => probe = None,
            }
            if let Some(after) = known.with(stream, |paging| self.walk.reconsider(paging)) {
                self.apply(after, None)?;
            }
            let Some(cursor) = self.cursor.clone() else {
                return Ok(Turn::End(self.end.clone()));
            };
            let (outcome, arrived) = match self.fetch(&cursor).await {
                Ok(Arrived { url, facts, items }) => {
                    self.is_start_untested = false;
                    self.check_next_origin(&url, &facts)?;
                    let outcome = self.known.with(stream, |paging| self.walk.page_arrived(paging, facts));
                    (outcome, Some((url, items)))
                }
                Err(error) if self.is_refusal(&error, &cursor) => {
                    (self.known.with(stream, |paging| self.walk.cursor_refused(paging)), None)
                }
                Err(error) if self.walk.is_probing() && is_servers_failure(&error) => {
                    self.failed_probe = Some(error);
                    (self.known.with(stream, |paging| self.walk.probe_failed(paging)), None)
                }
                Err(error) => return Err(error.into()),
            };
            let url = arrived.as_ref().map(|(url, _)| url.clone());
            let items = arrived.map(|(_, items)| items);
            let (items, after) = match outcome {
                PageOutcome::Accept(after) => (items, after),
                PageOutcome::Skip(after) => (None, after),
                PageOutcome::AcceptHeld(after) => (self.held_page.take(), after),
                PageOutcome::Hold(cursor) => {
                    self.held_page = items;
                    (None, NextStep::Request(cursor))
                }
            };
            if self.apply(after, url)? {
                return Ok(Turn::Restarted);
            }
            if let Some(items) = items {
                let checkpoint = self.cursor.clone().filter(|_| self.walk.is_resumable());
                return Ok(Turn::Page(Page { items, checkpoint }));
            }
        }
    }

    /// Notes what comes next; `true` if the walk starts again. An error that stands behind a good page waits until
    /// that was handed over.
    fn apply(&mut self, after: NextStep, url: Option<Url>) -> Result<bool, WalkError> {
        let stream = self.list.stream();
        self.cursor = None;
        match after {
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
                self.walk = Walk::new();
                self.end = ListEnd::Proven;
                self.cursor = Some(Cursor::Start);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A reference given in the answer from `url`.
    fn resolve(&self, reference: &str, url: Option<Url>) -> Result<Cursor, ApiError> {
        let url = url.map_or_else(|| self.list.url(&self.client), Ok)?;
        Ok(Cursor::of_url(&self.client.origin_resolve(&url, reference)?))
    }

    /// An answer that names a next page at another origin is a fault of that answer (`api-contract` point 12). Its
    /// records are good and are handed over first; where there are none, or they only try something out, it must
    /// not be taken for the list's end.
    fn check_next_origin(&self, url: &Url, facts: &PageSummary) -> Result<(), ApiError> {
        match &facts.offer {
            Some(Offer { next: Next::Url(reference), .. })
                if facts.keys.is_empty() || self.walk.is_probing() =>
            {
                self.client.origin_resolve(url, reference).map(drop)
            }
            _ => Ok(()),
        }
    }

    async fn fetch(&mut self, cursor: &Cursor) -> Result<Arrived<R>, ApiError> {
        let ahead = match &mut self.ahead {
            Some(ahead) => ahead.next(cursor).await,
            None => None,
        };
        if ahead.is_none() {
            self.ahead = None;
        }
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
        if let Some(answer) = ahead.transpose()? {
            call = call.with_answer(answer);
        }
        let only = self.known.with(self.list.stream(), |paging| paging.only_style());
        let arrived = self.client.fetch(call, |answer| self.read(&answer, only)).await?;
        self.start_prefetch(&arrived);
        Ok(arrived)
    }

    /// Has the pages behind this one read ahead, if links lead to them.
    fn start_prefetch(&mut self, arrived: &Arrived<R>) {
        let Some(until) = self.prefetch_until.as_ref().filter(|until| !until.is_cancelled()) else { return };
        if let (None, Some(Offer { style: TokenStyle::Link, next: Next::Url(reference) })) =
            (&self.ahead, &arrived.facts.offer)
            && !arrived.items.is_empty()
            && !arrived.facts.says_last()
            && let Ok(url) = self.client.origin_resolve(&arrived.url, reference)
        {
            self.ahead = Some(Prefetch::start(&self.client, self.list.stream(), url, until.clone()));
        }
    }

    fn read(&self, answer: &Answer, only: Option<TokenStyle>) -> Result<Arrived<R>, NotDocumented> {
        let page = read_page(&answer.body, &answer.url).map_err(|fault| NotDocumented(fault.to_string()))?;
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
        let facts = PageSummary { keys: keys.collect(), offer, hints };
        Ok(Arrived { url: answer.url.clone(), facts, items })
    }

    fn item(&self, raw: &str) -> Item<R> {
        Item::of(raw, (self.decode)(&self.list, raw))
    }

    /// Whether the server refuses the cursor, not the list. A 404 to a page of a customer's events says that the
    /// customer is gone, unless the request was a mere probe.
    fn is_refusal(&self, error: &ApiError, cursor: &Cursor) -> bool {
        let list_may_be_gone = matches!(self.list, List::Events { .. }) && !self.walk.is_probing();
        match error.status() {
            _ if *cursor == Cursor::Start => false,
            Some(400) => true,
            Some(404 | 410) => !list_may_be_gone,
            // Others (402, 409, 422, 451) are about something else than the cursor.
            _ => false,
        }
    }
}

fn is_servers_failure(error: &ApiError) -> bool {
    matches!(error.kind(), ErrorKind::ServerFault | ErrorKind::NotDocumented | ErrorKind::BrokenAnswer)
}
