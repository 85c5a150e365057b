//! What an answer says of its list besides naming the next page (`api-contract` point 3).

use super::field_names::Meaning;

/// What an answer says about its list besides naming the next page. An end must not contradict it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListHints {
    /// Whether there are further pages; yes if several members disagree.
    pub more: Option<bool>,
    /// How many records the list has; the largest number if several are given.
    pub total: Option<u64>,
    /// How many pages it has.
    pub pages: Option<u64>,
    /// The first header or member that looks like the way to a next page and is not understood.
    pub unknown: Option<String>,
}

impl ListHints {
    /// Adds the value of a member or header; `false` if it can't be read.
    pub(super) fn record(&mut self, meaning: Meaning, value: &str) -> bool {
        let more = match meaning {
            Meaning::More => yes_or_no(value),
            Meaning::Last | Meaning::Pages if value == "true" => Some(false),
            Meaning::Last | Meaning::Pages if value == "false" => Some(true),
            _ => None,
        };
        if let Some(more) = more {
            self.more = Some(more || self.more == Some(true));
            return true;
        }
        let Ok(number) = value.trim().parse::<u64>() else { return false };
        match meaning {
            Meaning::Total => self.total = self.total.max(Some(number)),
            Meaning::Pages => self.pages = self.pages.max(Some(number)),
            // A number under such a name may count the remaining records: there is more.
            Meaning::More => self.more = Some(true),
            _ => return false,
        }
        true
    }

    pub(super) fn note_unknown(&mut self, place: String) {
        self.unknown.get_or_insert(place);
    }

    /// Combines what two parts of an answer say.
    pub(super) fn merge(self, other: ListHints) -> ListHints {
        ListHints {
            more: self.more.max(other.more),
            total: self.total.max(other.total),
            pages: self.pages.max(other.pages),
            unknown: self.unknown.or(other.unknown),
        }
    }
}

/// A truth value in any of its common spellings (point 3).
fn yes_or_no(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_values_say() {
        let hints = |more, total, pages| ListHints { more, total, pages, unknown: None };
        for (meaning, value, expected) in [
            (Meaning::More, "true", hints(Some(true), None, None)),
            (Meaning::More, "0", hints(Some(false), None, None)),
            (Meaning::More, "18", hints(Some(true), None, None)),
            (Meaning::More, "No", hints(Some(false), None, None)),
            (Meaning::More, "perhaps", ListHints::default()),
            (Meaning::Last, "true", hints(Some(false), None, None)),
            (Meaning::Last, "false", hints(Some(true), None, None)),
            (Meaning::Last, "https://api.example.com/customers?page=5", ListHints::default()),
            (Meaning::Pages, "5", hints(None, None, Some(5))),
            (Meaning::Pages, "true", hints(Some(false), None, None)),
            (Meaning::Total, "23", hints(None, Some(23), None)),
            (Meaning::Total, "12.50", ListHints::default()),
            (Meaning::Total, "-1", ListHints::default()),
        ] {
            let mut evidence = ListHints::default();
            evidence.record(meaning, value);
            assert_eq!(evidence, expected, "{meaning:?} {value}");
        }
    }

    #[test]
    fn that_there_is_more_counts_where_answers_disagree() {
        let mut hints = ListHints::default();
        hints.record(Meaning::More, "true");
        hints.record(Meaning::Last, "true");
        assert_eq!(hints.more, Some(true));
        let other = ListHints { more: Some(false), total: Some(3), ..ListHints::default() };
        assert_eq!(
            hints.merge(other),
            ListHints { more: Some(true), total: Some(3), ..ListHints::default() }
        );
    }
}
