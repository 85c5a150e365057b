//! One field of an expression: lists of values, ranges and steps.

use super::error::ScheduleError;

/// Which field it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Field {
    fn name(self) -> &'static str {
        match self {
            Field::Second => "second",
            Field::Minute => "minute",
            Field::Hour => "hour",
            Field::Day => "day of month",
            Field::Month => "month",
            Field::Weekday => "day of week",
        }
    }

    /// The least and the greatest value; weekdays run from 0 = Sunday, their 7 is folded to 0.
    fn bounds(self) -> (u32, u32) {
        match self {
            Field::Second | Field::Minute => (0, 59),
            Field::Hour => (0, 23),
            Field::Day => (1, 31),
            Field::Month => (1, 12),
            Field::Weekday => (0, 6),
        }
    }

    fn allowed(self) -> &'static str {
        match self {
            Field::Second | Field::Minute => "0-59, *, lists (a,b), ranges (a-b) and steps (*/n, a-b/n)",
            Field::Hour => "0-23, *, lists (a,b), ranges (a-b) and steps (*/n, a-b/n)",
            Field::Day => "1-31, *, lists (a,b), ranges (a-b) and steps (*/n, a-b/n)",
            Field::Month => "1-12, JAN-DEC, *, lists (a,b), ranges (a-b) and steps (*/n, a-b/n)",
            Field::Weekday => {
                "0-7 (0 and 7 are Sunday), SUN-SAT, *, lists (a,b), ranges (a-b) and steps (*/n, a-b/n)"
            }
        }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Field::Month => MONTHS,
            Field::Weekday => WEEKDAYS,
            _ => &[],
        }
    }

    /// A single value, before a weekday's 7 is folded.
    fn value(self, text: &str) -> Result<u32, String> {
        let (least, greatest) = self.bounds();
        let lower = text.to_ascii_lowercase();
        if let Some(place) = (least..).zip(self.names()).find(|(_, name)| **name == lower) {
            return Ok(place.0);
        }
        let number = number(text).ok_or_else(|| format!("`{text}` is no value of this field"))?;
        let greatest = if self == Field::Weekday { 7 } else { greatest };
        if (least..=greatest).contains(&number) {
            Ok(number)
        } else {
            Err(format!("{number} is out of range"))
        }
    }
}

/// Values of a field, one bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Set(u64);

impl Set {
    /// Whether the value is one of them.
    pub(super) fn has(self, value: u32) -> bool {
        self.at_or_after(value) == Some(value)
    }

    /// The first of them that is not less than `least`.
    pub(super) fn at_or_after(self, least: u32) -> Option<u32> {
        let rest = self.0.checked_shr(least).filter(|rest| *rest != 0)?;
        Some(least + rest.trailing_zeros())
    }
}

/// Digits alone: `parse` would also take a leading plus sign.
fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// The values of a field, never none.
pub(super) fn parse(field: Field, text: &str) -> Result<Set, ScheduleError> {
    let mut values = 0;
    for item in text.split(',') {
        let parsed = parse_item(field, item).map_err(|reason| ScheduleError::Field {
            field: field.name(),
            text: text.to_owned(),
            reason,
            allowed: field.allowed(),
        })?;
        values = parsed.into_iter().fold(values, |values, value| values | 1 << value);
    }
    Ok(Set(values))
}

/// Whether the field repeats its unit rather than naming times of it: it has a step, or holds every value there is.
pub(super) fn is_wildcard(field: Field, text: &str, values: Set) -> bool {
    let (least, greatest) = field.bounds();
    text.contains('/') || values.0.count_ones() == greatest - least + 1
}

/// One item of a list: `*`, `a`, `a-b`, each but `a` also with `/n`.
fn parse_item(field: Field, item: &str) -> Result<Vec<u32>, String> {
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (item, None),
    };
    let (least, greatest) = field.bounds();
    let step = match step.map(|step| (step, number(step))) {
        None => 1,
        Some((_, Some(step))) if step > 0 => step,
        Some((text, _)) => return Err(format!("the step `{text}` is no whole number above zero")),
    };
    let run = match range.split_once('-') {
        _ if range == "*" => (least..=greatest).collect(),
        Some((from, to)) => run(field, field.value(from)?, field.value(to)?),
        None if range.is_empty() => return Err("there is an empty place in it".to_owned()),
        // Vixie cron refuses it, Quartz means `a-/n`: better to ask than to guess.
        None if step != 1 || item.contains('/') => {
            return Err(format!("a step needs a range; write `{range}-{greatest}/{step}` or `*/{step}`"));
        }
        None => vec![fold(field, field.value(range)?)],
    };
    Ok(run.into_iter().step_by(step as usize).collect())
}

/// From `from` to `to`, over the end of the field where `to` is less.
fn run(field: Field, from: u32, to: u32) -> Vec<u32> {
    let (least, greatest) = field.bounds();
    if from <= to {
        return (from..=to).map(|value| fold(field, value)).collect();
    }
    let from = fold(field, from);
    if from <= to { (from..=to).collect() } else { (from..=greatest).chain(least..=to).collect() }
}

/// A weekday's 7 is Sunday, as 0 is.
fn fold(field: Field, value: u32) -> u32 {
    if field == Field::Weekday && value == 7 { 0 } else { value }
}
