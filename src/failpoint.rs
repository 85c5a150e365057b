//! Places where a test has the process die as if the power failed: no destructor runs, nothing is flushed.
//!
//! `MALOMO_MIRROR_FAIL_POINT=NAME:N` ends the process when it comes to the place of that name for the Nth time. Only
//! builds with debug assertions (`cargo test`) look at the variable; in a release build a place is an empty
//! function and the variable's name isn't even in the program, so nothing outside can end it there.
//!
//! Dying here is no more than `kill -9` may do at any time: what a test shows with it must hold without it too.

/// The places, in the order in which a run comes to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A step of a first load's end: the indexes are built, are durable, the file has its name.
    FirstLoad,
    /// A migration's statements are done, its version is not recorded.
    Migration,
    /// A transaction's last statement is done.
    BeforeCommit,
    /// A transaction is durable.
    AfterCommit,
    /// The hints of deliveries are written, and not durable.
    BeforeHintCommit,
    /// They are durable; the deliveries have not been answered.
    AfterHintCommit,
    /// The run has done its work; its record doesn't say so.
    BeforeRunRecord,
    /// A file of an export, or a manifest that takes another's place, is on the disk under its temporary name.
    BeforeRename,
    /// An export's files have their names; the manifest doesn't name them.
    BeforeManifest,
    /// Half of the manifest's new lines are written.
    HalfManifest,
    /// A file of a Delta table has its name; the table's log doesn't name it.
    #[cfg(feature = "lake")]
    BeforeTableCommit,
    /// The table's log names it.
    #[cfg(feature = "lake")]
    AfterTableCommit,
    /// The manifest names an export's files; the mirror doesn't remember that it reaches so far.
    BeforeAnchor,
}

impl Place {
    #[cfg(debug_assertions)]
    fn name(self) -> &'static str {
        match self {
            Place::FirstLoad => "first-load",
            Place::Migration => "migration",
            Place::BeforeCommit => "before-commit",
            Place::AfterCommit => "after-commit",
            Place::BeforeHintCommit => "before-hint-commit",
            Place::AfterHintCommit => "after-hint-commit",
            Place::BeforeRunRecord => "before-run-record",
            Place::BeforeRename => "before-rename",
            Place::BeforeManifest => "before-manifest",
            Place::HalfManifest => "half-manifest",
            #[cfg(feature = "lake")]
            Place::BeforeTableCommit => "before-table-commit",
            #[cfg(feature = "lake")]
            Place::AfterTableCommit => "after-table-commit",
            Place::BeforeAnchor => "before-anchor",
        }
    }
}

/// Ends the process here, if a test has chosen this place and this time.
pub(crate) fn reached(place: Place) {
    reached_after(place, || {});
}

/// Ends the process here, if a test has chosen this place and this time, after having done half of what follows.
#[cfg(debug_assertions)]
pub(crate) fn reached_after(place: Place, half: impl FnOnce()) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static CHOSEN: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let chosen = CHOSEN.get_or_init(|| {
        let variable = std::env::var("MALOMO_MIRROR_FAIL_POINT").ok()?;
        let (name, time) = variable.split_once(':')?;
        Some((name.to_owned(), time.parse().ok()?))
    });
    if let Some((name, time)) = chosen
        && name == place.name()
        && COUNT.fetch_add(1, Ordering::SeqCst) + 1 == *time
    {
        half();
        std::process::abort();
    }
}

/// Nothing: see the module.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub(crate) fn reached_after(_: Place, _: impl FnOnce()) {}
