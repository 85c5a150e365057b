//! What a try left behind, counted.

use crate::support::{
    Place, Program, Ran, Row, State, as_exported, assert_days_are_true, assert_derived_is_true,
    assert_no_strays, assert_totals_are_true, manifest, replay,
};
use crate::test_account::SECRETS;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// What tries found; all but `tries` and `deaths` is 0 when the promises are kept.
#[derive(Default)]
pub struct Findings {
    pub tries: u64,
    /// Processes that were killed or killed themselves, of which a try may have several.
    pub deaths: u64,
    /// Rows that the server has and the mirror or an export's replay lacks.
    pub lost: u64,
    /// Change numbers that stand twice in exports, rows that were taken in twice.
    pub duplicated: u64,
    /// Rows with other content than the server's, rows that the server doesn't have, and everything else that isn't as
    /// it should be: an exit code, a range that is missing, a corrupt database.
    pub wrong: u64,
    /// Personal data or the key outside the mirror and the exports, requests to another server.
    pub leaks: u64,
    notes: Vec<String>,
}

impl Findings {
    /// Of one try that is yet to be made.
    pub fn of_a_try() -> Findings {
        Findings { tries: 1, ..Findings::default() }
    }

    pub fn add(&mut self, other: Findings) {
        self.tries += other.tries;
        self.deaths += other.deaths;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.wrong += other.wrong;
        self.leaks += other.leaks;
        self.notes.extend(other.notes);
    }

    /// Notes what is wrong, if it is.
    pub fn check(&mut self, is_good: bool, what: impl FnOnce() -> String) {
        if !is_good {
            self.wrong += 1;
            self.notes.push(what());
        }
    }

    /// Clean, and the process did die so many times at least.
    #[track_caller]
    pub fn assert_clean_after(&self, deaths: u64) {
        assert!(self.deaths >= deaths, "{} deaths in {} tries", self.deaths, self.tries);
        self.assert_clean();
    }

    /// Clean, as far as this machine lets it be tried.
    #[track_caller]
    pub fn assert_clean_where_possible(&self) {
        if self.tries > 0 {
            self.assert_clean();
        }
    }

    #[track_caller]
    pub fn assert_clean(&self) {
        let Findings { lost, duplicated, wrong, leaks, .. } = self;
        let notes = self.notes.iter().take(50).map(String::as_str).collect::<Vec<_>>().join("\n");
        assert_eq!(
            (*lost, *duplicated, *wrong, *leaks),
            (0, 0, 0, 0),
            "lost, duplicated, wrong, leaks\n{notes}"
        );
        assert!(self.tries > 0);
    }

    /// What a run said: no secret, no panic.
    pub fn heard(&mut self, ran: &Ran) {
        for (output, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            self.search(output, text.as_bytes());
            self.check(!text.contains("panicked at"), || format!("it panicked: {text}"));
        }
    }

    fn search(&mut self, place: &str, bytes: &[u8]) {
        for secret in SECRETS {
            if bytes.windows(secret.len()).any(|window| window == secret.as_bytes()) {
                self.leaks += 1;
                self.notes.push(format!("{secret} stands in {place}"));
            }
        }
    }

    /// A run that has to end with one of these exit codes, and to say why where it isn't 0. True if it does.
    pub fn ended(&mut self, ran: &Ran, codes: &[i32]) -> bool {
        self.heard(ran);
        let is_good = ran.code().is_some_and(|code| codes.contains(&code));
        self.check(is_good, || {
            format!("exit {:?}, signal {:?}, not {codes:?}:\n{}", ran.code(), ran.signal(), ran.stderr)
        });
        self.check(ran.code() != Some(1) || ran.stderr.contains("error: "), || {
            format!("it failed without a reason: {}", ran.stderr)
        });
        is_good
    }

    /// Mirror and exports hold this state and are sound, and nothing leaked into other files. `program` is one that
    /// works undisturbed.
    pub async fn judge(&mut self, expected: &State, place: &Place, program: &Program) {
        self.judge_rows(expected, place);
        self.judge_soundness(place, program).await;
    }

    fn judge_rows(&mut self, expected: &State, place: &Place) {
        let mut found = vec![("the mirror".to_owned(), self.read(|| State::of_mirror(place)))];
        for format in ["csv", "ndjson"] {
            found.push((
                format!("the {format} exports"),
                self.read(|| as_exported(&replay(place, format), place)),
            ));
        }
        let exported = as_exported(expected, place);
        for (name, state) in found.iter().filter_map(|(name, state)| Some((name, state.as_ref()?))) {
            let expected = if name == "the mirror" { expected } else { &exported };
            self.compare(name, &expected.customers, &state.customers);
            self.compare(name, &expected.events, &state.events);
        }
    }

    /// A reader that panics at what it finds.
    fn read<T>(&mut self, read: impl FnOnce() -> T) -> Option<T> {
        let found = catch_unwind(AssertUnwindSafe(read));
        self.check(found.is_ok(), || "it can't be read back: see the panic above".to_owned());
        found.ok()
    }

    pub fn compare(&mut self, name: &str, expected: &BTreeMap<String, Row>, found: &BTreeMap<String, Row>) {
        for (id, row) in expected {
            match found.get(id) {
                None => {
                    self.lost += 1;
                    self.notes.push(format!("{name} lacks {id}"));
                }
                Some(other) => self.check(other == row, || format!("{name}: {id} is {other:?}, not {row:?}")),
            }
        }
        for id in found.keys().filter(|id| !expected.contains_key(*id)) {
            self.check(false, || format!("{name} has {id}"));
        }
    }

    /// The mirror as a failure left it, before anything repairs it.
    pub fn judge_integrity(&mut self, place: &Place) {
        if std::fs::metadata(place.mirror()).is_ok_and(|file| file.len() > 0) {
            let integrity = self.read(|| place.text("PRAGMA integrity_check"));
            self.check(integrity.as_deref() == Some("ok"), || format!("after a failure: {integrity:?}"));
        }
    }

    /// Everything but the rows themselves.
    pub async fn judge_soundness(&mut self, place: &Place, program: &Program) {
        let integrity = place.text("PRAGMA integrity_check");
        self.check(integrity == "ok", || integrity);
        let running = place.number("SELECT count(*) FROM sync_runs WHERE outcome = 'running'");
        self.check(running == 0, || format!("{running} runs are said to go on"));
        // What came in once more than it went.
        let doubled = "SELECT count(*) FROM (SELECT id FROM changes GROUP BY stream, id \
                       HAVING sum(op = 'insert') > 1 + sum(op = 'delete'))";
        self.duplicated += place.number(doubled) as u64;
        self.duplicated += exported_twice(place);
        self.read(|| assert_no_strays(place));
        self.read(|| assert_totals_are_true(place));
        self.read(|| assert_days_are_true(place));
        self.read(|| assert_derived_is_true(place));
        let verified = program.run(&["export", "verify"]).await;
        self.ended(&verified, &[0]);
        for path in other_files(place) {
            self.search(&path.display().to_string(), &std::fs::read(&path).unwrap());
        }
    }
}

/// Change numbers that stand in more than one row of a stream's NDJSON files.
fn exported_twice(place: &Place) -> u64 {
    let (mut seen, mut twice) = (BTreeSet::new(), 0);
    for line in
        manifest(place).iter().filter(|line| line["format"] == "ndjson" && line["compression"] == "none")
    {
        let path = place.exports().join(line["path"].as_str().unwrap());
        for row in std::fs::read_to_string(path).unwrap_or_default().lines() {
            let row: serde_json::Value = serde_json::from_str(row).unwrap();
            twice += u64::from(!seen.insert((line["stream"].to_string(), row["_seq"].as_i64())));
        }
    }
    twice
}

/// Every file of the place but the mirror and the exports.
fn other_files(place: &Place) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![place.path().to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let is_data = path == place.exports() || is_of_the_mirror(&path);
            match (is_data, path.is_dir()) {
                (true, _) => {}
                (false, true) => folders.push(path),
                (false, false) => found.push(path),
            }
        }
    }
    found
}

fn is_of_the_mirror(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    ["mirror.db", "mirror.db-wal", "mirror.db-shm"].contains(&name)
}

/// A judge that finds nothing where something is would make every table look good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_judge_finds_what_is_wrong() {
    let account = crate::test_account::account(6, 2, 3).shared();
    let server = account.serve().await;
    let place = Place::new();
    let program = crate::test_account::program(&place, &server.base_url());
    program.ends(0, &["sync", "--full"]).await;
    let judged = async |expected: &State| {
        let mut found = Findings::of_a_try();
        found.judge(expected, &place, &program).await;
        (found.lost, found.duplicated, found.wrong, found.leaks)
    };
    let good = account.state();
    assert_eq!(judged(&good).await, (0, 0, 0, 0));
    // One more at the server, one less, one other: in the mirror and in two formats of exports.
    let mut other = account.lock().clone();
    other.add("c-99", 0);
    assert_eq!(judged(&other.state()).await, (3, 0, 0, 0));
    other.remove("c-99");
    other.remove("c-01");
    assert_eq!(judged(&other.state()).await, (0, 0, 9, 0), "a customer and two events");
    let mut other = account.lock().clone();
    other.put("c-02", crate::test_account::person("c-02", "other", "2024-05-01T12:00:00Z"));
    assert_eq!(judged(&other.state()).await, (0, 0, 3, 0));
    // A secret in a file beside them.
    let log = place.path().join("some.log");
    std::fs::write(&log, "the key is sk_live_neverToBeSeen").unwrap();
    assert_eq!(judged(&good).await, (0, 0, 0, 1));
    std::fs::remove_file(log).unwrap();
    // A row taken in twice.
    let mirror = rusqlite::Connection::open(place.mirror()).unwrap();
    let twice = "INSERT INTO change_log (stream, op, id, observed_at, run_id) \
                 SELECT stream, op, id, observed_at, run_id FROM changes WHERE seq = 1";
    mirror.execute(twice, []).unwrap();
    drop(mirror);
    let (_, duplicated, _, _) = judged(&good).await;
    assert_eq!(duplicated, 1);
    // A file with a row less than its line says.
    let line = manifest(&place).into_iter().find(|line| line["format"] == "ndjson").unwrap();
    let path = place.exports().join(line["path"].as_str().unwrap());
    let text = std::fs::read_to_string(&path).unwrap();
    let row = text.lines().next().unwrap();
    std::fs::write(&path, format!("{text}{row}\n")).unwrap();
    let (_, duplicated, wrong, _) = judged(&good).await;
    assert!(duplicated == 2 && wrong > 0, "{duplicated} {wrong}");
}
