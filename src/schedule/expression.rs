//! An expression as a whole: its fields and its nicknames.

use super::error::ScheduleError;
use super::field::{self, Field, Set};

/// What an expression says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) seconds: Set,
    pub(super) minutes: Set,
    pub(super) hours: Set,
    pub(super) days: Set,
    pub(super) months: Set,
    /// From 0 = Sunday.
    pub(super) weekdays: Set,
    /// Whether one of the two day fields is enough.
    pub(super) either_day: bool,
    /// Whether it runs by real time where the clock is changed.
    pub(super) is_wildcard: bool,
}

pub(super) fn parse(expression: &str) -> Result<Parsed, ScheduleError> {
    let written = match expression.strip_prefix('@') {
        Some(_) => nickname(expression)?,
        None => expression,
    };
    let texts: Vec<&str> = written.split_ascii_whitespace().collect();
    let (second, rest) = match texts.as_slice() {
        [second, rest @ ..] if rest.len() == 5 => (*second, rest),
        rest if rest.len() == 5 => ("0", rest),
        _ => {
            return Err(ScheduleError::FieldCount { expression: expression.to_owned(), count: texts.len() });
        }
    };
    read([second, rest[0], rest[1], rest[2], rest[3], rest[4]])
}

/// crontab(5), "nicknames".
fn nickname(expression: &str) -> Result<&'static str, ScheduleError> {
    match expression.to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => Ok("0 0 1 1 *"),
        "@monthly" => Ok("0 0 1 * *"),
        "@weekly" => Ok("0 0 * * 0"),
        "@daily" | "@midnight" => Ok("0 0 * * *"),
        "@hourly" => Ok("0 * * * *"),
        "@reboot" => Err(ScheduleError::Reboot),
        _ => Err(ScheduleError::Nickname { nickname: expression.to_owned() }),
    }
}

fn read(texts: [&str; 6]) -> Result<Parsed, ScheduleError> {
    let [second, minute, hour, day, month, weekday] = texts;
    let (minutes, hours) = (field::parse(Field::Minute, minute)?, field::parse(Field::Hour, hour)?);
    Ok(Parsed {
        seconds: field::parse(Field::Second, second)?,
        minutes,
        hours,
        days: field::parse(Field::Day, day)?,
        months: field::parse(Field::Month, month)?,
        weekdays: field::parse(Field::Weekday, weekday)?,
        either_day: !day.starts_with('*') && !weekday.starts_with('*'),
        is_wildcard: field::is_wildcard(Field::Minute, minute, minutes)
            || field::is_wildcard(Field::Hour, hour, hours),
    })
}
