//! Scalars: text to values, with EC2's faults for what does not parse.

use std::str::FromStr;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::form::Node;
use super::{Fault, FaultCode};

/// Clients differ in padding; everything else of RFC 4648 holds.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Node {
    fn invalid(&self, text: &str, expected: &str) -> Fault {
        let shown: String = text.chars().take(128).collect();
        FaultCode::InvalidParameterValue
            .with(format!("Value ({shown}) for parameter {} is invalid: {expected}", self.path()))
    }

    pub(super) fn string(
        &mut self,
        max_len: Option<usize>,
        one_of: &[&str],
    ) -> Result<Option<String>, Fault> {
        let Some(text) = self.text()? else { return Ok(None) };
        self.check_length(&text, max_len)?;
        if !one_of.is_empty() && !one_of.contains(&text.as_str()) {
            return Err(self.invalid(&text, &format!("expected one of {}", one_of.join(", "))));
        }
        Ok(Some(text))
    }

    /// A string for which the empty one is a value of its own, other than none.
    pub(super) fn string_or_empty(&mut self, max_len: Option<usize>) -> Result<Option<String>, Fault> {
        let empty = self.is_empty_text();
        let text = self.text()?.or_else(|| empty.then(String::new));
        if let Some(text) = &text {
            self.check_length(text, max_len)?;
        }
        Ok(text)
    }

    fn check_length(&self, text: &str, max_len: Option<usize>) -> Result<(), Fault> {
        match max_len.filter(|limit| text.chars().count() > *limit) {
            Some(limit) => Err(self.invalid(text, &format!("expected at most {limit} characters"))),
            None => Ok(()),
        }
    }

    pub(super) fn integer(&mut self, min: Option<i64>, max: Option<i64>) -> Result<Option<i64>, Fault> {
        let Some(text) = self.text()? else { return Ok(None) };
        let value = text.parse::<i64>().ok().filter(|_| !text.starts_with('+'));
        let value = value.ok_or_else(|| self.invalid(&text, "expected a whole number"))?;
        let (low, high) = (min.unwrap_or(i64::MIN), max.unwrap_or(i64::MAX));
        if value < low || value > high {
            return Err(self.invalid(&text, &format!("expected a number from {low} to {high}")));
        }
        Ok(Some(value))
    }

    pub(super) fn boolean(&mut self) -> Result<Option<bool>, Fault> {
        let Some(text) = self.text()? else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(Some(true)),
            "false" | "0" => Ok(Some(false)),
            _ => Err(self.invalid(&text, "expected true or false")),
        }
    }

    /// Bytes of which none is a value of its own, other than nothing said.
    pub(super) fn blob_or_empty(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let empty = self.is_empty_text();
        Ok(self.blob()?.or_else(|| empty.then(Vec::new)))
    }

    pub(super) fn blob(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let Some(text) = self.text()? else { return Ok(None) };
        from_base64(&text).map(Some).ok_or_else(|| {
            FaultCode::InvalidParameterValue.with(format!("{} must be base64 encoded", self.path()))
        })
    }

    pub(super) fn parsed<T: FromStr>(&mut self, code: FaultCode, what: &str) -> Result<Option<T>, Fault>
    where
        T::Err: std::fmt::Display,
    {
        let Some(text) = self.text()? else { return Ok(None) };
        text.parse().map(Some).map_err(|error| {
            let shown: String = text.chars().take(128).collect();
            code.with(format!("Invalid {what}: \"{shown}\" ({error})"))
        })
    }
}

/// A text in base64, as requests carry bytes.
pub fn to_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// The bytes of a text in base64, as clients write it.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    // MIME encoders (Python's encodestring, `base64 FILE`) break lines.
    let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    BASE64.decode(packed.as_bytes()).ok()
}
