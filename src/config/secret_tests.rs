//! Where the secrets come from, and which ones are refused.

use super::*;
use std::ffi::OsString;
use tempfile::TempDir;

const SECRET: &str = "sk_live_0123456789";

fn key_with(folder: &TempDir, config: &str, variables: &[(&str, &str)]) -> Result<Secret, SecretError> {
    let path = folder.path().join("config.toml");
    std::fs::write(&path, config).unwrap();
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let environment = Environment::new(variables, folder.path().to_owned());
    api_key(&Config::load(Some(&path), &environment, &[]).unwrap(), &environment)
}

fn write(folder: &TempDir, name: &str, text: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_first_way_that_is_given_counts() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_str().unwrap().to_owned();
    write(&folder, "key", "sk_file\n", 0o600);
    write(&folder, "malomo_api_key", "sk_credential\r\n", 0o444);
    let (variable, credentials) = (("MALOMO_API_KEY", "sk_variable"), ("CREDENTIALS_DIRECTORY", &*directory));
    let named = "api.api_key_file = \"key\"";
    for (config, variables, expected, origin) in [
        (named, vec![variable, credentials], "sk_variable", "$MALOMO_API_KEY"),
        (named, vec![credentials], "sk_file", "the file key (api.api_key_file)"),
        ("", vec![credentials], "sk_credential", "the systemd credential \"malomo_api_key\""),
    ] {
        let key = key_with(&folder, config, &variables).unwrap();
        assert_eq!((key.secret.expose_secret(), &*key.origin.to_string()), (expected, origin));
        assert!(!format!("{key:?}").contains(expected));
    }
}

#[test]
fn a_missing_key_names_every_way() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_str().unwrap().to_owned();
    for variables in [vec![], vec![("CREDENTIALS_DIRECTORY", &*directory)]] {
        let error = key_with(&folder, "", &variables).unwrap_err();
        assert!(matches!(error, SecretError::Missing(SecretKind::ApiKey)), "{error:?}");
        for way in ["$MALOMO_API_KEY", "api.api_key_file", "malomo_api_key", "demo", "sandbox"] {
            assert!(error.to_string().contains(way), "{error}");
        }
    }
}

#[test]
fn unusable_keys_are_refused_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(5000);
    for (text, remedy) in [
        ("", "is empty"),
        ("\n", "is empty"),
        ("sk_live_0123456789 ", "visible ASCII"),
        (" sk_live_0123456789", "visible ASCII"),
        ("sk_live_0123456789\n\n", "visible ASCII"),
        ("sk_live_0123456789\nmore", "visible ASCII"),
        ("sk_live_0123456789é", "visible ASCII"),
        ("sk_live_0123456789\u{7f}", "visible ASCII"),
        ("pk_live_0123456789", "use a secret key"),
        (&long, "longer than"),
    ] {
        let error = key_with(&folder, "", &[("MALOMO_API_KEY", text)]).unwrap_err();
        assert!(error.to_string().contains(remedy), "{text:?}: {error}");
        assert!(!format!("{error} {error:?}").contains("0123456789"), "{error:?}");
    }
    write(&folder, "key", &long, 0o600);
    let error = key_with(&folder, "api.api_key_file = \"key\"", &[]).unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error:?}");
}

#[test]
fn a_file_open_to_others_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o644, 0o666] {
        write(&folder, "key", SECRET, mode);
        let error = key_with(&folder, "api.api_key_file = \"key\"", &[]).unwrap_err();
        assert!(error.to_string().contains("chmod 600 key"), "{error}");
    }
    for mode in [0o600, 0o400, 0o700] {
        write(&folder, "key", SECRET, mode);
        assert_eq!(
            key_with(&folder, "api.api_key_file = \"key\"", &[]).unwrap().secret.expose_secret(),
            SECRET
        );
    }
}

#[test]
fn a_file_that_is_not_there_is_no_missing_key() {
    let folder = tempfile::tempdir().unwrap();
    let error = key_with(&folder, "api.api_key_file = \"gone\"", &[]).unwrap_err();
    assert!(error.to_string().contains("the file gone"), "{error}");
}

#[test]
fn showing_the_configuration_names_the_source_alone() {
    let folder = tempfile::tempdir().unwrap();
    let environment =
        Environment::new([], folder.path().to_owned()).with_system_file(folder.path().join("none.toml"));
    let config = Config::load(None, &environment, &[]).unwrap();
    let key =
        Secret::take(SecretKind::ApiKey, SECRET.into(), SecretOrigin::Variable("MALOMO_API_KEY")).unwrap();
    let shown = format!("{}{}", config.to_toml(Ok(&key)), config.to_json(Ok(&key)));
    assert!(shown.contains("# API key: ******** (from $MALOMO_API_KEY)"), "{shown}");
    assert!(!shown.contains(SECRET));
}

#[test]
fn the_webhook_secret_is_found_in_the_same_ways() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_str().unwrap().to_owned();
    write(&folder, "secret", "from-the-file\n", 0o600);
    write(&folder, "malomo_webhook_secret", "from-the-credential", 0o444);
    let (variable, credentials) =
        (("MALOMO_WEBHOOK_SECRET", "from-the-variable"), ("CREDENTIALS_DIRECTORY", &*directory));
    let find = |config: &str, variables: &[(&str, &str)]| {
        let path = folder.path().join("config.toml");
        std::fs::write(&path, config).unwrap();
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let environment = Environment::new(variables, folder.path().to_owned());
        webhook_secret(&Config::load(Some(&path), &environment, &[]).unwrap(), &environment)
    };
    let named = "webhook.secret_file = \"secret\"";
    for (config, variables, expected) in [
        (named, vec![variable, credentials], "from-the-variable"),
        (named, vec![credentials], "from-the-file"),
        ("", vec![credentials], "from-the-credential"),
    ] {
        assert_eq!(find(config, &variables).unwrap().secret.expose_secret(), expected);
    }
    let error = find("", &[]).unwrap_err().to_string();
    for way in ["$MALOMO_WEBHOOK_SECRET", "webhook.secret_file", "malomo_webhook_secret"] {
        assert!(error.contains(way), "{error}");
    }
    let error = find("", &[("MALOMO_WEBHOOK_SECRET", SECRET)]).unwrap_err().to_string();
    assert!(error.contains("is an API key") && !error.contains("0123456789"), "{error}");
}
