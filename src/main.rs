//! The `malomo-mirror` program; everything is in the library.

use std::process::ExitCode;

/// Records are allocated by the threads that read answers and freed by the one that writes, where the system's allocator
/// makes both wait for a lock: a first run takes a tenth less time with this one. Without huge pages (the feature `no_thp`),
/// since they would be counted as memory in use.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    malomo_mirror::cli::main(std::env::args_os())
}
