//! The Date header, from the clock as it is now.
//!
//! hyper keeps one for a second and makes a new one when the clock is past that second: after a clock was set back by an
//! hour it tells the old time for an hour. Agents set their own time by this header.

use axum::http::header::DATE;
use axum::http::{HeaderValue, Response};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::types::Micros;

/// The reply with the time of day.
pub(crate) fn dated<B>(mut reply: Response<B>) -> Response<B> {
    if let Some(date) = text(Micros::now()).and_then(|text| HeaderValue::try_from(text).ok()) {
        reply.headers_mut().insert(DATE, date);
    }
    reply
}

/// RFC 9110's form: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn text(at: Micros) -> Option<String> {
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    OffsetDateTime::from_unix_timestamp(at.0.div_euclid(Micros::SECOND)).ok()?.format(format).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_the_rfc_has_it() {
        let at = Micros(784_111_777 * Micros::SECOND);
        assert_eq!(text(at).as_deref(), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert_eq!(crate::auth::seconds_of_date(&text(at).unwrap()), Some(784_111_777));
    }
}
