//! The calls of the customer resource, but for its list.

use super::call::{Call, NotDocumented};
use super::client::{Client, is_html};
use crate::api::errors::{ApiError, ErrorKind};
use crate::api::transport::Answer;
use crate::record::Stream;
use reqwest::{Method, Url};
use serde_json::value::RawValue;

/// What to send of a customer; what is `None` is not sent. They are also the flags of the commands that write a customer,
/// whose help shows these texts. `Debug` is left out: they hold personal data.
#[derive(Clone, Default, serde::Serialize, clap::Args)]
#[group(required = true, multiple = true)]
pub struct CustomerFields {
    /// E-mail address
    #[arg(long, value_name = "TEXT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// First name
    #[arg(long, value_name = "TEXT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Last name
    #[arg(long, value_name = "TEXT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Phone number
    #[arg(long, value_name = "TEXT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
}

impl Client {
    /// Creates a customer and returns it as the API gave it.
    ///
    /// # Errors
    /// Repeated only while no connection can be made: after any other failure but a 4xx the customer may
    /// exist nevertheless.
    pub async fn create(&self, fields: &CustomerFields) -> Result<Box<RawValue>, ApiError> {
        self.write(Method::POST, self.url(&["customers"])?, fields).await
    }

    /// One record of a stream without a parent, as the API gives it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none; otherwise when all attempts failed.
    pub async fn retrieve(&self, stream: Stream, id: &str) -> Result<Box<RawValue>, ApiError> {
        let call = Call::new(Method::GET, self.url(&[stream.path(), id])?, stream);
        self.fetch(call, json_object).await
    }

    /// Changes the given fields of a customer and returns it as the API gave it. Idempotent.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none; otherwise when all attempts failed. After any failure
    /// but a 4xx the change may have been made nevertheless.
    pub async fn update(&self, id: &str, fields: &CustomerFields) -> Result<Box<RawValue>, ApiError> {
        self.write(Method::PUT, self.url(&["customers", id])?, fields).await
    }

    /// Deletes a customer. Where an answer was lost and the repeated request finds no such customer, that
    /// counts as done.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there was none; otherwise when all attempts failed.
    pub async fn delete(&self, id: &str) -> Result<(), ApiError> {
        self.remove(self.url(&["customers", id])?).await
    }

    /// Deletes what stands at a URL.
    pub(super) async fn remove(&self, url: Url) -> Result<(), ApiError> {
        let call = Call::new(Method::DELETE, url, Stream::Customers);
        let decode = |answer: Answer| match is_html(&answer) {
            true => Err(NotDocumented("an HTML page".to_owned())),
            false => Ok(()),
        };
        match self.fetch(call, decode).await {
            Err(error) if error.kind() == ErrorKind::NotFound && error.lost_answer() => Ok(()),
            result => result,
        }
    }

    /// Sends a record's fields, and returns the record as the API gave it.
    pub(super) async fn write(
        &self,
        method: Method,
        url: Url,
        fields: &impl serde::Serialize,
    ) -> Result<Box<RawValue>, ApiError> {
        let mut call = Call::new(method, url, Stream::Customers);
        let body = serde_json::to_vec(fields)
            .map_err(|error| ApiError::new(ErrorKind::Client).with_source(self.redactor().cause(&error)))?;
        call.body = Some(body);
        self.fetch(call, json_object).await
    }
}

/// The text of a record: a JSON object, strictly parsed (`api-contract` point 11), otherwise as it came.
pub(super) fn json_object(answer: Answer) -> Result<Box<RawValue>, NotDocumented> {
    let text: Box<RawValue> = serde_json::from_slice(&answer.body)?;
    if text.get().starts_with('{') { Ok(text) } else { Err(NotDocumented("not a JSON object".to_owned())) }
}
