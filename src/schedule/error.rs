//! What can be wrong with an expression.

/// Why an expression is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Neither five nor six fields.
    #[error(
        "`{expression}` has {count} fields; a crontab(5) expression has five (minute, hour, day of month, month, \
         day of week), or six with leading seconds"
    )]
    FieldCount {
        /// The expression.
        expression: String,
        /// How many there are.
        count: usize,
    },
    /// A field holds something else than it may.
    #[error("the {field} `{text}` is not usable: {reason}; allowed are {allowed}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// Its text.
        text: String,
        /// What is wrong with it.
        reason: String,
        /// What it may hold.
        allowed: &'static str,
    },
    /// `@reboot` has no time.
    #[error(
        "`@reboot` names no time: it means the start of the machine, which a schedule cannot foresee; run \
         `malomo-mirror sync` once from the service manager instead"
    )]
    Reboot,
    /// `@` with an unknown word.
    #[error(
        "`{nickname}` is no known nickname; there are @yearly, @annually, @monthly, @weekly, @daily, @midnight \
         and @hourly"
    )]
    Nickname {
        /// The nickname.
        nickname: String,
    },
    /// No calendar has such a day.
    #[error("`{expression}` never fires: no month that it names has such a day")]
    NeverFires {
        /// The expression.
        expression: String,
    },
}
