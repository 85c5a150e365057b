//! The `malomo-mirror` program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    malomo_mirror::cli::main(std::env::args_os())
}
