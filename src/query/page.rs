//! Pages: a token is the last key that was shown, and a hash of that and of what was asked.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Fault, FaultCode, Filter};
use crate::types::Digest;

/// Of a hash, in hexadecimal digits.
const HASH_LENGTH: usize = 32;

/// What one page asks for.
pub struct Page<'a> {
    pub max_results: Option<i64>,
    pub next_token: Option<&'a str>,
    pub filters: &'a [Filter],
}

impl Page<'_> {
    /// Cuts one page out of `items`, which are in the order of their keys.
    ///
    /// A resource that comes or goes between two pages changes only whether it is shown itself.
    ///
    /// # Errors
    /// A token that was not made for these filters.
    pub fn cut<T>(
        &self,
        items: impl Iterator<Item = T>,
        key: impl Fn(&T) -> String,
    ) -> Result<(Vec<T>, Option<String>), Fault> {
        let after = self.next_token.map(|token| self.open(token)).transpose()?;
        let limit = self.max_results.and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX);
        let mut items = items.skip_while(|item| after.as_ref().is_some_and(|after| key(item) <= *after));
        let page: Vec<T> = items.by_ref().take(limit).collect();
        let more = items.next().is_some();
        let token = page.last().filter(|_| more).map(|last| self.seal(&key(last)));
        Ok((page, token))
    }

    fn hash(&self, key: &str) -> String {
        Digest::of(format!("{key:?} {:?}", self.filters).as_bytes()).to_string()
    }

    fn seal(&self, key: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}{key}", self.hash(key)))
    }

    fn open(&self, token: &str) -> Result<String, Fault> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let parts = text.as_deref().and_then(|text| text.split_at_checked(HASH_LENGTH));
        let key = parts.filter(|(hash, key)| self.hash(key) == *hash).map(|(_, key)| key.to_owned());
        key.ok_or_else(|| {
            FaultCode::InvalidNextToken.with(
                "The token is not valid; repeat the request without it, and keep the filters while paging",
            )
        })
    }
}
