//! A key that somebody wrote among the arguments: told, and not repeated where logs would keep it.

use super::exit::Failure;
use std::ffi::OsString;

/// What to say instead of quoting arguments that can't be understood, if one of them looks like a key.
pub(super) fn refusal(arguments: &[OsString]) -> Option<Failure> {
    arguments.iter().any(|argument| looks_like_key(&argument.to_string_lossy())).then(|| {
        Failure::usage(
            "an API key stands among the arguments, where everybody on this machine can read it. Set $MALOMO_API_KEY, or \
             write the key into a file of its own (chmod 600) and name it in `api.api_key_file`; and replace this one at \
             Malomo",
        )
    })
}

fn looks_like_key(argument: &str) -> bool {
    argument.split('=').any(|part| ["sk_", "pk_"].iter().any(|prefix| part.trim().starts_with(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_by_their_beginning() {
        for (argument, expected) in [
            ("sk_live_1", true),
            ("--api-key=sk_live_1", true),
            ("pk_1", true),
            ("api.key= sk_1", true),
            ("--task_key", false),
            ("risk_1", false),
            ("", false),
        ] {
            assert_eq!(looks_like_key(argument), expected, "{argument}");
        }
    }
}
