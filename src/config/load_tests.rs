//! Loading: layers, origins and messages.

use super::super::keys;
use super::*;
use crate::sync::EventBudget;
use jiff::SignedDuration;
use std::ffi::OsString;
use tempfile::TempDir;

/// A folder with configuration files and surroundings that know nothing else.
struct Place {
    folder: TempDir,
    variables: Vec<(OsString, OsString)>,
    flags: Vec<Override>,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap(), variables: Vec::new(), flags: Vec::new() }
    }

    fn file(self, name: &str, text: &str) -> Place {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Place {
        self.variables.push((name.into(), value.into()));
        self
    }

    fn flag(mut self, flag: &str, key: &str, value: &str) -> Place {
        let (flag, key, value) = (flag.to_owned(), key.to_owned(), value.to_owned());
        self.flags.push(Override { flag, key, value });
        self
    }

    fn load_from(&self, explicit: Option<&str>) -> Result<Config, ConfigError> {
        let environment = Environment::new(self.variables.clone(), self.folder.path().to_owned())
            .with_system_file(self.folder.path().join("system.toml"));
        Config::load(explicit.map(Path::new), &environment, &self.flags)
    }

    fn load(&self) -> Result<Config, ConfigError> {
        self.load_from(None)
    }

    /// The messages without the folder's name.
    fn mistakes(&self) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        let ConfigError::Invalid { problems } = self.load().expect_err("a mistake") else {
            panic!("no file")
        };
        problems.iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
    }

    fn file_name(&self, config: &Config) -> Option<String> {
        Some(config.file.as_ref()?.strip_prefix(self.folder.path()).unwrap().to_str().unwrap().to_owned())
    }
}

fn mistakes_of(text: &str) -> Vec<String> {
    Place::new().file("config.toml", text).mistakes()
}

#[test]
fn no_file_gives_the_defaults() {
    let config = Place::new().load().unwrap();
    assert_eq!(config.file, None);
    assert_eq!(config.api.base_url.as_str(), "https://api.gomalomo.com/");
    assert_eq!(config.api_key_file, None);
    assert_eq!((config.api.concurrency, config.api.retry.attempts), (16, 9));
    assert_eq!(config.api.max_body, 64 << 20);
    assert_eq!(config.api.body_timeout, Duration::from_secs(120));
    assert_eq!(config.customer_paging, PagingSettings::default());
    assert_eq!(config.sync.events_max_age, SignedDuration::from_hours(24));
    assert_eq!(config.export.formats, [crate::export::Format::Csv, crate::export::Format::Ndjson]);
    assert_eq!(config.schedule.full.as_ref().unwrap().expression(), "0 3 * * 0");
    assert_eq!(config.http.listen, Some("127.0.0.1:9464".parse().unwrap()));
    assert_eq!(config.origin("api.timeout"), Some(&Origin::Default));
    assert_eq!(config.origin("api.time"), None);
}

#[test]
fn later_layers_win_and_say_so() {
    let file = "[api]\nconcurrency = 1\ntimeout = \"1s\"\n\n[export]\nformats = [\"csv\"]\ndir = \"a\"\n";
    let config = Place::new()
        .file("config.toml", file)
        .variable("MALOMO_MIRROR__API__TIMEOUT", "2s")
        .variable("MALOMO_MIRROR__EXPORT__FORMATS", "ndjson, csv")
        .variable("MALOMO_MIRROR__API__CONCURRENCY", "2")
        .variable("MALOMO_MIRROR__API__PAGING__EVENTS__TOKEN_STYLE", "last-id")
        .flag("--concurrency", "api.concurrency", "3")
        .load()
        .unwrap();
    assert_eq!(config.api.concurrency, 3);
    assert_eq!(config.api.first_byte_timeout, Duration::from_secs(2));
    assert_eq!(config.export.formats, [crate::export::Format::Ndjson, crate::export::Format::Csv]);
    assert_eq!(config.event_paging.token_style, Some(TokenStyle::LastId));
    assert_eq!(config.export.dir.folder(), Some(Path::new("a")));
    let origin = |key| config.origin(key).unwrap().to_string();
    assert_eq!(origin("api.concurrency"), "--concurrency");
    assert_eq!(origin("api.timeout"), "$MALOMO_MIRROR__API__TIMEOUT");
    assert!(origin("export.dir").ends_with("/config.toml:7"), "{}", origin("export.dir"));
}

#[test]
fn the_first_file_that_is_there_is_read_alone() {
    let place = Place::new().file("system.toml", "[api]\nconcurrency = 4\n");
    assert_eq!(place.file_name(&place.load().unwrap()).as_deref(), Some("system.toml"));
    let place = place.file("config.toml", "[sync]\n");
    let config = place.load().unwrap();
    assert_eq!(place.file_name(&config).as_deref(), Some("config.toml"));
    assert_eq!(config.api.concurrency, 16);
    let place = place.file("named.toml", "").variable("MALOMO_MIRROR_CONFIG", "named.toml");
    assert_eq!(place.file_name(&place.load().unwrap()).as_deref(), Some("named.toml"));
    let place = place.file("flag.toml", "");
    assert_eq!(place.file_name(&place.load_from(Some("flag.toml")).unwrap()).as_deref(), Some("flag.toml"));
}

#[test]
fn a_named_file_must_exist() {
    let error = Place::new().load_from(Some("gone.toml")).unwrap_err();
    assert!(error.to_string().contains("gone.toml (named by --config)"), "{error}");
    let error = Place::new().variable("MALOMO_MIRROR_CONFIG", "gone.toml").load().unwrap_err();
    assert!(error.to_string().contains("(named by $MALOMO_MIRROR_CONFIG)"), "{error}");
}

#[test]
fn every_mistake_is_named_with_its_place() {
    let place = Place::new()
        .file(
            "config.toml",
            "[api]\nconcurency = 3\ntimeout = 30\nbase_url = \"http://api.gomalomo.com\"\n\n[sync]\ndeletion_limit = 2\n",
        )
        .variable("MALOMO_MIRROR__API__CONCURRENCY", "0")
        .variable("MALOMO_MIRROR__API__TIME_OUT", "1s")
        .variable("MALOMO_MIRROR__Api__Timeout", "1s")
        .flag("--listen", "http.listen", "everywhere");
    assert_eq!(
        place.mistakes(),
        [
            "config.toml:2: there is no key `api.concurency`; the nearest known one is `api.concurrency`",
            "config.toml:3: `api.timeout`: expected a duration above zero such as \"30s\", \"250ms\", \"1h30m\" or \
             \"7d\", found 30",
            "config.toml:4: `api.base_url`: expected an absolute https URL without user, query or fragment (http \
             only for 127.0.0.0/8, [::1] or localhost), found \"http://api.gomalomo.com\": plain HTTP would send \
             the key unencrypted over the network; use https",
            "config.toml:7: `sync.deletion_limit`: expected a number from 0 to 1, found 2",
            "$MALOMO_MIRROR__API__CONCURRENCY: `api.concurrency`: expected a whole number from 1 to 256, found \"0\"",
            "$MALOMO_MIRROR__API__TIME_OUT: there is no key `api.time_out`; the nearest known one is \
             `MALOMO_MIRROR__API__TIMEOUT`",
            "$MALOMO_MIRROR__Api__Timeout: there is no key `api.timeout`; the nearest known one is \
             `MALOMO_MIRROR__API__TIMEOUT`",
            "--listen: `http.listen`: expected an IP address with a port such as \"127.0.0.1:9464\" or \
             \"[::1]:9464\", or \"\" for off, found \"everywhere\"",
        ]
    );
}

#[test]
fn tables_and_values_are_not_mixed_up() {
    for (text, message) in [
        ("sync = 5", "config.toml:1: `sync`: expected a table `[sync]`, found 5"),
        ("[[api]]", "config.toml:1: `api`: expected a table `[api]`, found an array of other things"),
        (
            "[api]\npaging = \"auto\"",
            "config.toml:2: `api.paging`: expected a table `[api.paging]`, found \"auto\"",
        ),
        (
            "[api.concurrency]\nmax = 3",
            "config.toml:1: `api.concurrency`: expected a whole number from 1 to 256, found a table",
        ),
        ("[apii]\nbase_url = 1", "config.toml:1: there is no key `apii`; the nearest known one is `api`"),
        (
            "concurrency = 3",
            "config.toml:1: there is no key `concurrency`; the nearest known one is `api.concurrency`",
        ),
    ] {
        assert_eq!(mistakes_of(text), [message], "{text}");
    }
}

#[test]
fn values_out_of_their_range_are_refused() {
    for (section, line) in [
        ("api", "concurrency = 257"),
        ("api", "concurrency = \"16\""),
        ("api", "concurrency = 99999999999999999999"),
        ("api", "max_attempts = 51"),
        ("api", "timeout = \"0s\""),
        ("api", "timeout = \"-1s\""),
        ("api", "timeout = \"1mo\""),
        ("api", "max_body = \"0\""),
        ("api", "max_body = \"64MB\""),
        ("api", "backoff_base = \"31s\""),
        ("api.paging.customers", "token_style = \"links\""),
        ("api.paging.events", "forward = \"back\""),
        ("mirror", "path = \"\""),
        ("mirror", "path = \"a\\u0000b\""),
        ("sync", "deletion_limit = -0.1"),
        ("sync", "deletion_limit = nan"),
        ("sync", "deletion_limit = inf"),
        ("sync", "deletion_limit = \"0.5\""),
        ("export", "formats = []"),
        ("export", "formats = [\"csv\", \"csv\"]"),
        ("export", "formats = [\"tsv\"]"),
        ("export", "formats = [1]"),
        ("export", "formats = \"csv\""),
        ("export", "compression = \"lzma\""),
        ("schedule", "timezone = \"Europe/Atlantis\""),
        ("schedule", "timezone = \"\""),
        ("schedule", "sync = \"every hour\""),
        ("schedule", "full = \"0 0 31 2 *\""),
        ("http", "listen = \"localhost:9464\""),
        ("http", "listen = \"9464\""),
        ("http", "listen = false"),
    ] {
        let found = mistakes_of(&format!("[{section}]\n{line}\n"));
        let name = line.split(' ').next().unwrap();
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        assert!(
            found[0].starts_with(&format!("config.toml:2: `{section}.{name}`: expected ")),
            "{}",
            found[0]
        );
    }
}

#[test]
fn values_at_the_edge_are_taken() {
    let text = "[api]\nconcurrency = 0x100\nmax_attempts = 1\nretry_after_max = \"0s\"\n\
        [sync]\nevents_max_age = \"0s\"\ndeletion_limit = 1\n[schedule]\nsync = \"\"\nfull = \" \"\n\
        timezone = \"Europe/Berlin\"\n[http]\nlisten = \"\"\n";
    let config = Place::new().file("config.toml", text).load().unwrap();
    assert_eq!((config.api.concurrency, config.api.retry.attempts), (256, 1));
    assert!(config.sync.events_max_age.is_zero() && config.api.retry.retry_after_max.is_zero());
    assert_eq!(config.sync.deletion_limit, 1.0);
    assert!(config.schedule.sync.is_none() && config.schedule.full.is_none());
    assert_eq!(config.timezone.iana_name(), Some("Europe/Berlin"));
    assert_eq!(config.http.listen, None);
}

#[test]
fn the_event_budget_is_a_word_or_a_number() {
    let auto = |budget| matches!(budget, EventBudget::Auto { .. });
    let of_file = |text: &str| {
        let text = format!("[sync]\nevent_budget = {text}\n");
        Place::new().file("config.toml", &text).load().map(|config| config.sync.event_budget)
    };
    assert!(auto(of_file("\"auto\"").unwrap()) && auto(Place::new().load().unwrap().sync.event_budget));
    for (text, lists) in [("0", 0), ("250", 250), ("\"250\"", 250)] {
        assert_eq!(of_file(text).unwrap(), EventBudget::Lists(lists));
    }
    for text in ["-1", "\"-1\"", "1.5", "\"many\"", "true", "1000000001"] {
        assert!(of_file(text).is_err(), "{text}");
    }
    let of_variable = Place::new().variable("MALOMO_MIRROR__SYNC__EVENT_BUDGET", "30").load().unwrap();
    assert_eq!(of_variable.sync.event_budget, EventBudget::Lists(30));
}

#[test]
fn schedules_get_the_zone() {
    let config = Place::new().file("config.toml", "schedule.timezone = \"Asia/Tokyo\"\n").load().unwrap();
    let next = config.schedule.full.unwrap().next_after("2026-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(next, Some("2026-01-03T18:00:00Z".parse().unwrap()));
}

#[test]
fn text_that_is_not_toml_is_located() {
    let found = mistakes_of("[api]\nconcurrency = = 3\n");
    assert!(found[0].starts_with("config.toml:2:15: not valid TOML: "), "{found:?}");
    let found = mistakes_of("[api]\ntimeout = \"1s\"\ntimeout = \"2s\"\n");
    assert!(found[0].starts_with("config.toml:3:1: not valid TOML: "), "{found:?}");
}

#[test]
fn a_key_in_the_wrong_place_is_not_shown() {
    let secret = "sk_live_0123456789";
    for text in [
        format!("api.key = \"{secret}\""),
        format!("api.api_key = \"{secret}\""),
        format!("[api]\nsecret = \"{secret}\""),
        format!("[api]\napi_key_file = \"{secret}\""),
        format!("[api]\ntimeout = \"{secret}\""),
        format!("[api]\nbase_url = \"https://{secret}@api.gomalomo.com\""),
        format!("[api]\nbase_url = \"https://user:word@{secret}.example.com\""),
        format!("[api]\nkey = {secret}"),
        format!("[api]\n{secret} = 1"),
        format!("[{secret}]\ntimeout = 1"),
        format!("[schedule]\nsync = \"{secret}\""),
        format!("[schedule]\nfull = \"{secret} * * * *\""),
    ] {
        let place = Place::new().file("config.toml", &text);
        let error = place.load().expect_err(&text);
        assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
    }
    let place = Place::new().variable("MALOMO_MIRROR__API__KEY", secret);
    assert_eq!(
        place.mistakes(),
        ["$MALOMO_MIRROR__API__KEY: `api.key`: the API key never stands in the configuration; set \
             $MALOMO_API_KEY, or write the key into a file of its own (chmod 600) and name it in \
             `api.api_key_file`, or pass the systemd credential \"malomo_api_key\". If others could read the key \
             here, replace it at Malomo"]
    );
}

#[test]
fn back_off_bounds_in_the_wrong_order_name_the_one_that_was_set() {
    let found = mistakes_of("[api]\nbackoff_max = \"100ms\"\n");
    assert_eq!(
        found,
        [
            "config.toml:2: `api.backoff_max`: expected at least 250ms, so that `api.backoff_base` is not above \
          `api.backoff_max`, found 100ms"
        ]
    );
}

#[test]
fn what_is_shown_parses_to_the_same_configuration() {
    let place = Place::new()
        .file("config.toml", "[export]\nformats = [\"ndjson\"]\n")
        .variable("MALOMO_MIRROR__MIRROR__PATH", "a \"quoted\"\\path")
        .variable("MALOMO_MIRROR__SYNC__DELETION_LIMIT", "1");
    let config = place.load().unwrap();
    let shown = config.to_toml(Err(&crate::config::SecretError::Missing(crate::config::SecretKind::ApiKey)));
    let again = Place::new().file("config.toml", &shown).load().unwrap();
    let values =
        |config: &Config| config.settings.iter().map(|setting| setting.value.clone()).collect::<Vec<_>>();
    assert_eq!(values(&again), values(&config));
    assert!(shown.contains("\nconcurrency = 16  # default\n"), "{shown}");
    assert!(shown.contains("  # $MALOMO_MIRROR__MIRROR__PATH\n"), "{shown}");
    let data = config.to_json(Err(&crate::config::SecretError::Missing(crate::config::SecretKind::ApiKey)));
    assert_eq!(data["values"]["api.concurrency"], serde_json::json!({"value": 16, "origin": "default"}));
    assert_eq!(data["values"].as_object().unwrap().len(), keys::ALL.len());
}

#[test]
fn a_format_is_taken_where_this_build_has_it() {
    let formats = |text: &str| {
        let config = Place::new().file("config.toml", &format!("[export]\nformats = {text}\n")).load();
        config.map(|config| config.export.formats).map_err(|error| error.to_string())
    };
    assert!(formats("[\"tsv\"]").unwrap_err().contains("expected an array of \"csv\", \"ndjson\""));
    for name in ["parquet", "delta"] {
        let found = formats(&format!("[\"{name}\"]"));
        if cfg!(feature = "lake") {
            assert_eq!(found.unwrap()[0].name(), name);
        } else {
            let said = format!("this build of the program has no {name}; the Debian package has it");
            let error = found.unwrap_err();
            assert!(error.contains(&said), "{error}");
        }
    }
}

const DESTINATIONS: &str = "[export]\nformats = [\"csv\"]\nmax_age = \"7d\"\n\n[[destinations]]\nname = \"copy\"\n\
                            url = \"file:///srv/copy\"\n\n[[destinations]]\nname = \"events-2\"\nurl = \"/srv/two\"\n\
                            streams = [\"events\"]\nformats = [\"ndjson\"]\ncompression = \"zstd\"\nmax_age = \"0s\"\n";

#[test]
fn destinations_are_as_the_export_where_they_say_nothing() {
    let place = Place::new().file("config.toml", DESTINATIONS);
    let config = place.load().unwrap();
    let [copy, two] = &config.destinations[..] else { panic!("{:?}", config.destinations) };
    let expected =
        crate::export::Settings { name: "copy".to_owned(), dir: "/srv/copy".into(), ..config.export.clone() };
    assert_eq!(copy, &expected);
    assert_eq!((copy.formats.len(), copy.streams.len(), copy.max_age.is_zero()), (1, 2, false));
    assert_eq!(
        (&*two.name, &two.streams[..], two.max_age),
        ("events-2", &[Stream::Events][..], Duration::ZERO)
    );
    assert_eq!((two.formats[0].name(), two.compression), ("ndjson", crate::export::Compression::Zstd));
    let names: Vec<&str> = config.all_destinations().map(|one| &*one.name).collect();
    assert_eq!(names, ["export", "copy", "events-2"]);

    let shown = config.to_toml(Err(&crate::config::SecretError::Missing(crate::config::SecretKind::ApiKey)));
    assert!(shown.contains("\n[[destinations]]\nname = \"events-2\"  # "), "{shown}");
    assert_eq!(Place::new().file("config.toml", &shown).load().unwrap().destinations, config.destinations);
    let data = config.to_json(Err(&crate::config::SecretError::Missing(crate::config::SecretKind::ApiKey)));
    assert_eq!(data["values"]["destinations[1].url"]["value"], "/srv/two");
}

#[test]
fn mistakes_in_destinations_name_line_and_place() {
    let two = |text: &str| format!("[[destinations]]\nname = \"a\"\nurl = \"/a\"\n[[destinations]]\n{text}");
    for (text, expected) in [
        (two("name = \"b\"\n"), "config.toml:4: `destinations[1].url`: expected an absolute path"),
        (
            two("url = \"/b\"\n"),
            "config.toml:4: `destinations[1].name`: expected a name of lower-case letters",
        ),
        (
            two("name = \"B\"\nurl = \"/b\"\n"),
            "config.toml:5: `destinations[1].name`: expected a name of lower-case",
        ),
        (
            two("name = \"a\"\nurl = \"/b\"\n"),
            "expected a name of its own, found \"a\": another destination has",
        ),
        (two("name = \"export\"\nurl = \"/b\"\n"), "it is the name of the first destination"),
        (
            two("name = \"b\"\nurl = \"/a\"\n"),
            "config.toml:6: `destinations[1].url`: expected a place of its own",
        ),
        (
            two("name = \"b\"\nurl = \"b\"\n"),
            "config.toml:6: `destinations[1].url`: expected an absolute path",
        ),
        (
            two("name = \"b\"\nurl = \"/b\"\nulr = 1\n"),
            "no key `destinations[1].ulr`; the nearest known one is `url`",
        ),
        (
            two("name = \"b\"\nurl = \"/b\"\nprofile = \"x\"\n"),
            "config.toml:7: `destinations[1].profile`: expected the name of a profile: \"full\", found \"x\"",
        ),
        (
            two("name = \"b\"\nurl = \"/b\"\nstreams = [\"orders\"]\n"),
            "expected an array of customers and events",
        ),
        (two("name = \"b\"\nurl = \"/b\"\nstreams = []\n"), "`destinations[1].streams`: expected"),
        (two("name = \"b\"\nurl = \"/b\"\nformats = \"csv\"\n"), "`destinations[1].formats`: expected"),
        (two("name = \"b\"\nurl = \"s3://me:hushed@bucket/p\"\n"), "holds a user name, a password or a port"),
        (
            "destinations = 1\n".to_owned(),
            "config.toml:1: `destinations`: expected tables `[[destinations]]`, found 1",
        ),
        ("[destinations]\nname = \"a\"\n".to_owned(), "`destinations`: expected tables `[[destinations]]`"),
    ] {
        let mistakes = mistakes_of(&text).join("\n");
        assert!(mistakes.contains(expected) && !mistakes.contains("hushed"), "{text}\n{mistakes}");
    }
    let store = two("name = \"b\"\nurl = \"s3://bucket/p\"\n");
    let found = Place::new().file("config.toml", &store).load();
    match cfg!(feature = "lake") {
        true => assert_eq!(found.unwrap().destinations[1].dir.to_string(), "s3://bucket/p"),
        false => assert!(found.unwrap_err().to_string().contains("the Debian package has them")),
    }
}

const PROFILED: &str = "[export]\nprofile = \"a\"\n[[destinations]]\nname = \"copy\"\nurl = \"/copy\"\nprofile = \"full\"\n\
                        [profiles.a]\ncontact = \"hmac\"\nfields.customers.email = \"domain\"\n\
                        fields.events.properties.\"a.b\".\"*\" = \"keep\"\n[profiles.b]\nkey_file = \"/k\"\n";

#[test]
fn profiles_are_named_by_those_who_use_them() {
    let config = Place::new().file("config.toml", PROFILED).load().unwrap();
    let [a, b] = &config.profiles[..] else { panic!("{:?}", config.profiles) };
    assert_eq!((config.export.profile.as_ref(), config.destinations[0].profile.as_ref()), (Some(a), None));
    assert_eq!(a.key_file, config.mirror.path.with_file_name("mirror.db.profile-key"));
    assert_eq!(b.key_file.to_str(), Some("/k"));
    let shown = config.to_toml(Err(&crate::config::SecretError::Missing(crate::config::SecretKind::ApiKey)));
    assert!(shown.contains("\n[profiles.a]\ncontact = \"hmac\"  # "), "{shown}");
    assert!(shown.contains("\nfields.events.properties.\"a.b\".\"*\" = \"keep\"  # "), "{shown}");
    assert_eq!(Place::new().file("config.toml", &shown).load().unwrap().profiles, config.profiles);
    let data = config.to_json(Err(&crate::config::SecretError::Missing(crate::config::SecretKind::ApiKey)));
    assert_eq!(data["values"]["profiles.a.fields.customers.email"]["value"], "domain");
}

#[test]
fn mistakes_in_profiles_name_line_and_place() {
    for (text, expected) in [
        ("profiles = 1\n", "config.toml:1: `profiles`: expected tables `[profiles.NAME]`, found 1"),
        ("[profiles]\na = 1\n", "config.toml:1: `profiles`: expected tables"),
        ("[profiles.full]\n", "config.toml:1: `profiles`: expected a name of lower-case letters"),
        ("[profiles.\"A b\"]\n", "found \"A b\""),
        (
            "[profiles.a]\ncontakt = \"hmac\"\n",
            "no key `profiles.a.contakt`; the nearest known one is `contact`",
        ),
        ("[profiles.a]\ncontact.x = \"hmac\"\n", "config.toml:2: there is no key `profiles.a.contact.x`"),
        (
            "[profiles.a]\ncontact = \"hash\"\n",
            "config.toml:2: `profiles.a.contact`: expected \"keep\", \"drop\"",
        ),
        ("[profiles.a]\ncontact = 1\n", "`profiles.a.contact`: expected \"keep\""),
        ("[profiles.a]\nfields = \"keep\"\n", "there is no key `profiles.a.fields`"),
        (
            "[profiles.a]\n\nfields.customers.emial = \"keep\"\n",
            "config.toml:3: `profiles.a.fields.customers.emial`: expected a rule for a field that there is, found \"keep\": \
             there is no column emial; the nearest known one is email",
        ),
        (
            "[profiles.a]\nfields.customers.id = \"drop\"\n",
            "it names the record, so it is one of: keep, hmac",
        ),
        (
            "[export]\nprofile = \"b\"\n[profiles.a]\n",
            "expected the name of a profile: \"full\", \"a\", found \"b\"",
        ),
    ] {
        let mistakes = mistakes_of(text).join("\n");
        assert!(mistakes.contains(expected), "{text}\n{mistakes}");
    }
}
