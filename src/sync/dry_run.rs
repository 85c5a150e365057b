//! What a run would do, without doing it.

use super::looks;
use super::{Scope, Settings, SyncError, Tools};
use crate::api::{Cursor, List, ListEnd, Pager, TokenStyle, Turn};
use crate::diff::looks::Signal;
use crate::diff::{DeletionRefused, EventPlan, Expiry, Overlap, Verdict, WalkedList, may_delete};
use crate::mirror::{Mirror, Now, ParentPreview};
use crate::record::{Record, RowSet, Stream};
use jiff::Timestamp;
use serde::Serialize;

/// The requests that a run would make, and why. Its JSON form is what `sync --dry-run --json` prints.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub struct DryRun {
    /// Requests in all, each list of events counted as one page (and, where ids are the cursors, the empty page after it).
    pub requests: u64,
    /// For the pages of the customer list; the dry run itself made these, and no others.
    pub customer_pages: u64,
    /// Customers on them.
    pub customers: u64,
    /// Of these, customers that the mirror doesn't have.
    pub new: u64,
    /// Of these, customers that changed.
    pub changed: u64,
    /// Customers whose events would be read: new or changed ones.
    pub events_of_new_or_changed: u64,
    /// Customers whose events would be read: an earlier run could not.
    pub events_pending: u64,
    /// Customers whose events would be read: their turn has come, or everybody's in a full sync.
    pub events_due: u64,
    /// Customers whose events would be read: webhooks have hinted at them.
    pub events_pushed: u64,
    /// Customers whose events would be read: new ones are likely by now.
    pub events_expected: u64,
    /// New events that the looks at customers known before are likely to find.
    pub expected_events: Option<f64>,
    /// For how many seconds these are likely to have been at the vendor, in the mean.
    pub expected_unseen_mean_seconds: Option<f64>,
    /// And what 95 in 100 of them stay below.
    pub expected_unseen_p95_seconds: Option<f64>,
    /// Mirrored customers that the list lacks; each would be asked for alone.
    pub missing: u64,
    /// Why they would not be asked for.
    pub deletions_refused: Option<String>,
    /// Whether the list brings too few of the mirror's customers to be its account's: a run would take nothing from it.
    pub account_in_doubt: bool,
}

/// Lists the customers, compares them with the mirror, and tells what a run would ask the API for. Changes nothing;
/// needs no lock. `mirror` is opened for reading, or `None` where there is none yet.
///
/// # Errors
/// When the list or the mirror can't be read.
pub async fn dry_run(
    mirror: Option<&mut Mirror>,
    tools: &Tools,
    settings: &Settings,
    scope: &Scope,
) -> Result<DryRun, SyncError> {
    if let Scope::Customers(ids) = scope {
        let named = ids.len() as u64;
        return Ok(DryRun { requests: 2 * named, events_due: named, ..DryRun::default() });
    }
    let mut plan = Preview::new(mirror, settings, scope);
    plan.remember(tools, settings)?;
    let list = List::of(Stream::FIRST);
    let mut pager = Pager::of_records(&tools.client, &tools.known, list, Cursor::Start);
    loop {
        let Some(turn) = tools.stop.run_until_cancelled(pager.next()).await else { break };
        match turn? {
            Turn::Page(page) => {
                if plan.found.customer_pages == 0 {
                    plan.choose(tools, settings, scope)?;
                }
                plan.found.customer_pages += 1;
                for item in page.items {
                    if let Some(customer) = item.record() {
                        plan.add(customer)?;
                    }
                }
            }
            Turn::Restarted => plan.restart(),
            Turn::End(end) => {
                if let ListEnd::Unproven(why) = end {
                    plan.found.deletions_refused =
                        Some(format!("the list may be longer than it looks: {why}"));
                }
                break;
            }
        }
    }
    let is_last_id = |stream| tools.known.of(stream).style() == Some(TokenStyle::LastId);
    let child = Stream::FIRST.child().unwrap_or(Stream::FIRST);
    let extra = ByIds {
        parents: is_last_id(Stream::FIRST),
        children: is_last_id(Stream::FIRST) || is_last_id(child),
        direction_is_open: tools.known.of(child).forward().is_none(),
    };
    plan.finish(settings, extra)
}

/// Where ids are the cursors, a list's end shows only in an empty page; and in each run one list of events is asked
/// both ways, to see that the direction is still the same.
struct ByIds {
    parents: bool,
    children: bool,
    direction_is_open: bool,
}

struct Preview<'m> {
    mirror: Option<&'m mut Mirror>,
    plan: EventPlan,
    now: Now,
    seen: RowSet,
    /// Of customers whose events would be read.
    due: RowSet,
    expiry: Expiry,
    /// Whether the events of customers would be looked at whom the mirror lacks and who have expired by their own times.
    looks_at_dormant: bool,
    found: DryRun,
}

impl<'m> Preview<'m> {
    fn new(mirror: Option<&'m mut Mirror>, settings: &Settings, scope: &Scope) -> Preview<'m> {
        let now = Timestamp::now();
        let plan = match scope {
            Scope::Full => EventPlan::Everybody { walk_started_at: now, signal: Signal::Full },
            _ => EventPlan::of_turns(settings.events_max_age),
        };
        Preview {
            expiry: settings.retention.at(now),
            looks_at_dormant: mirror.is_none() || *scope == Scope::Full,
            mirror,
            plan,
            now: Now { ours: now, servers: now.as_second() },
            seen: RowSet::default(),
            due: RowSet::default(),
            found: DryRun::default(),
        }
    }

    /// What earlier runs found out about the same server.
    fn remember(&mut self, tools: &Tools, settings: &Settings) -> Result<(), SyncError> {
        let Some(mirror) = &mut self.mirror else { return Ok(()) };
        for found in
            mirror.snapshot()?.behaviour()?.iter().filter(|found| found.base_url == settings.base_url)
        {
            tools.known.remember(&found.stream, &found.point, &found.value);
        }
        Ok(())
    }

    /// Chooses whose events are worth a look as a run would: once the first answer has told what the server's clock shows.
    fn choose(&mut self, tools: &Tools, settings: &Settings, scope: &Scope) -> Result<(), SyncError> {
        self.now = looks::now(&tools.client);
        let Some(mirror) = self.mirror.as_mut().filter(|_| *scope == Scope::Incremental) else {
            return Ok(());
        };
        let snapshot = mirror.snapshot()?;
        let hazards = snapshot.event_rates()?.hazards();
        let budget = settings.event_budget.lists(settings.concurrency, tools.client.learned());
        let (max_age, with) = (settings.events_max_age, (&hazards, self.now));
        self.plan = snapshot.with_expected_looks(Stream::FIRST, max_age, with, budget)?;
        Ok(())
    }

    fn restart(&mut self) {
        let customer_pages = self.found.customer_pages;
        self.found = DryRun { customer_pages, ..DryRun::default() };
        (self.seen, self.due) = (RowSet::default(), RowSet::default());
    }

    fn add(&mut self, record: &Record) -> Result<(), SyncError> {
        let preview = match &mut self.mirror {
            Some(mirror) => mirror.snapshot()?.preview(record, &self.plan, self.now.ours)?,
            None => ParentPreview { verdict: Verdict::Insert, row: None, due: Some(Signal::New) },
        };
        let repeated = preview.row.is_some_and(|row| !self.seen.insert(row));
        if repeated {
            return Ok(());
        }
        let found = &mut self.found;
        found.customers += 1;
        if preview.verdict == Verdict::Insert && self.expiry.may_be_inactive(record) {
            found.events_due += u64::from(self.looks_at_dormant);
            return Ok(());
        }
        match preview.verdict {
            Verdict::Insert => found.new += 1,
            Verdict::Update | Verdict::Undated => found.changed += 1,
            Verdict::Unchanged | Verdict::Stale => {}
        }
        if let Some(row) = preview.row.filter(|_| preview.due.is_some()) {
            self.due.insert(row);
        }
        match preview.due {
            Some(Signal::New | Signal::Changed) => found.events_of_new_or_changed += 1,
            Some(Signal::Pending) => found.events_pending += 1,
            Some(Signal::Turn | Signal::Full | Signal::Asked) => found.events_due += 1,
            Some(Signal::Pushed) => found.events_pushed += 1,
            Some(Signal::Expected) => found.events_expected += 1,
            None => {}
        }
        Ok(())
    }

    fn finish(self, settings: &Settings, by_ids: ByIds) -> Result<DryRun, SyncError> {
        let mut found = self.found;
        // Whose account it is.
        let mut about_the_account = 1;
        if let Some(mirror) = self.mirror {
            let snapshot = mirror.snapshot()?;
            let hazards = snapshot.event_rates()?.hazards();
            let unseen = snapshot.foretell(Stream::FIRST, &self.due, (&hazards, self.now))?;
            found.expected_events = Some(unseen.events());
            found.expected_unseen_mean_seconds = unseen.mean();
            found.expected_unseen_p95_seconds = unseen.quantile(0.95);
            let streams = snapshot.freshness()?;
            let mirrored =
                streams.iter().find(|stream| stream.stream == Stream::FIRST).map_or(0, |s| s.row_count);
            found.missing = mirrored.saturating_sub(self.seen.count());
            let overlap = Overlap { mirrored, listed: found.customers, known: self.seen.count() };
            found.account_in_doubt = mirrored > 0 && !overlap.is_enough();
            about_the_account += u64::from(mirrored > 0 && found.new > 0);
            let list = WalkedList { mirrored, missing: found.missing };
            let refused = may_delete(list, settings.deletion_limit).err();
            found.deletions_refused = found
                .deletions_refused
                .or_else(|| refused.map(|refused: DeletionRefused| refused.to_string()));
        }
        let walks = found.events_of_new_or_changed
            + found.events_pending
            + found.events_due
            + found.events_pushed
            + found.events_expected;
        let per_walk = if by_ids.children { 2 } else { 1 };
        let both_ways = u64::from(by_ids.children && by_ids.direction_is_open && walks > 0);
        // A customer that is there is asked for as well.
        let asked = match found.missing {
            missing if missing > 0 && found.deletions_refused.is_none() => missing + 1,
            _ => 0,
        };
        let list = found.customer_pages + u64::from(by_ids.parents);
        found.requests = about_the_account + list + per_walk * walks + both_ways + asked;
        Ok(found)
    }
}
