//! What an answer says of its list besides naming the next page (`api-contract` point 3).

use super::field_names::Meaning;

/// What an answer says of its list beside the next page's name: facts that an end must not contradict (`api-contract`
/// point 3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Whether there are further pages. Where several members disagree, that there are.
    pub more: Option<bool>,
    /// How many records the list has; the largest number where several are told.
    pub total: Option<u64>,
    /// How many pages it has.
    pub pages: Option<u64>,
    /// What looks like the way to a next page and is not understood: the first such place.
    pub unknown: Option<String>,
}

impl Said {
    /// Takes a member's or a header's value; `false` where it can't be read.
    pub(super) fn hear(&mut self, meaning: Meaning, value: &str) -> bool {
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
            // Numbers under such names are something else: records further on, perhaps.
            Meaning::More => self.more = Some(true),
            _ => return false,
        }
        true
    }

    pub(super) fn suspect(&mut self, place: String) {
        self.unknown.get_or_insert(place);
    }

    /// What both say together.
    pub(super) fn and(self, other: Said) -> Said {
        Said {
            more: self.more.max(other.more),
            total: self.total.max(other.total),
            pages: self.pages.max(other.pages),
            unknown: self.unknown.or(other.unknown),
        }
    }
}

/// A truth value, in the ways in which they are written.
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
        let said = |more, total, pages| Said { more, total, pages, unknown: None };
        for (meaning, value, expected) in [
            (Meaning::More, "true", said(Some(true), None, None)),
            (Meaning::More, "0", said(Some(false), None, None)),
            (Meaning::More, "18", said(Some(true), None, None)),
            (Meaning::More, "No", said(Some(false), None, None)),
            (Meaning::More, "perhaps", Said::default()),
            (Meaning::Last, "true", said(Some(false), None, None)),
            (Meaning::Last, "false", said(Some(true), None, None)),
            (Meaning::Last, "https://api.example.com/customers?page=5", Said::default()),
            (Meaning::Pages, "5", said(None, None, Some(5))),
            (Meaning::Pages, "true", said(Some(false), None, None)),
            (Meaning::Total, "23", said(None, Some(23), None)),
            (Meaning::Total, "12.50", Said::default()),
            (Meaning::Total, "-1", Said::default()),
        ] {
            let mut heard = Said::default();
            heard.hear(meaning, value);
            assert_eq!(heard, expected, "{meaning:?} {value}");
        }
    }

    #[test]
    fn that_there_is_more_counts_where_answers_disagree() {
        let mut said = Said::default();
        said.hear(Meaning::More, "true");
        said.hear(Meaning::Last, "true");
        assert_eq!(said.more, Some(true));
        let other = Said { more: Some(false), total: Some(3), ..Said::default() };
        assert_eq!(said.and(other), Said { more: Some(true), total: Some(3), ..Said::default() });
    }
}
