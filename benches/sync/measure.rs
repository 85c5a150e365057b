//! A command as a whole process: its time and what it took of the machine. Linux only: read from `/proc`.

use crate::Outcome;
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Ticks of `/proc/PID/stat` a second, the same on every Linux that Rust runs on.
const TICKS_A_SECOND: f64 = 100.0;

/// How often the process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// What one run took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Taken {
    /// From the start to the end of the process.
    pub seconds: f64,
    /// User and system time of all its threads.
    pub cpu_seconds: f64,
    /// The most memory it held at once, in bytes.
    pub peak_memory: f64,
    /// Bytes it caused to be written to disk.
    pub written: f64,
}

/// A run's figures, and what it wrote to stdout.
pub struct Ran {
    pub taken: Taken,
    pub stdout: String,
}

/// Runs the command to its end, which has to be a success.
pub fn run(command: &mut Command) -> Outcome<Ran> {
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (mut out, mut err) =
        (child.stdout.take().ok_or("no stdout")?, child.stderr.take().ok_or("no stderr")?);
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    });
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        err.read_to_string(&mut text).map(|_| text)
    });
    let mut taken = Taken::default();
    // Its last figures stay readable until its end is waited for, but not its memory: that is looked at all the time.
    while !has_ended(child.id())? {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
        taken.peak_memory = taken.peak_memory.max(number_after(&status, "VmHWM:") * 1024.0);
        std::thread::sleep(LOOK_EVERY);
    }
    taken.seconds = begun.elapsed().as_secs_f64();
    taken.cpu_seconds = cpu_seconds(child.id())?;
    let io = fs::read_to_string(format!("/proc/{}/io", child.id())).unwrap_or_default();
    taken.written = number_after(&io, "\nwrite_bytes:");
    let status = child.wait()?;
    let stdout = reader.join().map_err(|_| "reading failed")??;
    let stderr = errors.join().map_err(|_| "reading failed")??;
    if !status.success() {
        return Err(format!("{command:?} ended with {status}:\n{stdout}{stderr}").into());
    }
    Ok(Ran { taken, stdout })
}

fn has_ended(process: u32) -> Outcome<bool> {
    Ok(matches!(stat(process)?.first().map(String::as_str), Some("Z" | "X")))
}

fn cpu_seconds(process: u32) -> Outcome<f64> {
    let fields = stat(process)?;
    let ticks = |n: usize| fields.get(n).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or_default();
    Ok((ticks(11) + ticks(12)) / TICKS_A_SECOND)
}

/// The fields of `/proc/PID/stat` from the third on; the second one may hold anything.
fn stat(process: u32) -> Outcome<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = text.rsplit_once(") ").ok_or("an odd /proc/PID/stat")?;
    Ok(fields.split(' ').map(str::to_owned).collect())
}

fn number_after(text: &str, name: &str) -> f64 {
    text.split_once(name)
        .and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}

/// The median of each figure by itself.
pub fn median(runs: &[Taken]) -> Taken {
    let of = |figure: fn(&Taken) -> f64| middle(runs.iter().map(figure).collect());
    Taken {
        seconds: of(|taken| taken.seconds),
        cpu_seconds: of(|taken| taken.cpu_seconds),
        peak_memory: of(|taken| taken.peak_memory),
        written: of(|taken| taken.written),
    }
}

pub fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
