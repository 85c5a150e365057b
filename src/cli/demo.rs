//! `demo`: everything once, with the sandbox in place of the API.

use super::exit::{Exit, Failure};
use super::export::attempts;
use super::progress::Progress;
use super::sync::{run_once, summary};
use super::{args, assemble, output, signals};
use crate::api::{Client, CustomerFields};
use crate::config::{Config, Environment, Override, Secret, api_key};
use crate::mirror::{Outcome, Turns};
use crate::sandbox::{Sandbox, Settings, start};
use crate::sync::{Scope, Tools};
use indicatif::ProgressBar;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub(super) async fn run(args: args::Demo, bar: &ProgressBar) -> Result<Exit, Failure> {
    let dir = folder(args.dir)?;
    let stop = signals::stop_token()?;
    let settings = Settings { customers: args.customers, awkward: true, ..Settings::default() };
    let sandbox = start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), settings).await?;
    let demo = Demo::new(dir, &sandbox, bar, stop)?;
    let exit = demo.run(&sandbox).await;
    sandbox.stop().await;
    exit
}

/// A folder that nobody else's files are in.
fn folder(wanted: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let unusable = |dir: &Path, error: std::io::Error| {
        Failure::new(Exit::Failed, format!("the folder {} can't be used: {error}", dir.display()))
    };
    let Some(dir) = wanted else {
        let made = tempfile::Builder::new().prefix("malomo-mirror-demo-").tempdir();
        return made.map(tempfile::TempDir::keep).map_err(|error| unusable(&std::env::temp_dir(), error));
    };
    std::fs::create_dir_all(&dir).map_err(|error| unusable(&dir, error))?;
    let mut entries = std::fs::read_dir(&dir).map_err(|error| unusable(&dir, error))?;
    if entries.next().is_some() {
        return Err(Failure::usage(format!(
            "the folder {} is not empty: name a new one with --dir, or leave --dir out",
            dir.display()
        )));
    }
    std::path::absolute(&dir).map_err(|error| unusable(&dir, error))
}

struct Demo {
    dir: PathBuf,
    config: Config,
    tools: Tools,
}

impl Demo {
    fn new(
        dir: PathBuf,
        sandbox: &Sandbox,
        bar: &ProgressBar,
        stop: CancellationToken,
    ) -> Result<Demo, Failure> {
        let (config, key) = configure(&dir, &sandbox.base_url())?;
        let observer = Arc::new(Progress::new(bar, true));
        let client = Client::new(config.api.clone(), key.secret, observer.clone())?;
        let tools =
            Tools { client, known: assemble::known_paging(&config), observer, stop, turns: Turns::default() };
        Ok(Demo { dir, config, tools })
    }

    async fn run(&self, sandbox: &Sandbox) -> Result<Exit, Failure> {
        let world = sandbox.world();
        output::text(&format!(
            "A sandbox stands in for the API: {} with {}, at {}.\n\n1. A full sync into an empty mirror, then its export\n",
            output::counted(world.customer_count() as u64, "customer"),
            output::counted(world.event_count() as u64, "event"),
            sandbox.base_url()
        ))?;
        self.sync(Scope::Full).await?;
        let changed = self.change(sandbox).await?;
        output::text(&format!(
            "\n2. The data changes at the API: {changed}\n\n3. An incremental sync brings that home\n"
        ))?;
        self.sync(Scope::Incremental).await?;
        output::text(&self.what_next())
    }

    async fn sync(&self, scope: Scope) -> Result<(), Failure> {
        let lock = assemble::lock(&self.config, "demo")?;
        let settings = assemble::sync_settings(&self.config, 0);
        let (finished, exported) = run_once(&self.config, lock, self.tools.clone(), scope, settings).await?;
        if let Some(error) = finished.error {
            return Err(error.into());
        }
        output::text(&summary(&finished.report, &exported))?;
        attempts::end(exported)?;
        match finished.report.outcome {
            Outcome::Ok => Ok(()),
            _ => Err(Failure::new(Exit::Incomplete, "the sync came to no complete end")),
        }
    }

    /// Changes the sandbox's world: customers through the API, as any program would; events, which the API can't
    /// change, in the sandbox itself.
    async fn change(&self, sandbox: &Sandbox) -> Result<String, Failure> {
        let world = sandbox.world();
        let ids = world.customer_ids();
        let (mut deleted, mut updated, mut revised, mut added) = (0, 0, 0, 0);
        for id in ids.iter().take(2) {
            self.tools.client.delete(id).await?;
            deleted += 1;
        }
        let mut kept = ids.get(2..).unwrap_or_default().to_vec();
        // An event to revise: some customers have none.
        kept.sort_by_key(|id| world.event_ids(id).is_empty());
        for id in kept.iter().take(3) {
            let fields =
                CustomerFields { phone_number: Some("555-555-0100".to_owned()), ..CustomerFields::default() };
            self.tools.client.update(id, &fields).await?;
            updated += 1;
            if let Some(event) = world.event_ids(id).first() {
                revised += u32::from(world.revise_event(id, event));
            }
            added += u32::from(world.add_event(id).is_some());
        }
        let fields = CustomerFields {
            email: Some("ada@example.com".to_owned()),
            first_name: Some("Ada".to_owned()),
            ..CustomerFields::default()
        };
        self.tools.client.create(&fields).await?;
        Ok(format!(
            "1 customer created, {updated} updated, {deleted} deleted; {added} events added, {revised} revised"
        ))
    }

    fn what_next(&self) -> String {
        let dir = quoted(&self.dir);
        let program = std::env::current_exe().map_or("malomo-mirror".to_owned(), |path| quoted(&path));
        format!(
            "\nEverything is in {dir}: mirror.db (SQLite), exports/ (CSV, NDJSON and their manifest).\n\nTry next:\n  \
             sqlite3 -readonly {dir}/mirror.db \"SELECT type, count(*) AS events, count(DISTINCT customer_id) AS \
             customers FROM events GROUP BY type ORDER BY events DESC\"\n  \
             {program} --set mirror.path={dir}/mirror.db query orders-by-month --since 2024-06-01\n  \
             tail -n 3 {dir}/exports/customers/*.ndjson\n  \
             {program} --set mirror.path={dir}/mirror.db --set export.dir={dir}/exports status\n"
        )
    }
}

/// A path as a POSIX shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// The demo's own configuration: nothing of the user's counts, neither file nor key.
fn configure(dir: &Path, base_url: &str) -> Result<(Config, Secret), Failure> {
    let key = [("MALOMO_API_KEY".into(), "sk_demo".into())];
    let environment = Environment::new(key, dir.to_owned()).with_system_file(dir.join("none"));
    let path = |name: &str| dir.join(name).to_string_lossy().into_owned();
    let flags = [
        ("api.base_url", base_url.to_owned()),
        ("mirror.path", path("mirror.db")),
        ("export.dir", path("exports")),
    ];
    let flags = flags.map(|(key, value)| Override { flag: "demo".to_owned(), key: key.to_owned(), value });
    let config = Config::load(None, &environment, &flags)?;
    let key = api_key(&config, &environment)?;
    Ok((config, key))
}
