//! The binary as a child process.

use serde_json::Value;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

/// No test waits longer for the program: it would wait for ever.
const PATIENCE: Duration = Duration::from_secs(120);

/// How the binary is to be run.
#[derive(Clone)]
pub struct Program {
    folder: PathBuf,
    sets: Vec<String>,
    environment: Vec<(OsString, OsString)>,
}

impl Program {
    /// In that folder, with an environment that holds nothing of the machine's but the path.
    pub fn new(folder: &Path) -> Program {
        let environment = ["PATH", "TMPDIR", "LLVM_PROFILE_FILE"]
            .into_iter()
            .filter_map(|name| Some((name.into(), std::env::var_os(name)?)));
        Program { folder: folder.to_owned(), sets: Vec::new(), environment: environment.collect() }
    }

    /// With one key of the configuration set.
    pub fn set(mut self, key_value: &str) -> Program {
        self.sets.push(key_value.to_owned());
        self
    }

    /// With another API key.
    pub fn key(self, key: &str) -> Program {
        self.variable("MALOMO_API_KEY", key)
    }

    /// With a variable of the environment.
    pub fn variable(mut self, name: &str, value: &str) -> Program {
        self.environment.retain(|(found, _)| found != name);
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Without a variable of the environment.
    pub fn without(mut self, name: &str) -> Program {
        self.environment.retain(|(found, _)| found != name);
        self
    }

    /// The command for these arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_malomo-mirror"));
        command
            .current_dir(&self.folder)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null());
        for set in &self.sets {
            command.arg("--set").arg(set);
        }
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts it.
    pub fn start(&self, arguments: &[&str]) -> Running {
        self.start_command(self.command(arguments), arguments)
    }

    /// Starts a command for these arguments, changed by the caller.
    pub fn start_command(&self, mut command: Command, arguments: &[&str]) -> Running {
        Running::new(command.spawn().unwrap(), arguments.join(" "))
    }

    /// Runs it to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        self.start(arguments).end().await
    }

    /// Runs it to its end, which has to be this exit code.
    pub async fn ends(&self, code: i32, arguments: &[&str]) -> Ran {
        self.run(arguments).await.expect(code)
    }
}

/// The program at work.
pub struct Running {
    child: Child,
    arguments: String,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
    printed: mpsc::UnboundedReceiver<String>,
    logged: mpsc::UnboundedReceiver<String>,
}

impl Running {
    fn new(mut child: Child, arguments: String) -> Running {
        let (stdout, printed) = listen(child.stdout.take().unwrap());
        let (stderr, logged) = listen(child.stderr.take().unwrap());
        Running { child, arguments, stdout, stderr, printed, logged }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: nothing is tidied up.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
    }

    /// Sends a signal by its name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.pid());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits until a line of stderr holds this text; false if the program ends before.
    pub async fn says(&mut self, text: &str) -> bool {
        line_with(&mut self.logged, text).await.is_some()
    }

    /// Waits for the line of stderr that holds this text.
    pub async fn logs(&mut self, text: &str) -> String {
        line_with(&mut self.logged, text).await.expect("it ended before it logged that")
    }

    /// Waits for the line of stdout that holds this text.
    pub async fn prints(&mut self, text: &str) -> String {
        line_with(&mut self.printed, text).await.expect("it ended before it printed that")
    }

    /// Waits for the end.
    pub async fn end(mut self) -> Ran {
        let outputs = async { (self.stdout.await.unwrap(), self.stderr.await.unwrap()) };
        let Ok((stdout, stderr)) = tokio::time::timeout(PATIENCE, outputs).await else {
            self.child.kill().unwrap();
            panic!("`{}` did not end", self.arguments);
        };
        let status = self.child.wait().unwrap();
        Ran { arguments: self.arguments, status, stdout, stderr }
    }
}

/// Reads an output to its end, and tells of each line as it comes.
fn listen(output: impl Read + Send + 'static) -> (JoinHandle<String>, mpsc::UnboundedReceiver<String>) {
    let (line, lines) = mpsc::unbounded_channel();
    let reading = spawn_blocking(move || {
        let mut output = BufReader::new(output);
        let mut text = String::new();
        loop {
            let before = text.len();
            if output.read_line(&mut text).unwrap() == 0 {
                return text;
            }
            // Nobody may be listening any more.
            let _ = line.send(text[before..].to_owned());
        }
    });
    (reading, lines)
}

async fn line_with(lines: &mut mpsc::UnboundedReceiver<String>, text: &str) -> Option<String> {
    loop {
        let line = lines.recv().await?;
        if line.contains(text) {
            return Some(line);
        }
    }
}

/// The program has ended.
pub struct Ran {
    arguments: String,
    status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Its exit code; `None` if a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal that ended it.
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Itself, if it ended with this exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Ran {
        assert_eq!(
            self.code(),
            Some(code),
            "`{}` ended with {}\n--- stdout\n{}\n--- stderr\n{}",
            self.arguments,
            self.status,
            self.stdout,
            self.stderr
        );
        self
    }

    /// stdout as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// Asserts that stdout holds each of these texts.
    #[track_caller]
    pub fn shows(&self, texts: &[&str]) -> &Ran {
        for text in texts {
            assert!(
                self.stdout.contains(text),
                "`{}` does not show {text:?}:\n{}",
                self.arguments,
                self.stdout
            );
        }
        self
    }

    /// Asserts that stderr holds each of these texts.
    #[track_caller]
    pub fn tells(&self, texts: &[&str]) -> &Ran {
        for text in texts {
            assert!(
                self.stderr.contains(text),
                "`{}` does not tell {text:?}:\n{}",
                self.arguments,
                self.stderr
            );
        }
        self
    }
}
