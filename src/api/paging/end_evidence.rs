//! What the answers of one walk say about the length of their list, and whether the list's end agrees with it
//! (`api-contract` point 3). Pure.

use super::list_hints::ListHints;
use super::page_outcome::UnprovenEnd;

/// What the answers have said so far.
#[derive(Debug, Default)]
pub(super) struct EndEvidence {
    /// The walk resumed from a stored cursor. It has not seen all records, so its count can't be compared with totals.
    pub(super) is_partial: bool,
    answers: u64,
    last: ListHints,
    totals: Option<Totals>,
}

/// The totals that the answers gave. They may differ, as records are created and deleted during a walk (point 5).
#[derive(Debug, Clone, Copy)]
struct Totals {
    least: u64,
    last: u64,
    /// The sum of all increases: so many records may have been inserted in parts of the list that were already read.
    grown: u64,
}

impl EndEvidence {
    /// Adds what a page of the list says.
    pub(super) fn record(&mut self, hints: &ListHints) {
        self.answers += 1;
        self.last = hints.clone();
        if let Some(total) = hints.total {
            let totals = self.totals.get_or_insert(Totals { least: total, last: total, grown: 0 });
            totals.least = totals.least.min(total);
            totals.grown += total.saturating_sub(totals.last);
            totals.last = total;
        }
    }

    /// Whether the last page says that there are further pages.
    pub(super) fn says_more(&self) -> bool {
        self.last.more == Some(true)
    }

    /// What contradicts an end of the list here, after `received` different records. `knows_style` says that it is known how
    /// this list names its next page. If the user has set that (`is_set`), only a page's own statement that there is more
    /// contradicts the end.
    pub(super) fn doubt(&self, received: u64, knows_style: bool, is_set: bool) -> Option<UnprovenEnd> {
        if self.says_more() {
            return Some(UnprovenEnd::MoreIsSaid);
        }
        if is_set {
            return None;
        }
        if let Some(totals) =
            self.totals.filter(|totals| !self.is_partial && received + totals.grown < totals.least)
        {
            return Some(UnprovenEnd::TotalNotReached { received, total: totals.last });
        }
        if !self.is_partial && self.last.pages.is_some_and(|pages| pages > self.answers) {
            return Some(UnprovenEnd::MoreIsSaid);
        }
        let place = self.last.unknown.clone().filter(|_| !knows_style && self.last.more.is_none());
        place.map(|place| UnprovenEnd::NotUnderstood { place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(is_whole: bool, pages: &[ListHints]) -> EndEvidence {
        let mut evidence = EndEvidence { is_partial: !is_whole, ..EndEvidence::default() };
        pages.iter().for_each(|hints| evidence.record(hints));
        evidence
    }

    fn total(total: u64) -> ListHints {
        ListHints { total: Some(total), ..ListHints::default() }
    }

    #[test]
    fn totals_and_what_came() {
        for (totals, received, is_short) in [
            (&[23][..], 5, true),
            (&[23], 22, true),
            (&[23], 23, false),
            (&[], 5, false),
            // Less than what came is a page's own count, or the number of records behind it.
            (&[5, 5, 3], 13, false),
            (&[13, 8, 3], 13, false),
            // Deleted meanwhile, before they were met.
            (&[23, 22, 21], 21, false),
            (&[23, 22, 21], 20, true),
            // Created meanwhile, in front of what was read; met or not.
            (&[23, 24, 25], 23, false),
            (&[23, 24, 25], 25, false),
            // One created and one deleted between the same two pages as others, or in pages of their own.
            (&[23, 24, 23], 22, false),
            (&[23, 22, 23], 22, false),
            // The list is cut off, whatever else happens.
            (&[23, 24, 23], 10, true),
            (&[300, 301, 302], 200, true),
        ] {
            let pages: Vec<ListHints> = totals.iter().copied().map(total).collect();
            let doubt = evidence(true, &pages).doubt(received, true, false);
            let is_told = matches!(doubt, Some(UnprovenEnd::TotalNotReached { .. }));
            assert_eq!(is_told, is_short, "{totals:?} {received}");
            assert_eq!(
                evidence(false, &pages).doubt(received, true, false),
                None,
                "taken up in the middle: {totals:?}"
            );
            assert_eq!(evidence(true, &pages).doubt(received, true, true), None, "set: {totals:?}");
        }
    }

    #[test]
    fn what_speaks_against_an_end() {
        let more = ListHints { more: Some(true), ..ListHints::default() };
        let last = ListHints { more: Some(false), ..ListHints::default() };
        let pages = ListHints { pages: Some(2), ..ListHints::default() };
        let unknown = ListHints { unknown: Some("the header x".into()), ..ListHints::default() };
        let not_understood = Some(UnprovenEnd::NotUnderstood { place: "the header x".into() });
        let says_more = Some(UnprovenEnd::MoreIsSaid);
        let promised = [more.clone(), ListHints::default()];
        let taken_back = [more.clone(), last.clone()];
        let both_pages = [pages.clone(), pages.clone()];
        let ended = [unknown.clone().merge(last)];
        let (more, pages, unknown) = ([more], [pages], [unknown]);
        for (hints, knows_style, is_set, expected) in [
            (&more[..], true, false, says_more.clone()),
            (&more, true, true, says_more.clone()),
            // The page that was promised received, and promises none.
            (&promised, true, false, None),
            (&taken_back, true, false, None),
            (&pages, true, false, says_more),
            (&pages, true, true, None),
            (&both_pages, true, false, None),
            (&unknown, false, false, not_understood),
            (&unknown, true, false, None),
            (&unknown, false, true, None),
            (&ended, false, false, None),
        ] {
            assert_eq!(evidence(true, hints).doubt(5, knows_style, is_set), expected, "{hints:?}");
        }
    }
}
