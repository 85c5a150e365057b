//! One field of an expression: lists of values, ranges and steps.

use super::error::ScheduleError;
use std::collections::BTreeSet;

/// What a field may hold.
pub(super) struct Field {
    name: &'static str,
    least: u32,
    greatest: u32,
    /// The values as users are told them.
    values: &'static str,
    /// Names of values, from the least one on.
    names: &'static [&'static str],
}

pub(super) const SECOND: Field = Field { name: "second", ..MINUTE };
pub(super) const MINUTE: Field = Field { name: "minute", least: 0, greatest: 59, values: "0-59", names: &[] };
pub(super) const HOUR: Field = Field { name: "hour", least: 0, greatest: 23, values: "0-23", names: &[] };
pub(super) const DAY: Field =
    Field { name: "day of month", least: 1, greatest: 31, values: "1-31", names: &[] };
pub(super) const MONTH: Field = Field {
    name: "month",
    least: 1,
    greatest: 12,
    values: "1-12, JAN-DEC",
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
/// 7 is folded to 0: both are Sunday.
pub(super) const WEEKDAY: Field = Field {
    name: "day of week",
    least: 0,
    greatest: 6,
    values: "0-7 (0 and 7 are Sunday), SUN-SAT",
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

impl Field {
    /// The values of its text, ascending, never none.
    pub(super) fn parse(&self, text: &str) -> Result<Vec<u32>, ScheduleError> {
        let mut values = BTreeSet::new();
        for item in text.split(',') {
            let parsed = self.item(item).map_err(|reason| ScheduleError::Field {
                field: self.name,
                text: text.to_owned(),
                reason,
                allowed: self.values,
            })?;
            values.extend(parsed);
        }
        Ok(values.into_iter().collect())
    }

    /// Whether its text repeats its unit rather than naming times of it: it has a step, or holds every value there is.
    pub(super) fn is_wildcard(&self, text: &str, values: &[u32]) -> bool {
        text.contains('/') || values.len() as u32 == self.greatest - self.least + 1
    }

    /// One item of a list: `*`, `a`, `a-b`, each but `a` also with `/n`.
    fn item(&self, item: &str) -> Result<Vec<u32>, String> {
        let (range, step) = item.split_once('/').map_or((item, None), |(range, step)| (range, Some(step)));
        let step_by = match step {
            None => 1,
            Some(text) => number(text)
                .filter(|step| *step > 0)
                .ok_or_else(|| format!("the step `{text}` is no whole number above zero"))?,
        };
        let run = match range.split_once('-') {
            _ if range == "*" => (self.least..=self.greatest).collect(),
            Some((from, to)) => self.run(self.value(from)?, self.value(to)?),
            None if range.is_empty() => return Err("there is an empty place in it".to_owned()),
            // Vixie cron refuses it, Quartz means `a-/n`: better to ask than to guess.
            None if step.is_some() => {
                let greatest = self.greatest;
                return Err(format!(
                    "a step needs a range; write `{range}-{greatest}/{step_by}` or `*/{step_by}`"
                ));
            }
            None => vec![self.fold(self.value(range)?)],
        };
        Ok(run.into_iter().step_by(step_by as usize).collect())
    }

    /// A single value, before a weekday's 7 is folded.
    fn value(&self, text: &str) -> Result<u32, String> {
        let lower = text.to_ascii_lowercase();
        if let Some((value, _)) = (self.least..).zip(self.names).find(|(_, name)| **name == lower) {
            return Ok(value);
        }
        match number(text).ok_or_else(|| format!("`{text}` is no value of this field"))? {
            number if number >= self.least && self.fold(number) <= self.greatest => Ok(number),
            number => Err(format!("{number} is out of range")),
        }
    }

    /// From `from` to `to`, over the end of the field where `to` is less.
    fn run(&self, from: u32, to: u32) -> Vec<u32> {
        if from <= to {
            return (from..=to).map(|value| self.fold(value)).collect();
        }
        let from = self.fold(from);
        if from <= to {
            (from..=to).collect()
        } else {
            (from..=self.greatest).chain(self.least..=to).collect()
        }
    }

    fn fold(&self, value: u32) -> u32 {
        if self.name == WEEKDAY.name && value == 7 { 0 } else { value }
    }
}

/// Digits alone: `parse` would also take a leading plus sign.
fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}
