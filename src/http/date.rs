//! The Date header, from the clock as it is now.
//!
//! hyper keeps one for a second and makes a new one when the clock is past that second: after a clock was set back by an
//! hour it tells the old time for an hour. Agents set their own time by this header.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::http::header::DATE;
use axum::http::{HeaderValue, Response};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::types::Micros;

/// The reply with the time of day.
pub(crate) fn dated<B>(mut reply: Response<B>) -> Response<B> {
    if let Some(date) = value(Micros::now()) {
        reply.headers_mut().insert(DATE, date);
    }
    reply
}

/// The last second that was asked for, and its header.
static LAST: ArcSwapOption<(i64, HeaderValue)> = ArcSwapOption::const_empty();

/// The header at a time: made anew when the clock shows another second, whichever way it went.
fn value(at: Micros) -> Option<HeaderValue> {
    let second = at.0.div_euclid(Micros::SECOND);
    if let Some(last) = &*LAST.load()
        && last.0 == second
    {
        return Some(last.1.clone());
    }
    let value = HeaderValue::try_from(text(at)?).ok()?;
    LAST.store(Some(Arc::new((second, value.clone()))));
    Some(value)
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

    #[test]
    fn a_clock_that_is_set_back_is_followed_at_once() {
        let seconds = [784_111_777, 784_111_778, 784_111_778, 784_108_178];
        for second in seconds {
            let told = value(Micros(second * Micros::SECOND + 999_999)).unwrap();
            assert_eq!(crate::auth::seconds_of_date(told.to_str().unwrap()), Some(second));
        }
    }
}
