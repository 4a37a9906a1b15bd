//! `application/x-www-form-urlencoded`: strict, one pass, nothing guessed.
//!
//! A percent escape that is none, bytes that are not UTF-8 and characters that no XML answer could
//! carry are refused rather than repaired: what cannot be read the same way by everybody must not
//! be executed.

use std::collections::HashSet;

use http::HeaderMap;

/// A parameter's name and value, decoded.
pub type Pair = (String, String);

/// More parameters than any EC2 request has; RunInstances and Authorize stay far below.
pub const MAX_PAIRS: usize = 16_384;

/// The query or body is not a form that we read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FormError {
    #[error("The query string is malformed: a percent sign must be followed by two hexadecimal digits")]
    Escape,
    #[error("The query string is malformed: parameters must be UTF-8")]
    Utf8,
    #[error("The query string is malformed: parameters must not contain control characters")]
    Control,
    #[error("The query string is malformed: a parameter has a value but no name")]
    Nameless,
    #[error("The request has more than {MAX_PAIRS} parameters")]
    TooMany,
    #[error("The parameter {0} may be given only once")]
    Duplicate(String),
    #[error("The request body must have the content type application/x-www-form-urlencoded in UTF-8")]
    ContentType,
    #[error("A request with the method GET must not have a body")]
    BodyWithGet,
}

/// Decodes `a=1&b=2`; a plus sign is a blank, a missing `=` an empty value, an empty piece nothing.
pub fn decode(raw: &[u8]) -> Result<Vec<Pair>, FormError> {
    let pieces = raw.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty());
    let mut pairs = Vec::new();
    for piece in pieces {
        if pairs.len() == MAX_PAIRS {
            return Err(FormError::TooMany);
        }
        let cut = piece.iter().position(|byte| *byte == b'=');
        let (name, value) = cut.map_or((piece, &piece[..0]), |at| (&piece[..at], &piece[at + 1..]));
        let name = decode_text(name)?;
        if name.is_empty() {
            return Err(FormError::Nameless);
        }
        pairs.push((name, decode_text(value)?));
    }
    Ok(pairs)
}

/// Decodes the body of a POST; any other method must come without one.
pub fn decode_body(method: &str, headers: &HeaderMap, body: &[u8]) -> Result<Vec<Pair>, FormError> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    if method != "POST" {
        return Err(FormError::BodyWithGet);
    }
    let mut types = headers.get_all(http::header::CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (None, _) => decode(body),
        (Some(only), None) if only.to_str().is_ok_and(is_form) => decode(body),
        _ => Err(FormError::ContentType),
    }
}

/// Whether a Content-Type names a form in an encoding that is UTF-8 or within it.
fn is_form(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let form =
        parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/x-www-form-urlencoded"));
    form && parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            let value = value.trim().trim_matches('"');
            ["utf-8", "utf8", "us-ascii"].iter().any(|known| value.eq_ignore_ascii_case(known))
        }
        _ => true,
    })
}

/// Refuses a name that occurs twice: two readers could each take another value.
pub fn refuse_duplicates<'a>(pairs: impl Iterator<Item = &'a Pair>) -> Result<(), FormError> {
    let mut seen = HashSet::new();
    for (name, _) in pairs {
        if !seen.insert(name.as_str()) {
            return Err(FormError::Duplicate(name.clone()));
        }
    }
    Ok(())
}

fn decode_text(raw: &[u8]) -> Result<String, FormError> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex_digit(rest.next())? << 4 | hex_digit(rest.next())?,
            other => *other,
        });
    }
    let text = String::from_utf8(bytes).map_err(|_| FormError::Utf8)?;
    let unwritable = |c: char| {
        (c.is_control() && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    if text.contains(unwritable) { Err(FormError::Control) } else { Ok(text) }
}

fn hex_digit(byte: Option<&u8>) -> Result<u8, FormError> {
    match byte {
        Some(digit @ b'0'..=b'9') => Ok(digit - b'0'),
        Some(digit @ b'a'..=b'f') => Ok(digit - b'a' + 10),
        Some(digit @ b'A'..=b'F') => Ok(digit - b'A' + 10),
        _ => Err(FormError::Escape),
    }
}

/// Appends `text` encoded as AWS signs it: all but RFC 3986's unreserved characters escaped.
pub fn encode_into(out: &mut String, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

/// A pair encoded for signing.
pub fn encode_pair((name, value): &Pair) -> Pair {
    let encode = |text: &str| {
        let mut out = String::with_capacity(text.len());
        encode_into(&mut out, text);
        out
    };
    (encode(name), encode(value))
}

/// Pairs as `a=1&b=2`, encoded, then sorted by name and value: SigV4's canonical query.
pub fn canonical_query<'a>(pairs: impl Iterator<Item = &'a Pair>) -> String {
    let mut encoded: Vec<_> = pairs.map(encode_pair).collect();
    encoded.sort_unstable();
    join(encoded.into_iter())
}

/// Pairs as `a=1&b=2`, sorted by name, then encoded, as boto sorts for SigV2.
pub(super) fn canonical_query_v2<'a>(pairs: impl Iterator<Item = &'a Pair>) -> String {
    let mut sorted: Vec<_> = pairs.collect();
    sorted.sort_unstable();
    join(sorted.into_iter().map(encode_pair))
}

fn join(encoded: impl Iterator<Item = Pair>) -> String {
    let mut out = String::new();
    for (name, value) in encoded {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(&name);
        out.push('=');
        out.push_str(&value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(pairs: &[(&str, &str)]) -> Vec<Pair> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn forms_are_read_strictly() {
        assert_eq!(decode(b"a=1&&b=+%2B&c&").unwrap(), owned(&[("a", "1"), ("b", " +"), ("c", "")]));
        for (raw, error) in [
            (&b"a=%4"[..], FormError::Escape),
            (b"a=%zz", FormError::Escape),
            (b"a=%", FormError::Escape),
            (b"a=%ff", FormError::Utf8),
            (b"a=\xff", FormError::Utf8),
            (b"a=%00", FormError::Control),
            (b"a=%ef%bf%bf", FormError::Control),
            (b"=1", FormError::Nameless),
        ] {
            assert_eq!(decode(raw), Err(error), "{raw:?}");
        }
        let many = "a&".repeat(MAX_PAIRS + 1);
        assert_eq!(decode(many.as_bytes()), Err(FormError::TooMany));
    }

    #[test]
    fn only_forms_are_taken_as_bodies() {
        let with = |kind: &str| {
            let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, kind.parse().unwrap())]);
            decode_body("POST", &headers, b"a=1")
        };
        for kind in
            ["application/x-www-form-urlencoded", "Application/X-WWW-Form-URLEncoded ; Charset=\"UTF-8\""]
        {
            assert_eq!(with(kind), Ok(owned(&[("a", "1")])), "{kind}");
        }
        for kind in [
            "application/json",
            "multipart/form-data",
            "application/x-www-form-urlencoded; charset=utf-16",
            "",
        ] {
            assert_eq!(with(kind), Err(FormError::ContentType), "{kind}");
        }
        let none = HeaderMap::new();
        assert_eq!(decode_body("POST", &none, b"a=1"), Ok(owned(&[("a", "1")])));
        assert_eq!(decode_body("GET", &none, b"a=1"), Err(FormError::BodyWithGet));
    }
}
