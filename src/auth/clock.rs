//! Timestamps as clients write them, and whether they are near enough.

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

use super::{AuthError, MAX_EXPIRES_SECONDS, MAX_SKEW_SECONDS};
use crate::types::Micros;

/// A whole second of UTC, with the text that SigV4 signs for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Stamp {
    pub seconds: i64,
    /// `20150830T123600Z`
    pub basic: String,
}

impl Stamp {
    /// The day that a credential scope must name: `20150830`.
    pub fn day(&self) -> &str {
        &self.basic[..8]
    }

    fn new(at: PrimitiveDateTime) -> Option<Self> {
        let (date, time) = (at.date(), at.time());
        // Four digits of year: the text has a fixed width.
        let year = u16::try_from(date.year()).ok().filter(|year| (1970..=9999).contains(year))?;
        let basic = format!(
            "{year:04}{:02}{:02}T{:02}{:02}{:02}Z",
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second()
        );
        Some(Self { seconds: at.assume_utc().unix_timestamp(), basic })
    }

    fn from_fields(fields: [&str; 6]) -> Option<Self> {
        let number =
            |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u16>().ok()).flatten();
        let small = |text: &str| number(text).and_then(|value| u8::try_from(value).ok());
        let [year, month, day, hour, minute, second] = fields;
        let month = Month::try_from(small(month)?).ok()?;
        let date = Date::from_calendar_date(i32::from(number(year)?), month, small(day)?).ok()?;
        let time = Time::from_hms(small(hour)?, small(minute)?, small(second)?).ok()?;
        Self::new(PrimitiveDateTime::new(date, time))
    }

    /// `20150830T123600Z`, the form of X-Amz-Date.
    pub fn parse_basic(text: &str) -> Option<Self> {
        let shaped = text.len() == 16 && text.is_ascii() && &text[8..9] == "T" && text.ends_with('Z');
        shaped.then_some(())?;
        Self::from_fields([&text[..4], &text[4..6], &text[6..8], &text[9..11], &text[11..13], &text[13..15]])
    }

    /// The forms that SigV2 clients write: `2011-10-03T15:19:30`, then an optional fraction, then `Z`,
    /// a zero offset or nothing, all UTC.
    pub fn parse_extended(text: &str) -> Option<Self> {
        let fixed = text.get(..19).filter(|fixed| fixed.is_ascii())?;
        let punctuation = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        punctuation.iter().all(|(at, mark)| fixed.as_bytes()[*at] == *mark).then_some(())?;
        let rest = text.get(19..)?;
        let zone = match rest.strip_prefix('.') {
            Some(fraction) => {
                let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
                (zone.len() < fraction.len()).then_some(zone)?
            }
            None => rest,
        };
        ["", "Z", "+00:00", "-00:00"].contains(&zone).then_some(())?;
        let at = |from: usize, to: usize| &fixed[from..to];
        Self::from_fields([at(0, 4), at(5, 7), at(8, 10), at(11, 13), at(14, 16), at(17, 19)])
    }

    /// The Date header: RFC 7231's `Sun, 30 Aug 2015 12:36:00 GMT`, or the basic form.
    pub fn parse_date_header(text: &str) -> Option<Self> {
        if let Some(stamp) = Self::parse_basic(text) {
            return Some(stamp);
        }
        let utc = text.strip_suffix("GMT").or_else(|| text.strip_suffix("UTC"))?.trim_end();
        let words: Vec<&str> = utc.split(' ').collect();
        let [_weekday, day, month, year, clock] = words[..] else { return None };
        let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let month = names.iter().position(|name| *name == month)? + 1;
        let parts: Vec<&str> = clock.split(':').collect();
        let [hour, minute, second] = parts[..] else { return None };
        Self::from_fields([year, &month.to_string(), day, hour, minute, second])
    }
}

/// The Unix time, in seconds, of a Date header.
pub fn seconds_of_date(text: &str) -> Option<i64> {
    Stamp::parse_date_header(text).map(|stamp| stamp.seconds)
}

fn show(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|at| Stamp::new(PrimitiveDateTime::new(at.date(), at.time())))
        .map_or_else(|| seconds.to_string(), |stamp| stamp.basic)
}

fn expired(what: &str, stamp: i64, now: i64) -> AuthError {
    AuthError::Expired(format!("{what} {}, the server's clock says {}.", show(stamp), show(now)))
}

/// A request signed at `stamp` must arrive within the skew, either way.
pub(super) fn check_signed_at(stamp: &Stamp, now: Micros) -> Result<(), AuthError> {
    let now = now.0.div_euclid(Micros::SECOND);
    if now - stamp.seconds > MAX_SKEW_SECONDS {
        Err(expired("It was signed at", stamp.seconds, now))
    } else if stamp.seconds - now > MAX_SKEW_SECONDS {
        Err(expired("It was signed in the future, at", stamp.seconds, now))
    } else {
        Ok(())
    }
}

/// A presigned request is good from `stamp`, less the skew, for `valid_for` seconds.
pub(super) fn check_presigned(stamp: &Stamp, valid_for: i64, now: Micros) -> Result<(), AuthError> {
    let now = now.0.div_euclid(Micros::SECOND);
    if stamp.seconds - now > MAX_SKEW_SECONDS {
        return Err(expired("It was signed in the future, at", stamp.seconds, now));
    }
    let until = stamp.seconds.saturating_add(valid_for);
    if now > until { Err(expired("It was valid until", until, now)) } else { Ok(()) }
}

/// SigV2's Expires: a moment that has not passed and is not further away than a presigned one may be.
pub(super) fn check_expires(until: &Stamp, now: Micros) -> Result<(), AuthError> {
    let now = now.0.div_euclid(Micros::SECOND);
    if now > until.seconds {
        Err(expired("It was valid until", until.seconds, now))
    } else if until.seconds - now > MAX_EXPIRES_SECONDS {
        Err(AuthError::incomplete("Expires must not be more than seven days ahead"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_one_moment_is_the_same_stamp() {
        let basic = Stamp::parse_basic("20150830T123600Z").unwrap();
        assert_eq!((basic.seconds, basic.day()), (1_440_938_160, "20150830"));
        assert_eq!(Stamp::parse_date_header("Sun, 30 Aug 2015 12:36:00 GMT").as_ref(), Some(&basic));
        for text in [
            "2015-08-30T12:36:00",
            "2015-08-30T12:36:00Z",
            "2015-08-30T12:36:00.000Z",
            "2015-08-30T12:36:00.5",
            "2015-08-30T12:36:00+00:00",
        ] {
            assert_eq!(Stamp::parse_extended(text).as_ref(), Some(&basic), "{text}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in ["", "20150830T123600", "20150830 123600Z", "20151330T123600Z", "+0150830T123600Z"] {
            assert_eq!(Stamp::parse_basic(text), None, "{text}");
        }
        for text in
            ["2015-08-30", "2015-08-30T12:36:00.Z", "2015-08-30T12:36:00+02:00", "2015-08-30T25:00:00Z"]
        {
            assert_eq!(Stamp::parse_extended(text), None, "{text}");
        }
        for text in ["Sun, 30 Aug 2015 12:36:00", "Sun, 30 Foo 2015 12:36:00 GMT", "30 Aug 2015", "GMT"] {
            assert_eq!(Stamp::parse_date_header(text), None, "{text}");
        }
    }

    #[test]
    fn the_skew_is_fifteen_minutes_both_ways() {
        let stamp = Stamp::parse_basic("20150830T123600Z").unwrap();
        let at = |seconds: i64| Micros((stamp.seconds + seconds) * Micros::SECOND);
        for inside in [-900, 0, 900] {
            assert_eq!(check_signed_at(&stamp, at(inside)), Ok(()));
        }
        for outside in [-901, 901, 1_000_000_000] {
            assert!(matches!(check_signed_at(&stamp, at(outside)), Err(AuthError::Expired(_))));
        }
        assert_eq!(check_presigned(&stamp, 60, at(60)), Ok(()));
        assert!(matches!(check_presigned(&stamp, 60, at(61)), Err(AuthError::Expired(_))));
        assert!(matches!(check_presigned(&stamp, 60, at(-901)), Err(AuthError::Expired(_))));
        assert_eq!(check_expires(&stamp, at(0)), Ok(()));
        assert!(matches!(check_expires(&stamp, at(1)), Err(AuthError::Expired(_))));
        assert!(matches!(check_expires(&stamp, at(-604_801)), Err(AuthError::Incomplete(_))));
    }
}
