//! The client of a store, from its address and the environment: credentials, endpoints and options stand in the variables that
//! every program of the store takes (`AWS_*`, `GOOGLE_*`, `AZURE_*`), or come from the machine's own role.

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum, S3CopyIfNotExists};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{Error, ObjectStore, RetryConfig};
use reqwest::Url;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How often a request is sent again, and how long after the first one at most: a store that is down holds an export up for
/// no more than about a minute, after which it is given up until the next run.
const RETRIES: usize = 4;
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);

/// The store of a bucket. Sends nothing yet.
pub(super) fn store(address: &str) -> Result<Arc<dyn ObjectStore>, Error> {
    let (scheme, path) = address.split_once("://").unwrap_or_default();
    let bucket = path.split('/').next().unwrap_or_default();
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() };
    Ok(match scheme {
        "gs" => Arc::new(
            GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket).with_retry(retry).build()?,
        ),
        "az" => {
            let builder = MicrosoftAzureBuilder::from_env().with_container_name(bucket).with_retry(retry);
            Arc::new(match is_loopback(builder.get_config_value(&AzureConfigKey::Endpoint)) {
                true => builder.with_allow_http(true).build()?,
                false => builder.build()?,
            })
        }
        _ => {
            let builder = AmazonS3Builder::from_env()
                .with_bucket_name(bucket)
                .with_retry(retry)
                .with_checksum_algorithm(Checksum::SHA256)
                .with_copy_if_not_exists(S3CopyIfNotExists::Multipart);
            Arc::new(match is_loopback(builder.get_config_value(&AmazonS3ConfigKey::Endpoint)) {
                true => builder.with_allow_http(true).build()?,
                false => builder.build()?,
            })
        }
    })
}

/// Whether a store's endpoint is this machine itself, so that plain HTTP shows nothing to anybody. A name other than
/// `localhost` is never looked up: what it resolves to can change.
fn is_loopback(endpoint: Option<String>) -> bool {
    let Some(url) = endpoint.and_then(|endpoint| Url::parse(&endpoint).ok()) else { return false };
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for (endpoint, expected) in [
            ("http://127.0.0.1:9000", true),
            ("http://[::1]:9000", true),
            ("http://localhost", true),
            ("http://example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(is_loopback(Some(endpoint.to_owned())), expected, "{endpoint}");
        }
        assert!(!is_loopback(None));
    }
}
