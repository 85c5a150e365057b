//! What a profile does with one value. Pure.

use crate::record::{digits, folded, instant};
use jiff::{Timestamp, civil, tz::TimeZone};

/// What is done with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// It is shown.
    Keep,
    /// It is left out: NULL in a column, no member in JSON.
    Drop,
    /// The first character, three stars, and of an e-mail address its domain: `j***@example.com`.
    Mask,
    /// A pseudonym: 32 hex digits, the same ones for the same value under the same key.
    Hmac,
    /// Of a time the beginning of its year, UTC.
    Year,
    /// Of an e-mail address what stands behind its `@`.
    Domain,
    /// Of an international telephone number its country's calling code, such as `+44`.
    Country,
}

/// Makes the pseudonym of a text.
pub(super) type Pseudonym<'k> = &'k dyn Fn(&str) -> String;

impl Rule {
    /// Every rule.
    pub const ALL: [Rule; 7] =
        [Rule::Keep, Rule::Drop, Rule::Mask, Rule::Hmac, Rule::Year, Rule::Domain, Rule::Country];

    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Rule::Keep => "keep",
            Rule::Drop => "drop",
            Rule::Mask => "mask",
            Rule::Hmac => "hmac",
            Rule::Year => "year",
            Rule::Domain => "domain",
            Rule::Country => "country",
        }
    }

    /// The rule of that name.
    pub fn from_name(name: &str) -> Option<Rule> {
        Rule::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// What is shown of a text that is not to be kept as it is; `None`: nothing.
    pub(super) fn of_text(self, text: &str, pseudonym: Pseudonym<'_>) -> Option<String> {
        match self {
            Rule::Keep => Some(text.to_owned()),
            Rule::Drop => None,
            Rule::Mask => Some(masked(text)),
            Rule::Hmac => Some(pseudonym(&same(text))),
            Rule::Year => {
                let year = year_of(instant(text)?.as_second())?;
                Some(format!("{year:04}-01-01T00:00:00Z"))
            }
            Rule::Domain => {
                let (_, domain) = text.rsplit_once('@')?;
                (!domain.trim().is_empty()).then(|| domain.trim().to_lowercase())
            }
            Rule::Country => calling_code(text).map(|code| format!("+{code}")),
        }
    }

    /// What is shown of Unix seconds; `None`: nothing.
    pub(super) fn of_seconds(self, seconds: i64) -> Option<i64> {
        match self {
            Rule::Keep => Some(seconds),
            Rule::Year => {
                let first = civil::Date::new(year_of(seconds)?, 1, 1).ok()?;
                Some(TimeZone::UTC.to_timestamp(first.into()).ok()?.as_second())
            }
            Rule::Drop | Rule::Mask | Rule::Hmac | Rule::Domain | Rule::Country => None,
        }
    }
}

fn year_of(seconds: i64) -> Option<i16> {
    let at = Timestamp::from_second(seconds).ok()?;
    let year = TimeZone::UTC.to_datetime(at).year();
    (year >= 0).then_some(year)
}

fn masked(text: &str) -> String {
    let (name, domain) = match text.rsplit_once('@') {
        Some((name, domain)) => (name, format!("@{domain}")),
        None => (text, String::new()),
    };
    let first: String = name.chars().take(1).collect();
    format!("{first}***{domain}")
}

/// The text without what makes no difference, where it is an e-mail address or a telephone number.
fn same(text: &str) -> String {
    let is_of_number = |c: char| c.is_ascii_digit() || matches!(c, '+' | ' ' | '(' | ')' | '-' | '.' | '/');
    let is_number = text.chars().all(is_of_number) && text.chars().filter(char::is_ascii_digit).count() >= 7;
    match text {
        _ if text.contains('@') => folded(text),
        _ if is_number => digits(text),
        _ => text.to_owned(),
    }
}

/// The calling code of an international number, by the zones of ITU-T E.164: in zones 1 and 7 it has one digit, these
/// pairs are codes of their own, and every other one has three digits.
fn calling_code(number: &str) -> Option<String> {
    const PAIRS: [&str; 44] = [
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48",
        "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81",
        "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
    ];
    let number = number.trim();
    let rest = number.strip_prefix('+').or_else(|| number.strip_prefix("00"))?;
    let digits = digits(rest);
    let pair = digits.get(..2)?;
    let length = match digits.as_bytes().first()? {
        b'1' | b'7' => 1,
        b'2'..=b'9' if PAIRS.contains(&pair) => 2,
        b'2'..=b'9' => 3,
        _ => return None,
    };
    // A code alone is no number.
    (digits.len() >= length + 4).then(|| digits.get(..length).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rule: Rule, text: &str) -> Option<String> {
        rule.of_text(text, &|text| format!("<{text}>"))
    }

    #[test]
    fn each_rule_shows_what_it_says() {
        for (rule, text, expected) in [
            (Rule::Keep, "a", Some("a")),
            (Rule::Drop, "a", None),
            (Rule::Mask, "jane@example.com", Some("j***@example.com")),
            (Rule::Mask, "Émile", Some("É***")),
            (Rule::Mask, "", Some("***")),
            (Rule::Mask, "a@b@c.d", Some("a***@c.d")),
            (Rule::Hmac, " Jane@Example.com", Some("<jane@example.com>")),
            (Rule::Hmac, "+1 (555) 010-7788", Some("<15550107788>")),
            (Rule::Hmac, "Jane-Anne", Some("<Jane-Anne>")),
            (Rule::Hmac, "12-34", Some("<12-34>")),
            (Rule::Year, "2024-05-01T12:00:00+02:00", Some("2024-01-01T00:00:00Z")),
            (Rule::Year, "2024-01-01T00:30:00+02:00", Some("2023-01-01T00:00:00Z")),
            (Rule::Year, "soon", None),
            (Rule::Domain, "jane@Example.com ", Some("example.com")),
            (Rule::Domain, "jane", None),
            (Rule::Domain, "jane@", None),
            (Rule::Country, "+44 20 7946 0958", Some("+44")),
            (Rule::Country, "0044 20 7946 0958", Some("+44")),
            (Rule::Country, "+1 (555) 010-7788", Some("+1")),
            (Rule::Country, "+353 1 234 5678", Some("+353")),
            (Rule::Country, "020 7946 0958", None),
            (Rule::Country, "+", None),
            (Rule::Country, "+44", None),
            (Rule::Country, "+é12345678", Some("+1")),
        ] {
            assert_eq!(of(rule, text).as_deref(), expected, "{rule:?} {text}");
        }
    }

    #[test]
    fn seconds_are_kept_or_lose_all_but_the_year() {
        for (rule, seconds, expected) in [
            (Rule::Keep, -7, Some(-7)),
            (Rule::Year, 1_714_564_800, Some(1_704_067_200)),
            (Rule::Year, 1_704_067_200, Some(1_704_067_200)),
            (Rule::Year, -1, Some(-31_536_000)),
            (Rule::Year, i64::MAX, None),
            (Rule::Drop, 1, None),
            (Rule::Hmac, 1, None),
        ] {
            assert_eq!(rule.of_seconds(seconds), expected, "{rule:?} {seconds}");
        }
    }

    #[test]
    fn rules_have_one_name_each() {
        for rule in Rule::ALL {
            assert_eq!(Rule::from_name(rule.name()), Some(rule));
        }
        assert_eq!(Rule::from_name("hash"), None);
    }
}
