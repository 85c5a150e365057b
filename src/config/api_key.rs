//! The API key: where it is looked for, and what is refused before it is sent anywhere.

use super::environment::Environment;
use super::typed::Config;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const VARIABLE: &str = "MALOMO_API_KEY";
const CREDENTIAL: &str = "malomo_api_key";
/// Far above any key, far below what hurts: somebody may name the wrong file.
const LONGEST: u64 = 4096;
const GROUP_AND_OTHERS_READ_WRITE: u32 = 0o066;
const UNPRINTABLE: &str = "holds a space, a line break or another character that is not visible ASCII; it should hold \
                           the key and nothing else";

/// The secret key.
#[derive(Debug)]
pub struct ApiKey {
    /// Visible ASCII, never empty, so it can stand in a header as it is.
    pub secret: SecretString,
    /// Where it came from.
    pub origin: KeyOrigin,
}

impl ApiKey {
    fn take(given: Vec<u8>, origin: KeyOrigin) -> Result<ApiKey, KeyError> {
        let Ok(text) = String::from_utf8(given).map(SecretString::from) else {
            return Err(KeyError::Unusable { origin, reason: UNPRINTABLE });
        };
        let key = text.expose_secret();
        let key = key.strip_suffix('\n').map_or(key, |key| key.strip_suffix('\r').unwrap_or(key));
        let reason = if key.is_empty() {
            "is empty; put a secret key (sk_…) there, or unset it"
        } else if key.len() as u64 > LONGEST {
            "is longer than 4096 bytes; it should hold the key and nothing else"
        } else if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            UNPRINTABLE
        } else if key.starts_with("pk_") {
            // `api-contract`, Transport.
            "is a publishable key (pk_…), which may read shipments only; use a secret key (sk_…) instead"
        } else {
            return Ok(ApiKey { secret: SecretString::from(key), origin });
        };
        Err(KeyError::Unusable { origin, reason })
    }
}

/// Where the key came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOrigin {
    /// `$MALOMO_API_KEY`
    Variable,
    /// The file that `api.api_key_file` names.
    File(PathBuf),
    /// The systemd credential `malomo_api_key`.
    Credential,
}

impl fmt::Display for KeyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyOrigin::Variable => write!(f, "${VARIABLE}"),
            KeyOrigin::File(path) => write!(f, "the file {} (api.api_key_file)", path.display()),
            KeyOrigin::Credential => write!(f, "the systemd credential \"{CREDENTIAL}\""),
        }
    }
}

/// Why there is no usable key. Never shows it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// None was given.
    #[error(
        "there is no API key. Give a secret key (sk_…) in one of these ways:\n\
         - set $MALOMO_API_KEY\n\
         - write it into a file, close it to others (chmod 600), and name it in `api.api_key_file` \
           (or $MALOMO_MIRROR__API__API_KEY_FILE)\n\
         - pass it as the systemd credential \"malomo_api_key\" (LoadCredential=malomo_api_key:FILE)\n\
         To try it without a key, run `malomo-mirror demo`, or `malomo-mirror sandbox` as the API"
    )]
    Missing,
    /// It cannot be read.
    #[error("cannot read the API key from {origin}; check that it exists and that this user may read it")]
    Unreadable {
        /// Where it was looked for.
        origin: KeyOrigin,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read or replace it.
    #[error(
        "the API key's file {} is open to group or others (mode {mode:03o}): chmod 600 {}; if others could \
         read it, replace the key at Malomo", path.display(), path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It can be no secret key.
    #[error("the API key from {origin} {reason}")]
    Unusable {
        /// Where it came from.
        origin: KeyOrigin,
        /// What is wrong with it, and what to do.
        reason: &'static str,
    },
}

/// The key from `$MALOMO_API_KEY`, else from the file that `api.api_key_file` names, else from the systemd
/// credential `$CREDENTIALS_DIRECTORY/malomo_api_key`. The first that is given counts, also where it is
/// unusable. One trailing line break is dropped. A relative path starts at the current directory.
///
/// # Errors
/// When none is given, or the one that counts cannot be read, is open to other users, or can be no secret key.
pub fn api_key(config: &Config, environment: &Environment) -> Result<ApiKey, KeyError> {
    if let Some(value) = environment.get(VARIABLE) {
        return ApiKey::take(value.as_bytes().to_owned(), KeyOrigin::Variable);
    }
    if let Some(path) = &config.api_key_file {
        let origin = KeyOrigin::File(path.clone());
        let unreadable = |source| KeyError::Unreadable { origin: origin.clone(), source };
        let file = File::open(environment.directory.join(path)).map_err(unreadable)?;
        // The mode of the open file: a name's may be exchanged in between.
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
        if mode & GROUP_AND_OTHERS_READ_WRITE != 0 {
            return Err(KeyError::Exposed { path: path.clone(), mode });
        }
        return ApiKey::take(read(file).map_err(unreadable)?, origin);
    }
    if let Some(directory) = environment.get("CREDENTIALS_DIRECTORY").filter(|name| !name.is_empty()) {
        return match File::open(Path::new(directory).join(CREDENTIAL)).and_then(read) {
            Ok(key) => ApiKey::take(key, KeyOrigin::Credential),
            // The unit has credentials, but not this one.
            Err(source) if source.kind() == io::ErrorKind::NotFound => Err(KeyError::Missing),
            Err(source) => Err(KeyError::Unreadable { origin: KeyOrigin::Credential, source }),
        };
    }
    Err(KeyError::Missing)
}

fn read(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // Room for the key's line break, and one byte more to see that a file is too long.
    file.take(LONGEST + 3).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[path = "api_key_tests.rs"]
mod tests;
