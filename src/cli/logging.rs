//! Log lines on stderr.

use super::args::{Global, LogFormat};
use super::stderr::Stderr;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal;
use std::thread;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;

/// Starts logging for the whole process. `runs` is whether the command is one whose course is worth telling; the others only
/// warn.
pub(super) fn start(global: &Global, runs: bool, stderr: &Stderr) {
    let terminal = std::io::stderr().is_terminal();
    let level = match (global.quiet, global.verbose) {
        (true, _) => LevelFilter::ERROR,
        (_, 0) if runs => LevelFilter::INFO,
        (_, 0) => LevelFilter::WARN,
        (_, 1) => LevelFilter::DEBUG,
        (_, _) => LevelFilter::TRACE,
    };
    // Libraries below may log what we must not: URLs with tokens, header names. They stay silent.
    let ours = Targets::new().with_target("malomo_mirror", level);
    let stderr = stderr.clone();
    let lines = tracing_subscriber::fmt::layer().with_writer(move || stderr.clone()).with_target(false);
    let json = match global.log_format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines =
        if json { lines.json().flatten_event(true).boxed() } else { lines.with_ansi(terminal).boxed() };
    // A second start, in tests, changes nothing.
    let _ =
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines.with_filter(ours)));
    log_panics();
}

/// A panic is logged as everything else is, and waits for stderr no longer than that. By default it would be written
/// where it happens, and a run that nobody reads the log of would never end.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = Backtrace::capture();
        let is_captured = backtrace.status() == BacktraceStatus::Captured;
        tracing::error!(
            thread = thread::current().name(),
            place = panic.location().map(tracing::field::display),
            backtrace = is_captured.then(|| tracing::field::display(backtrace)),
            "the program panicked: {}",
            panic.payload_as_str().unwrap_or("it doesn't say why")
        );
    }));
}
