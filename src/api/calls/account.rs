//! `GET /accounts/self`: which account the key belongs to.

use super::call::{Call, NotDocumented};
use super::client::Client;
use crate::api::errors::{ApiError, ErrorKind, shown};
use crate::record::Stream;
use reqwest::Method;
use serde_json::Value;

/// An API that doesn't know this resource may fail over it in any way; a run doesn't depend on it.
const ATTEMPTS: u32 = 2;

impl Client {
    /// The id of the account that the key belongs to; `None` where the API doesn't say.
    ///
    /// # Errors
    /// Those that every other call would meet as well, so that nothing is asked in vain. Every other failure counts as no
    /// answer.
    pub async fn account_id(&self) -> Result<Option<String>, ApiError> {
        let url = self.url(&["accounts", "self"])?;
        let call = Call::new(Method::GET, url, Stream::FIRST).attempts_at_most(ATTEMPTS);
        let read = |body: &[u8]| serde_json::from_slice(body).ok().as_ref().and_then(id_of);
        match self.fetch(call, |answer| Ok::<_, NotDocumented>(read(&answer.body))).await {
            Ok(id) => Ok(id),
            Err(error) => match error.kind() {
                ErrorKind::KeyRefused | ErrorKind::Certificate | ErrorKind::ProxyRefused => Err(error),
                _ => Ok(None),
            },
        }
    }
}

/// The account's `id`, a string or a number, in the answer itself or in an envelope of one object.
fn id_of(answer: &Value) -> Option<String> {
    let id = |object: &Value| match object.get("id")? {
        Value::String(id) if !id.is_empty() => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    };
    let id = id(answer).or_else(|| ["account", "data"].iter().find_map(|name| id(answer.get(name)?)));
    // It is told wherever the account is; nothing is asked with it.
    id.map(|id| shown(&id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_found() {
        for (answer, expected) in [
            (r#"{"id": "acc-1", "name": "Shop"}"#, Some("acc-1")),
            (r#"{"id": 17}"#, Some("17")),
            (r#"{"account": {"id": "acc-1"}}"#, Some("acc-1")),
            (r#"{"data": {"id": "acc-1"}}"#, Some("acc-1")),
            (r#"{"id": "ann@example.com\n"}"#, Some("•••\\n")),
            (r#"{"id": null}"#, None),
            (r#"{"id": ""}"#, None),
            (r#"[{"id": "acc-1"}]"#, None),
            ("[]", None),
            (r#""acc-1""#, None),
        ] {
            assert_eq!(id_of(&serde_json::from_str(answer).unwrap()).as_deref(), expected, "{answer}");
        }
    }
}
