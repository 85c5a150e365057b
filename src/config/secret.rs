//! The secrets: where each is looked for, and what is refused before it is used anywhere. The API key opens the account;
//! the webhook secret tells the vendor's deliveries from everybody else's. Neither stands in the configuration.

use super::environment::Environment;
use super::typed::Config;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Far above any secret, far below what hurts: somebody may name the wrong file.
const LONGEST: u64 = 4096;
const GROUP_AND_OTHERS_READ_WRITE: u32 = 0o066;

/// Which secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// The key to the vendor's API.
    ApiKey,
    /// What deliveries of webhooks are signed with.
    WebhookSecret,
}

impl SecretKind {
    const fn variable(self) -> &'static str {
        match self {
            SecretKind::ApiKey => "MALOMO_API_KEY",
            SecretKind::WebhookSecret => "MALOMO_WEBHOOK_SECRET",
        }
    }

    const fn credential(self) -> &'static str {
        match self {
            SecretKind::ApiKey => "malomo_api_key",
            SecretKind::WebhookSecret => "malomo_webhook_secret",
        }
    }

    /// The key of the configuration that names its file.
    const fn setting(self) -> &'static str {
        match self {
            SecretKind::ApiKey => "api.api_key_file",
            SecretKind::WebhookSecret => "webhook.secret_file",
        }
    }

    fn file(self, config: &Config) -> Option<&Path> {
        match self {
            SecretKind::ApiKey => config.api_key_file.as_deref(),
            SecretKind::WebhookSecret => config.webhook.secret_file.as_deref(),
        }
    }

    /// Why it can't be this secret, though it is visible ASCII.
    fn refused(self, text: &str) -> Option<&'static str> {
        let (is_key, is_publishable) =
            (text.starts_with("sk_") || text.starts_with("pk_"), text.starts_with("pk_"));
        match self {
            // `api-contract`, Transport.
            SecretKind::ApiKey if is_publishable => Some(
                "is a publishable key (pk_…), which may read shipments only; use a secret key (sk_…) instead",
            ),
            SecretKind::WebhookSecret if is_key => Some(
                "is an API key, which would be sent along with every webhook; make up another text for it",
            ),
            _ => None,
        }
    }

    /// What to do where others may have read it.
    const fn replace(self) -> &'static str {
        match self {
            SecretKind::ApiKey => "replace the key at Malomo",
            SecretKind::WebhookSecret => {
                "make up a new one and send it to Malomo with `webhooks install --renew-secret`"
            }
        }
    }

    /// That there is none, and how to give it.
    const fn missing(self) -> &'static str {
        match self {
            SecretKind::ApiKey => {
                "there is no API key. Give a secret key (sk_…) in one of these ways:\n\
                 - set $MALOMO_API_KEY\n\
                 - write it into a file, close it to others (chmod 600), and name it in `api.api_key_file` \
                   (or $MALOMO_MIRROR__API__API_KEY_FILE)\n\
                 - pass it as the systemd credential \"malomo_api_key\" (LoadCredential=malomo_api_key:FILE)\n\
                 To try it without a key, run `malomo-mirror demo`, or `malomo-mirror sandbox` as the API"
            }
            SecretKind::WebhookSecret => {
                "there is no webhook secret, without which nobody could tell Malomo's deliveries from forged ones. Make \
                 one up (`openssl rand -hex 32`) and give it in one of these ways:\n\
                 - set $MALOMO_WEBHOOK_SECRET\n\
                 - write it into a file, close it to others (chmod 600), and name it in `webhook.secret_file` \
                   (or $MALOMO_MIRROR__WEBHOOK__SECRET_FILE)\n\
                 - pass it as the systemd credential \"malomo_webhook_secret\" \
                   (LoadCredential=malomo_webhook_secret:FILE)"
            }
        }
    }
}

impl fmt::Display for SecretKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SecretKind::ApiKey => "API key",
            SecretKind::WebhookSecret => "webhook secret",
        })
    }
}

/// A secret that was found.
#[derive(Debug)]
pub struct Secret {
    /// Visible ASCII, never empty, so it can stand in a header as it is.
    pub secret: SecretString,
    /// Where it came from.
    pub origin: SecretOrigin,
}

impl Secret {
    fn take(kind: SecretKind, given: Vec<u8>, origin: SecretOrigin) -> Result<Secret, SecretError> {
        let unusable = |origin, reason: String| Err(SecretError::Unusable { kind, origin, reason });
        let unprintable = || {
            format!(
                "holds a space, a line break or another character that is not visible ASCII; it should hold the {kind} \
                 and nothing else"
            )
        };
        let Ok(text) = String::from_utf8(given).map(SecretString::from) else {
            return unusable(origin, unprintable());
        };
        let text = text.expose_secret();
        let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
        let reason = if text.is_empty() {
            format!("is empty; put the {kind} there, or unset it")
        } else if text.len() as u64 > LONGEST {
            format!("is longer than 4096 bytes; it should hold the {kind} and nothing else")
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            unprintable()
        } else if let Some(refused) = kind.refused(text) {
            refused.to_owned()
        } else {
            return Ok(Secret { secret: SecretString::from(text), origin });
        };
        unusable(origin, reason)
    }
}

/// Where a secret came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretOrigin {
    /// The variable of that name.
    Variable(&'static str),
    /// A file.
    File {
        /// Its path as it was given.
        path: PathBuf,
        /// The key of the configuration that names it.
        setting: &'static str,
    },
    /// The systemd credential of that name.
    Credential(&'static str),
}

impl fmt::Display for SecretOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretOrigin::Variable(name) => write!(f, "${name}"),
            SecretOrigin::File { path, setting } => write!(f, "the file {} ({setting})", path.display()),
            SecretOrigin::Credential(name) => write!(f, "the systemd credential \"{name}\""),
        }
    }
}

/// Why there is no usable secret. Never shows it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// None was given.
    #[error("{}", .0.missing())]
    Missing(SecretKind),
    /// It cannot be read.
    #[error("cannot read the {kind} from {origin}; check that it exists and that this user may read it")]
    Unreadable {
        /// Which one.
        kind: SecretKind,
        /// Where it was looked for.
        origin: SecretOrigin,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read or replace it.
    #[error(
        "the {kind}'s file {} is open to group or others (mode {mode:03o}): chmod 600 {}; if others could \
         read it, {}", path.display(), path.display(), kind.replace()
    )]
    Exposed {
        /// Which one.
        kind: SecretKind,
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It can be no such secret.
    #[error("the {kind} from {origin} {reason}")]
    Unusable {
        /// Which one.
        kind: SecretKind,
        /// Where it came from.
        origin: SecretOrigin,
        /// What is wrong with it, and what to do.
        reason: String,
    },
}

/// The key from `$MALOMO_API_KEY`, else from the file that `api.api_key_file` names, else from the systemd
/// credential `$CREDENTIALS_DIRECTORY/malomo_api_key`. The first that is given counts, also where it is
/// unusable. One trailing line break is dropped. A relative path starts at the current directory.
///
/// # Errors
/// When none is given, or the one that counts cannot be read, is open to other users, or can be no secret key.
pub fn api_key(config: &Config, environment: &Environment) -> Result<Secret, SecretError> {
    find(SecretKind::ApiKey, config, environment)
}

/// What deliveries of webhooks are signed with: from `$MALOMO_WEBHOOK_SECRET`, else from the file that
/// `webhook.secret_file` names, else from the systemd credential `$CREDENTIALS_DIRECTORY/malomo_webhook_secret`, in the
/// same way as [`api_key`].
///
/// # Errors
/// When none is given, or the one that counts cannot be read, is open to other users, or is an API key.
pub fn webhook_secret(config: &Config, environment: &Environment) -> Result<Secret, SecretError> {
    find(SecretKind::WebhookSecret, config, environment)
}

fn find(kind: SecretKind, config: &Config, environment: &Environment) -> Result<Secret, SecretError> {
    if let Some(value) = environment.get(kind.variable()) {
        return Secret::take(kind, value.as_bytes().to_owned(), SecretOrigin::Variable(kind.variable()));
    }
    if let Some(path) = kind.file(config) {
        let origin = SecretOrigin::File { path: path.to_owned(), setting: kind.setting() };
        let unreadable = |source| SecretError::Unreadable { kind, origin: origin.clone(), source };
        let file = File::open(environment.directory.join(path)).map_err(unreadable)?;
        // The mode of the open file: a name's may be exchanged in between.
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
        if mode & GROUP_AND_OTHERS_READ_WRITE != 0 {
            return Err(SecretError::Exposed { kind, path: path.to_owned(), mode });
        }
        return Secret::take(kind, read(file).map_err(unreadable)?, origin);
    }
    if let Some(directory) = environment.get("CREDENTIALS_DIRECTORY").filter(|name| !name.is_empty()) {
        let origin = SecretOrigin::Credential(kind.credential());
        return match File::open(Path::new(directory).join(kind.credential())).and_then(read) {
            Ok(text) => Secret::take(kind, text, origin),
            // The unit has credentials, but not this one.
            Err(source) if source.kind() == io::ErrorKind::NotFound => Err(SecretError::Missing(kind)),
            Err(source) => Err(SecretError::Unreadable { kind, origin, source }),
        };
    }
    Err(SecretError::Missing(kind))
}

fn read(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // Room for the secret's line break, and one byte more to see that a file is too long.
    file.take(LONGEST + 3).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
