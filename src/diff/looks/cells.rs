//! What is counted of customers in one state.

/// The ages that a newest event is told apart by, youngest first: from how many seconds on, and its name.
pub const AGES: [(i64, &str); 15] = [
    (0, "under 10m"),
    (600, "10m to 1h"),
    (3_600, "1h to 3h"),
    (10_800, "3h to 6h"),
    (21_600, "6h to 12h"),
    (43_200, "12h to 1d"),
    (86_400, "1d to 2d"),
    (2 * 86_400, "2d to 4d"),
    (4 * 86_400, "4d to 8d"),
    (8 * 86_400, "8d to 16d"),
    (16 * 86_400, "16d to 32d"),
    (32 * 86_400, "32d to 64d"),
    (64 * 86_400, "64d to 128d"),
    (128 * 86_400, "128d to 1y"),
    (365 * 86_400, "over 1y"),
];

/// Once a cell has seen so many events, or so many days, both count half: what came lately weighs more than what came
/// long ago.
const EVENTS_REMEMBERED: f64 = 400.0;
const DAYS_REMEMBERED: f64 = 50_000.0;

/// What was seen of customers in one state: their newest event is of one kind and has one of the [`AGES`].
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Looks at customers who were in this state.
    pub looks: u64,
    /// Of these, looks that found new events.
    pub hits: u64,
    /// Events that came to customers in this state. Old ones count less.
    pub events: f64,
    /// For how many days customers were in this state. Long ago counts less.
    pub days: f64,
    pub(super) is_changed: bool,
}

impl Cell {
    /// As it stands in the mirror.
    pub fn new(looks: u64, hits: u64, events: f64, days: f64) -> Cell {
        let seen = |number: f64| if number.is_finite() { number.max(0.0) } else { 0.0 };
        Cell { looks, hits, events: seen(events), days: seen(days), is_changed: false }
    }

    /// Counts events that came, and days that passed.
    pub(super) fn add(&mut self, events: f64, days: f64) {
        self.is_changed = true;
        self.events += events;
        self.days += days;
        if self.events > EVENTS_REMEMBERED || self.days > DAYS_REMEMBERED {
            self.events /= 2.0;
            self.days /= 2.0;
        }
    }
}

pub(super) type Cells = [Cell; AGES.len()];

/// The [`AGES`] that a newest event goes through while it grows older, from and to so many seconds: the place of each, and
/// the seconds between which the event has it.
pub(super) fn ages_between(from: i64, to: i64) -> impl Iterator<Item = (usize, i64, i64)> {
    let ends = AGES.iter().skip(1).map(|(next, _)| *next).chain([i64::MAX]);
    let spans = AGES.iter().zip(ends).enumerate();
    let shared = spans.map(move |(age, ((begins, _), ends))| (age, from.max(*begins), to.min(ends)));
    shared.filter(|(_, begins, ends)| begins < ends)
}

/// The place in [`AGES`] of an event that is so many seconds old.
pub(super) fn age_of(seconds: i64) -> usize {
    AGES.partition_point(|(from, _)| *from <= seconds).saturating_sub(1)
}
