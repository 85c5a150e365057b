//! Exports of a real mirror into a real folder: what consumers rely on, and what a power cut leaves.

mod compaction;
mod data_package;
mod faults;
mod folders;
mod incremental;
mod old_layout;
mod power_cuts;
mod profiles;
mod properties;
mod replay;
mod retention;
mod system_limits;
#[cfg(feature = "lake")]
mod tables;
mod world;
