//! Fetches one customer and its events again and compares them with the mirror. Nothing is written here.

use crate::api::{Cursor, ErrorKind, Item, List, ListEnd, Page, RepairedItem, Turn, WalkError};
use crate::diff::audit::{Kind, ParentJudged, Standing, Window, judge_absence, judge_child, judge_parent};
use crate::mirror::{AuditFinding, Batch};
use crate::record::{IdSet, Record, Stream};
use crate::sync::SyncError;
use crate::sync::context::{Context, Walked, turn};
use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;
use std::collections::HashSet;

/// How many differences of one customer are collected. A customer with more has drifted in any case.
const FINDINGS_PER_CUSTOMER: usize = 1_000;

/// Compares customers of the mirror with what the API has.
pub(in crate::sync) struct Comparer {
    pub(in crate::sync) context: Context,
    /// What the run's walk of the customer list met, and when it began.
    pub(in crate::sync) walked: Walked,
    /// How far the server's clock is ahead of ours.
    pub(in crate::sync) ahead: SignedDuration,
}

/// What was found about a customer: by one reading that left no doubt, or by two that agree.
pub(in crate::sync) struct Comparison {
    pub(in crate::sync) findings: Vec<AuditFinding>,
    /// The record as the API gives it, where the mirror's differs.
    pub(in crate::sync) customer: Option<Record>,
    pub(in crate::sync) undocumented_only: bool,
    pub(in crate::sync) events: u64,
    /// Why the customer may differ all the same, although nothing was found.
    pub(in crate::sync) doubt: Option<String>,
    /// Whether the only reason is that some events can't be taken, which the run has reported already.
    pub(in crate::sync) is_known_doubt: bool,
    differing: IdSet,
}

/// Why a customer was not compared.
pub(in crate::sync) enum Stop {
    /// The run halts.
    Halted,
    /// It could not be read.
    Unread { error: String, kind: Option<ErrorKind> },
    /// Its record came but can't be taken, which the run has reported already.
    Rejected { error: String },
    /// The run can't go on.
    Fatal(SyncError),
}

impl Stop {
    fn unread(error: impl Into<String>) -> Stop {
        Stop::Unread { error: error.into(), kind: None }
    }
}

impl From<WalkError> for Stop {
    fn from(error: WalkError) -> Stop {
        match error.api().map(crate::api::ApiError::kind) {
            Some(ErrorKind::KeyRefused) => Stop::Fatal(error.into()),
            kind => Stop::Unread { error: error.log_form(), kind },
        }
    }
}

impl From<SyncError> for Stop {
    fn from(error: SyncError) -> Stop {
        Stop::Fatal(error)
    }
}

impl Comparison {
    fn new() -> Comparison {
        Comparison {
            findings: Vec::new(),
            customer: None,
            undocumented_only: false,
            events: 0,
            doubt: None,
            is_known_doubt: true,
            differing: IdSet::default(),
        }
    }

    pub(in crate::sync) fn has_drifted(&self) -> bool {
        self.findings.iter().any(|found| found.standing == Standing::Drift)
    }

    /// Whether a second reading is to decide. Lists can be stale, and what is lacking may only have moved
    /// (`api-contract` points 5 and 9); what changed since is the next run's work, whatever it turns out to be.
    fn is_in_doubt(&self) -> bool {
        self.has_drifted() || self.findings.iter().any(|found| found.kind == Kind::Surplus)
    }

    fn add(&mut self, stream: Stream, id: &str, customer_id: &str, kind: Kind, standing: Standing) {
        // A list may bring a record twice; a customer and an event may have the same id.
        let is_new = self.differing.insert(&format!("{stream} {id}"));
        if is_new && self.findings.len() < FINDINGS_PER_CUSTOMER {
            let (id, customer_id) = (id.to_owned(), customer_id.to_owned());
            self.findings.push(AuditFinding { stream, id, customer_id, kind, standing });
        }
    }

    /// What this first reading and a second one agree on.
    fn agreed(self, mut second: Comparison) -> Comparison {
        let first: HashSet<(Stream, String)> =
            self.findings.into_iter().map(|found| (found.stream, found.id)).collect();
        second.findings.retain(|found| first.contains(&(found.stream, found.id.clone())));
        second
    }
}

impl Comparer {
    /// The time in which a change at the API is lag.
    pub(in crate::sync) fn window(&self) -> Window {
        Window::new(self.walked.started_at, Timestamp::now(), self.ahead)
    }

    /// Reads a customer and its events again, twice where the first reading suggests drift.
    pub(in crate::sync) async fn compare(&self, id: &str) -> Result<Comparison, Stop> {
        let first = self.look(id, false).await?;
        if !first.is_in_doubt() {
            return Ok(first);
        }
        let second = self.look(id, true).await?;
        Ok(first.agreed(second))
    }

    async fn look(&self, id: &str, is_second: bool) -> Result<Comparison, Stop> {
        let Some(record) = self.retrieve(id).await? else { return self.absent(id).await };
        let mut comparison = Comparison::new();
        let events_read_in_run = self.compare_customer(&mut comparison, id, &record).await?;
        let read = self.compare_events(&mut comparison, id, is_second, events_read_in_run).await;
        let is_gone = matches!(&read, Err(Stop::Unread { kind: Some(ErrorKind::NotFound), .. }));
        if is_gone && self.retrieve(id).await?.is_none() {
            return self.absent(id).await;
        }
        read.map(|()| comparison)
    }

    /// The customer as the API gives it alone; `None` for its 404.
    async fn retrieve(&self, id: &str) -> Result<Option<Box<RawValue>>, Stop> {
        let retrieving = self.context.client.retrieve(self.context.stream, id);
        match self.context.halt.run_until_cancelled(retrieving).await.ok_or(Stop::Halted)? {
            Ok(record) => Ok(Some(record)),
            Err(error) if error.kind() == ErrorKind::NotFound && error.is_documented_form() => Ok(None),
            Err(error) => Err(WalkError::from(error).into()),
        }
    }

    /// The API doesn't have the customer. It is deleted on the next run's evidence, not here: that takes a walk that
    /// lacks it (`api-contract` point 9).
    async fn absent(&self, id: &str) -> Result<Comparison, Stop> {
        let (run, stream, asked) = (self.context.run, self.context.stream, id.to_owned());
        let (mirrored, gone_before) = self
            .context
            .write(move |batch| {
                Ok((batch.stored(stream, &asked)?, batch.was_found_gone(run, stream, &asked)?))
            })
            .await?;
        let mut comparison = Comparison::new();
        if let Some(mirrored) = mirrored {
            let standing = judge_absence(self.walked.seen.contains(mirrored.row), gone_before);
            comparison.add(stream, id, id, Kind::Surplus, standing);
        }
        Ok(comparison)
    }

    /// Compares the customer's record. Returns whether the run read its events to their end.
    async fn compare_customer(
        &self,
        comparison: &mut Comparison,
        id: &str,
        record: &RawValue,
    ) -> Result<bool, Stop> {
        let stream = self.context.stream;
        let at_api = match Record::decode(stream, None, record.get()) {
            Ok(decoded) if decoded.record.id() == id => decoded.record,
            Ok(_) => {
                return Err(Stop::unread(format!("the API answered with another {}", stream.singular())));
            }
            Err(reason) => {
                let (raw, error) = (record.get().to_owned(), format!("its record can't be taken: {reason}"));
                let known = move |batch: &mut Batch<'_>| batch.is_set_aside(stream, None, &raw);
                return Err(match self.context.write(known).await? {
                    true => Stop::Rejected { error },
                    false => Stop::unread(error),
                });
            }
        };
        let asked = id.to_owned();
        let mirrored = self.context.write(move |batch| batch.stored(stream, &asked)).await?;
        let Some(mirrored) = mirrored else {
            return Err(Stop::unread("the mirror no longer has it"));
        };
        let listed = self.walked.seen.contains(mirrored.row);
        match judge_parent(&mirrored.record, &at_api, listed, self.window()) {
            ParentJudged::Same => {}
            ParentJudged::UndocumentedOnly => comparison.undocumented_only = true,
            ParentJudged::Differs(standing) => {
                comparison.add(stream, id, id, Kind::Differing, standing);
                comparison.customer = Some(at_api);
            }
        }
        // The mirror keeps milliseconds.
        let began = self.walked.started_at.as_millisecond();
        Ok(mirrored.noted_at.is_some_and(|at| at.as_millisecond() >= began))
    }

    /// Walks the customer's events to their end, and compares each page and, then, what no page brought.
    async fn compare_events(
        &self,
        comparison: &mut Comparison,
        id: &str,
        is_second: bool,
        read_in_run: bool,
    ) -> Result<(), Stop> {
        let Some(child) = self.context.stream.child() else { return Ok(()) };
        let pager = self.context.pager(List::of_parent(child, id.to_owned()), Cursor::Start);
        let mut pager = if is_second { pager.rechecking_direction() } else { pager };
        let mut seen = IdSet::default();
        loop {
            match turn(&self.context, &mut pager).await.ok_or(Stop::Halted)?? {
                Turn::Page(page) => self.compare_page(comparison, child, id, page, &mut seen).await?,
                Turn::Restarted => seen = IdSet::default(),
                Turn::End(ListEnd::Proven) => break,
                Turn::End(ListEnd::Unproven(why)) => {
                    comparison.doubt =
                        Some(format!("its list of {child} may be longer than it looks: {why}"));
                    comparison.is_known_doubt = false;
                    break;
                }
            }
        }
        comparison.events = seen.len() as u64;
        if comparison.doubt.is_some() {
            return Ok(());
        }
        let asked = id.to_owned();
        let surplus = self.context.write(move |batch| batch.children_not_in(child, &asked, &seen)).await?;
        for event in surplus {
            comparison.add(child, &event, id, Kind::Surplus, judge_absence(read_in_run, false));
        }
        Ok(())
    }

    async fn compare_page(
        &self,
        comparison: &mut Comparison,
        child: Stream,
        customer: &str,
        page: Page<Record>,
        seen: &mut IdSet,
    ) -> Result<(), Stop> {
        let (mut events, mut rejected_texts) = (Vec::with_capacity(page.items.len()), Vec::new());
        for item in page.items {
            match item {
                Item::Record(event) => {
                    seen.insert(event.id());
                    events.push(event);
                }
                Item::Repaired(RepairedItem { record: event, .. }) => {
                    seen.insert(event.id());
                    events.push(event);
                }
                Item::Rejected(rejected) => {
                    comparison.doubt =
                        Some(format!("one of its {child} can't be taken: {}", rejected.reason));
                    rejected_texts.push(rejected.raw);
                }
            }
        }
        let (window, owner) = (self.window(), customer.to_owned());
        let (judged, is_known) = self
            .context
            .write(move |batch| {
                let mut is_known = true;
                for raw in rejected_texts {
                    is_known &= batch.is_set_aside(child, Some(&owner), &raw)?;
                }
                let mut judged = Vec::new();
                for event in events {
                    let mirrored = batch.stored(child, event.id())?.map(|stored| stored.record);
                    if mirrored.is_none() && batch.has_expired(&event) {
                        continue;
                    }
                    let differs = judge_child(mirrored.as_ref(), &event, window);
                    judged.extend(differs.map(|(kind, standing)| (event.id().to_owned(), kind, standing)));
                }
                Ok((judged, is_known))
            })
            .await?;
        comparison.is_known_doubt &= is_known;
        for (event, kind, standing) in judged {
            comparison.add(child, &event, customer, kind, standing);
        }
        Ok(())
    }
}
