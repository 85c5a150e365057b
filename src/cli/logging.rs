//! Log lines on stderr.

use super::args::{Global, LogFormat};
use indicatif::ProgressBar;
use std::io::{IsTerminal, Write};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Starts logging for the whole process. Lines go above the progress bar where one is shown.
/// `runs` is whether the command is one whose course is worth telling; the others only warn.
pub(super) fn start(global: &Global, runs: bool, bar: &ProgressBar) {
    let terminal = std::io::stderr().is_terminal();
    let level = match (global.quiet, global.verbose) {
        (true, _) => LevelFilter::ERROR,
        (_, 0) if runs => LevelFilter::INFO,
        (_, 0) => LevelFilter::WARN,
        (_, 1) => LevelFilter::DEBUG,
        (_, _) => LevelFilter::TRACE,
    };
    // Libraries below may log what we must not: URLs with tokens, header names. They stay silent.
    let ours = tracing_subscriber::filter::Targets::new().with_target("malomo_mirror", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(Stderr(bar.clone())).with_target(false);
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::SubscriberExt;
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
}

struct Stderr(ProgressBar);

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { bar: &self.0, text: Vec::new() }
    }
}

/// A log line; written as a whole, while the progress bar is off the screen.
struct Line<'a> {
    bar: &'a ProgressBar,
    text: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        // Nobody is left to tell if stderr is gone.
        self.bar.suspend(|| drop(std::io::stderr().write_all(&self.text)));
    }
}
